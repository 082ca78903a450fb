"""Asked to stop while it starts, Tidings leaves nothing running, and the next start finds nothing in its way."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

START_WITHIN = 60.0
STOP_WITHIN = 30.0


class Starting:
    """`tidings serve` on a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.data, self.log = folder / "data", folder / "log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        with socket.socket() as free, self.log.open("ab") as log:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
            free.close()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tidings.cli.main", "serve", "--port", str(port)],
                env=environment | {"TIDINGS_DATA_DIR": str(self.data)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def until(self, moment: Callable[[], bool]) -> None:
        until = time.monotonic() + START_WITHIN
        while not moment():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, f"this moment never came:\n{self.log.read_text()}"
            time.sleep(0.001)

    # moments of a first start, in their order

    def begins(self) -> bool:
        return (self.data / "postgres" / "start.lock").exists()

    def makes_the_cluster(self) -> bool:
        return (self.data / "postgres" / "cluster.part" / "base").exists()

    def starts_the_server(self) -> bool:
        return (self.data / "postgres" / "cluster" / "postmaster.pid").exists()

    def migrates(self) -> bool:
        """Some tables are there, not all."""
        socket_folder = self.data / "postgres" / "run"
        with suppress(psycopg.Error), psycopg.connect(f"postgresql://tidings@/tidings?host={socket_folder}") as looking:
            return looking.execute("SELECT to_regclass('django_migrations')").fetchone() != (None,)
        return False

    def is_ready(self) -> bool:
        return "Tidings is ready" in self.log.read_text()

    # and its end

    def stop(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        self.process.wait(STOP_WITHIN)

    def left(self) -> list[str]:
        """The processes that still work in its folders."""
        return [process.name() for process in psutil.process_iter() if self._works_in_ours(process)]

    def _works_in_ours(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            return str(self.data) in process.cwd()
        return False


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not `tmp_path`: as root it lies below a folder of mode 0700, which PostgreSQL's own user cannot pass."""
    path = Path(tempfile.mkdtemp(prefix="tidings-fault-", dir="/tmp")).resolve()
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


MOMENTS = [
    Starting.begins,
    Starting.makes_the_cluster,
    Starting.starts_the_server,
    Starting.migrates,
    Starting.is_ready,
]


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
def test_nothing_is_left_running_and_the_next_start_succeeds(folder: Path, moment: Callable[[Starting], bool]) -> None:
    # when
    first = Starting(folder)
    first.until(lambda: moment(first))
    first.stop(signal.SIGTERM)
    # then
    assert (first.process.returncode, first.left()) == (0, []), first.log.read_text()
    assert "Traceback" not in first.log.read_text()
    # and
    first.log.unlink()
    second = Starting(folder)
    second.until(second.is_ready)
    second.stop(signal.SIGTERM)
    assert (second.process.returncode, second.left()) == (0, []), second.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=["ctrl_c", "its_terminal_is_closed"])
def test_other_ways_of_asking_are_heard_as_well(folder: Path, number: signal.Signals) -> None:
    starting = Starting(folder)
    starting.until(starting.starts_the_server)
    starting.stop(number)
    assert (starting.process.returncode, starting.left()) == (0, []), starting.log.read_text()


def test_who_asks_again_and_again_gets_no_other_end(folder: Path) -> None:
    starting = Starting(folder)
    starting.until(starting.is_ready)
    while starting.process.poll() is None:
        starting.process.send_signal(signal.SIGTERM)
        time.sleep(0.002)
    assert starting.left() == []
    server_log = (starting.data / "postgres" / "server.log").read_text()
    assert server_log.rstrip().endswith("database system is shut down"), server_log
