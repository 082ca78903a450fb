"""`tidings consume`: a node that takes events from buses, and answers to those who watch it and nobody else."""

import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.cli.conftest import COMMAND, Tidings, shell

AWAY = """
[[bus]]
name = "tickets"
kind = "redis"
url = "redis://:${{LAKE_PASSWORD}}@127.0.0.1:{port}/0"
stream = "tickets"
source = "lake"
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_without_a_file_it_says_what_to_set(tidings: Tidings) -> None:
    ended = tidings("consume")
    assert ended.returncode == 2
    assert "TIDINGS_BUSES is not set" in ended.stderr


def test_a_file_that_does_not_fit_ends_every_node_that_accepts(tidings: Tidings, tmp_path: Path) -> None:
    buses = tmp_path / "buses.toml"
    buses.write_text(AWAY.format(port=1))
    tidings("migrate")
    for command in (["consume"], ["web", "--port", str(free_port())]):
        ended = tidings(*command, TIDINGS_BUSES=str(buses))
        assert ended.returncode == 2
        assert "${LAKE_PASSWORD}, which is not set" in ended.stderr, ended.stderr


def test_it_waits_for_its_source_and_for_its_bus(tidings: Tidings, empty_database: str, tmp_path: Path) -> None:
    buses, port = tmp_path / "buses.toml", free_port()
    buses.write_text(AWAY.format(port=free_port()))
    tidings("migrate")
    tidings("tenant", "create", "Acme")
    environment = shell(empty_database) | {"TIDINGS_BUSES": str(buses), "LAKE_PASSWORD": "hunter2"}
    said = tmp_path / "said"
    with said.open("w") as log:
        node = subprocess.Popen([*COMMAND, "consume", "--port", str(port)], env=environment, stderr=log)
    try:
        wait_for(said, "this makes it: tidings token create --tenant Acme --source lake")
        checked = tidings("check", TIDINGS_BUSES=str(buses), LAKE_PASSWORD="hunter2")
        assert "buses.no_source" in checked.stdout
        tidings("token", "create", "--source", "lake")
        wait_for(said, "ConnectionError")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert 'tidings_bus_connected{bus="tickets"} 0.0' in answer.read().decode()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/catalog", timeout=10)
        node.send_signal(signal.SIGTERM)
        assert node.wait(30) == 0
    finally:
        node.kill()
        node.wait()
    assert "Traceback" not in said.read_text()
    assert "hunter2" not in said.read_text()


def wait_for(said: Path, words: str) -> None:
    until = time.monotonic() + 60
    while words not in said.read_text():
        assert time.monotonic() < until, said.read_text()
        time.sleep(0.1)
