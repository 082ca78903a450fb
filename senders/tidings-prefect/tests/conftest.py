"""A real Prefect: its server on loopback with SQLite in a folder of its own, and flows that run beside it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
READY_WITHIN = 90.0


class Prefect:
    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self._folder = f"http://127.0.0.1:{port}", folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("TIDINGS_", "PREFECT_"))},
            "PREFECT_API_URL": f"{self.url}/api",
            "PREFECT_HOME": str(folder / "home"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        }
        server = [str(BIN / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
        self._server = self._start(server, "server", {})

    def ready(self) -> None:
        ends = time.monotonic() + READY_WITHIN
        while time.monotonic() < ends and self._server.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/api/health", timeout=2).close()
                return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError((self._folder / "server").read_text()[-2_000:])

    def stop(self) -> None:
        _end(self._server)

    def run(self, *names: str, **environment: str) -> None:
        """These of `flows.py`, in one process, which fails if a hook does."""
        self._ended([sys.executable, str(HERE / "flows.py"), *names], environment)

    def run_file(self, file: Path, **environment: str) -> None:
        self._ended([sys.executable, str(file)], environment)

    def install(self, *arguments: str) -> str:
        return self._ended([str(BIN / "tidings-prefect"), "install", *arguments], {})

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Prefect's own API; 503 while SQLite is locked, which Prefect's own client tries again too."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            json.dumps(body or {}).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        ends = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    return json.loads(answer.read() or b"null")
            except urllib.error.HTTPError as error:
                if error.code != 503 or time.monotonic() > ends:
                    raise
            time.sleep(0.5)

    @contextmanager
    def serving(self, **environment: str) -> Iterator[None]:
        process = self._start([sys.executable, str(HERE / "serve.py")], "serve", environment)
        try:
            yield
        finally:
            _end(process)

    def _ended(self, command: list[str], environment: dict[str, str]) -> str:
        done = subprocess.run(
            command,
            env=self.environment | environment,
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        return done.stdout

    def _start(self, command: list[str], log: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self._folder / log).open("ab") as out:
            return subprocess.Popen(command, env=self.environment | environment, cwd=HERE, stdout=out, stderr=out)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def prefect() -> Iterator[Prefect]:
    folder = Path(tempfile.mkdtemp(prefix="tidings-prefect-"))
    running = Prefect(folder)
    # What is imported here speaks to that server too, and touches nothing of the developer's.
    os.environ.update({name: value for name, value in running.environment.items() if name.startswith("PREFECT_")})
    try:
        running.ready()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
