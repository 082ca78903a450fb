"""What people read of an adapter: `steps.toml` in its folder says in a line what it is, and what somebody has to do in
another system so that it sends here; `sample.http` what it then sends. Pure."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tidings.events.sources.contract import Sample


def steps_beside(module: str) -> Mapping[str, Sequence[str]]:
    """By language, `steps` of each. `module` is the `__file__` of its adapter."""
    return {language: each["steps"] for language, each in _table(module).items()}


def about_beside(module: str) -> Mapping[str, str]:
    """By language, `about` of each."""
    return {language: each["about"] for language, each in _table(module).items()}


def labels_beside(module: str) -> Mapping[str, str]:
    """By language, `label` of those that have one."""
    return {language: each["label"] for language, each in _table(module).items() if "label" in each}


def sample_beside(module: str) -> Sample:
    """Headers, where it needs any, an empty line, and the body."""
    said = Path(module).with_name("sample.http").read_text("utf-8")
    head, _, body = said.rpartition("\n\n")
    headers = [line.partition(":") for line in head.splitlines()]
    return Sample({name.lower(): value.strip() for name, _, value in headers}, body.strip().encode())


def _table(module: str) -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(module).with_name("steps.toml").read_text("utf-8"))
