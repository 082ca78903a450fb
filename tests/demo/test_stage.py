"""Tidings on the demo's stage ends when it is told, at any moment, and leaves nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tidings.demo.stage import _SERVE, free_port

# At the first import of the command it asks for, in a place where Python ignores exceptions.
_AT_A_BAD_MOMENT = """
import os, signal, sys, time, weakref
class Thing: pass
def ask(_):
    {ask}
    time.sleep(0.5)
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "tidings.cli.serve":
            thing = Thing()
            reference = weakref.ref(thing, ask)
            del thing
sys.meta_path.insert(0, Finder)
"""


def _told(process: "subprocess.Popen[bytes]") -> None:
    """It tells itself."""


def _left_alone(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin
    process.stdin.close()


@pytest.mark.parametrize(
    ("ask", "then", "folder_stays"),
    [("os.kill(os.getpid(), signal.SIGTERM)", _told, True), ("sys.stderr.write('here')", _left_alone, False)],
)
def test_it_ends_even_where_python_would_ignore_an_exception(
    tmp_path: Path, ask: str, then: Callable[["subprocess.Popen[bytes]"], None], folder_stays: bool
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "sitecustomize.py").write_text(_AT_A_BAD_MOMENT.format(ask=ask))
    port = free_port(0)
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _SERVE, "serve", "--port", str(port)],
        stdin=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "TIDINGS_DATA_DIR": str(tmp_path / "data")},
    )
    try:
        then(process)
        assert process.wait(20) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "data").exists() == folder_stays
    assert not folder_stays or not list((tmp_path / "data").iterdir())
