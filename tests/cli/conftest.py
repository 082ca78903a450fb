"""`tidings` as an operator has it: a process of its own in a shell that knows nothing of Django or of this test run."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

COMMAND = [sys.executable, "-m", "tidings.cli.main"]
Tidings = Callable[..., "subprocess.CompletedProcess[str]"]


def shell(url: str, **more: str) -> dict[str, str]:
    """The environment of somebody who has set these, and `url` as the database."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("TIDINGS_", "DJANGO_"))}
    keys = os.environ["TIDINGS_SECRET_KEYS"]
    return {**bare, "TIDINGS_DATABASE_URL": url, "TIDINGS_SECRET_KEYS": keys, **more}


@pytest.fixture
def tidings(empty_database: str) -> Tidings:
    """`tidings("token", "create", input="", TIDINGS_BASE_URL=...)` on an empty database, or the one of `url`."""

    def run(
        *arguments: str, input: str = "", url: str = empty_database, **more: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *arguments], env=shell(url, **more), input=input, capture_output=True, text=True, check=False,
            timeout=60,
        )  # fmt: skip

    return run
