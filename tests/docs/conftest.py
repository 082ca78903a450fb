"""One node for all pages, as `tidings serve` makes it; each page has an organisation of its own there."""

import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.conftest import COMMAND, shell

READY_WITHIN = 60.0


@dataclass(frozen=True)
class Served:
    """`shell`: the environment in which the command `tidings` finds the same database."""

    url: str
    shell: dict[str, str]


@pytest.fixture(scope="module")
def node(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("node")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = shell(database, TIDINGS_DATA_DIR=str(folder), TIDINGS_BASE_URL=url)
    environment["PATH"] = f"{Path(COMMAND[0]).parent}:{environment['PATH']}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(port)], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait_for(f"{url}/readyz", process, folder / "log")
        yield Served(url, environment)
    finally:
        process.terminate()
        process.wait(READY_WITHIN)


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + READY_WITHIN
    while True:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        assert process.poll() is None and time.monotonic() < until, log.read_text()
        time.sleep(0.05)
