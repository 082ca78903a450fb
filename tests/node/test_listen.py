"""A port belongs to one process, from the first moment."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tidings.node.run import listen


def test_a_port_that_is_taken_is_refused_before_anything_starts(tmp_path: Path) -> None:
    # given: one that holds the port and is not ready yet
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        # when
        command = [sys.executable, "-m", "tidings.cli.main", "serve", "--port", str(port)]
        second = subprocess.run(
            command, env={"TIDINGS_DATA_DIR": str(tmp_path / "data")}, capture_output=True, text=True, timeout=30
        )
    # then: the second is told so, and has started nothing
    assert second.returncode == 1
    assert f"127.0.0.1:{port} cannot be used: Address already in use." in second.stderr
    assert not (tmp_path / "data").exists()


def test_who_calls_before_it_is_ready_waits_instead_of_being_refused() -> None:
    with listen("127.0.0.1", 0) as first, socket.create_connection(first.getsockname(), timeout=5):
        pass


def test_a_port_is_free_at_once_after_a_restart() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        # Whoever closes first keeps the port in TIME_WAIT.
        with socket.create_connection(("127.0.0.1", port)) as caller:
            first.setblocking(True)
            accepted, _ = first.accept()
            accepted.close()
            assert caller.recv(1) == b""
    with listen("127.0.0.1", port):
        pass


def test_a_host_that_is_not_ours_is_said_so() -> None:
    with pytest.raises(SystemExit, match=r"192\.0\.2\.1:8420 cannot be used"):
        listen("192.0.2.1", 8420)
