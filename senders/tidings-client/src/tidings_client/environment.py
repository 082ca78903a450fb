"""What is set outside: `TIDINGS_URL`, `TIDINGS_TOKEN`, `TIDINGS_SECRET`, `TIDINGS_BUFFER`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def required(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise ValueError(f"{name} is not set.")
    return value


def optional(name: str) -> str:
    """From the environment or from a file, `NAME_FILE`; empty when neither is set."""
    if file := os.environ.get(f"{name}_FILE", "").strip():
        return Path(file).read_text("utf-8").strip()
    return os.environ.get(name, "").strip()


def secret_reader(name: str) -> str | Callable[[], str]:
    """The secret, or what reads its file: whoever replaces that need not restart anything. Empty: neither is set."""
    if file := os.environ.get(f"{name}_FILE", "").strip():
        path = Path(file)
        path.read_text("utf-8")  # now, while somebody is looking
        return lambda: path.read_text("utf-8").strip()
    return optional(name)


def buffer_path() -> Path:
    if said := os.environ.get("TIDINGS_BUFFER", "").strip():
        return Path(said).expanduser()
    state = os.environ.get("XDG_STATE_HOME", "").strip()
    return (Path(state) if state else Path.home() / ".local" / "state") / "tidings" / "buffer.sqlite"
