"""A real Tidings for what sends to it: `tidings serve`, a process of its own, from the environment of `make serve`."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

TIDINGS = Path(__file__).parents[1] / ".venv" / "bin" / "tidings"
SOON = 30.0
_numbers = count(1)


class Node:
    """`url` is what a sender is given, `admin` an administrator's token. It keeps its address when it was away."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.admin = folder, f"tdg_{secrets.token_urlsafe(32)}"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        environment |= {"TIDINGS_DATA_DIR": str(self._folder / "data"), "TIDINGS_ADMIN_TOKEN": self.admin}
        with (self._folder / "log").open("ab") as log:
            command = [str(TIDINGS), "serve", "--port", str(self.port)]
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        ends = time.monotonic() + 90
        while time.monotonic() < ends and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=2).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError((self._folder / "log").read_text()[-2_000:])

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)

    @contextmanager
    def away(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    # the API

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """`path` begins after `/api/v1`. As the administrator, or with another token."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token or self.admin}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def source(self, name: str = "") -> tuple[str, str]:
        """A new source and its token."""
        name = name or f"source-{next(_numbers)}"
        return name, str(self.call("POST", "/sources", {"name": name})["token"])

    def events(self, source: str, at_least: int = 1, *, within: float = SOON) -> list[Any]:
        """Of this source, the oldest first, once there are so many."""
        ends = time.monotonic() + within
        while True:
            found = self._events(source)
            if len(found) >= at_least:
                return found
            if time.monotonic() > ends:
                raise AssertionError(f"{at_least} events of {source} did not come, but {found}")
            time.sleep(0.1)

    def _events(self, source: str) -> list[Any]:
        found, cursor = [], None
        while True:
            asked: Mapping[str, str] = {"source": source, "limit": "200", **({"cursor": cursor} if cursor else {})}
            page = self.call("GET", f"/events?{urlencode(asked)}")
            found += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return found[::-1]

    def record(self, event: str) -> Any:
        """Who was told, and why; and all that the event said."""
        return self.call("GET", f"/events/{event}")

    def person(self, login: str, **more: Any) -> None:
        self.call("PUT", f"/users/{login}", {"name": login.title(), **more})


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    # Not `tmp_path`: as root it lies below a folder of mode 0700, which PostgreSQL's own user cannot pass.
    folder = Path(tempfile.mkdtemp(prefix="tidings-senders-", dir="/tmp"))
    folder.chmod(0o755)
    running = Node(folder)
    try:
        running.start()
        yield running
        running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test sets what it needs; what the developer has set leads nowhere."""
    for name in [name for name in os.environ if name.startswith("TIDINGS_")]:
        monkeypatch.delenv(name)
