"""Clusters of other major versions of PostgreSQL. The wheel brings 16 beside ours, so a cluster of 16 stands for the one
that an older Tidings has left."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from tidings.kernel.drop_root import Account, hand_over, reachable, run
from tidings.kernel.postgres import EmbeddedPostgresError, start, upgrade
from tidings.kernel.prepare_cluster import older_install

QUICK = {"fsync": "off", "shared_buffers": "16MB"}


class Old:
    """A data folder with a cluster of PostgreSQL 16 that holds one note."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.postgres, self.cluster = self.data / "postgres", self.data / "postgres" / "cluster"
        self.postgres.mkdir(parents=True)
        self.url = f"postgresql://tidings@/tidings?host={self.postgres / 'run'}"
        self.account: Account | None = hand_over(self.postgres, self.data)
        install = older_install("16")
        assert install
        elsewhere = folder / "programs"
        elsewhere.mkdir(mode=0o755)
        found = reachable(install, self.account, elsewhere)
        assert found
        self.bin = found / "bin"
        for made in (self.cluster, self.postgres / "run"):
            made.mkdir(mode=0o700)
            if self.account:
                os.chown(made, self.account.uid, self.account.gid)
        self._act("initdb", "-D", self.cluster, "-U", "tidings", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        (self.postgres / "tidings.conf").write_text("# Written by Tidings 0.0.9 at every start.\nfsync = 'off'\n")
        with (self.cluster / "postgresql.conf").open("a") as conf:
            conf.write("include = '../tidings.conf'\n")
        self._act("postgres", "--single", "-D", self.cluster, "template1", stdin="CREATE DATABASE tidings;\n")
        self.serve()
        with psycopg.connect(self.url) as connection:
            connection.execute("CREATE TABLE note (text text); INSERT INTO note VALUES ('of 16')")
        self._act("pg_ctl", "stop", "-D", self.cluster)

    def serve(self) -> int:
        """Its own server, as the older Tidings runs it; the process's number."""
        where = f"-c listen_addresses= -c unix_socket_directories={self.postgres / 'run'}"
        self._act("pg_ctl", "start", "-w", "-D", self.cluster, "-l", "/dev/null", "-o", where)
        return int((self.cluster / "postmaster.pid").read_text().splitlines()[0])

    def crash(self) -> None:
        """With something that only recovery can bring back."""
        postmaster = psutil.Process(self.serve())
        with psycopg.connect(self.url) as connection:
            connection.execute("INSERT INTO note VALUES ('before a crash')")
        family = [postmaster, *postmaster.children()]
        postmaster.kill()
        psutil.wait_procs(family[1:], timeout=10)

    def _act(self, program: str, *options: object, stdin: str = "") -> None:
        done = run([self.bin / program, *map(str, options)], self.account, cwd=self.postgres, stdin=stdin)
        assert done.returncode == 0, done.stdout


@pytest.fixture
def old() -> Iterator[Old]:
    """Not `tmp_path`: as root it lies below a folder of mode 0700, which PostgreSQL's own user cannot pass."""
    folder = Path(tempfile.mkdtemp(prefix="tidings-test-", dir="/tmp")).resolve()
    folder.chmod(0o755)
    there = Old(folder)
    yield there
    with suppress(OSError, ValueError, IndexError):
        os.kill(int((there.cluster / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
        time.sleep(0.2)
    shutil.rmtree(folder)


def notes(data: Path) -> list[str]:
    with start(data, settings=QUICK) as server, psycopg.connect(server.url) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM note ORDER BY text").fetchall()]


def names(old: Old) -> set[str]:
    return {entry.name for entry in old.postgres.iterdir() if entry.is_dir() and not entry.name.startswith("programs-")}


def test_the_hint_leads_to_the_same_database_under_this_version(old: Old) -> None:
    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 16; this is PostgreSQL 18") as refused:
        start(old.data)
    assert refused.value.hint == "Run: tidings database upgrade"
    # when: done as it says
    command = [sys.executable, "-m", "tidings.cli.main", "database", "upgrade"]
    environment = {**os.environ, "TIDINGS_DATA_DIR": str(old.data)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    # then
    assert done.returncode == 0, done.stderr
    assert f"The old cluster is kept as {old.postgres / 'cluster-16'}" in done.stdout
    assert notes(old.data) == ["of 16"]
    assert names(old) == {"cluster", "cluster-16", "run"}
    assert (old.postgres / "cluster-16" / "PG_VERSION").read_text() == "16\n"
    assert (old.cluster / "PG_VERSION").read_text() == "18\n"
    # and a second time there is nothing to do
    assert upgrade(old.data) is None


def test_a_cluster_that_crashed_is_upgraded_with_all_that_was_committed(old: Old) -> None:
    old.crash()
    upgrade(old.data)
    assert notes(old.data) == ["before a crash", "of 16"]


def test_a_cluster_in_use_is_left_alone(old: Old) -> None:
    postmaster = old.serve()
    with pytest.raises(EmbeddedPostgresError, match="works in") as refused:
        upgrade(old.data)
    assert str(postmaster) in refused.value.hint
    assert psutil.pid_exists(postmaster)
    assert names(old) == {"cluster", "run"}


def test_an_upgrade_that_was_cut_short_begins_anew(old: Old) -> None:
    for part in ("upgrade", "cluster.upgraded"):
        (old.postgres / part / "base").mkdir(parents=True)
    upgrade(old.data)
    assert notes(old.data) == ["of 16"]


@pytest.mark.parametrize("renamed", [1, 2])
def test_a_crash_between_the_last_steps_loses_nothing(old: Old, renamed: int) -> None:
    upgrade(old.data)
    # given: as it is when the last renames never came
    old.cluster.rename(old.postgres / "cluster.upgraded")
    if renamed == 1:
        (old.postgres / "cluster-16").rename(old.cluster)
        with pytest.raises(EmbeddedPostgresError, match="PostgreSQL 16"):
            start(old.data)
        upgrade(old.data)
    assert notes(old.data) == ["of 16"]
    assert names(old) == {"cluster", "cluster-16", "run"}


def test_an_old_cluster_kept_from_before_is_not_overwritten(old: Old) -> None:
    (old.postgres / "cluster-16").mkdir()
    with pytest.raises(EmbeddedPostgresError, match="is there already"):
        upgrade(old.data)


def test_what_no_program_here_can_read_has_a_way_out_that_names_the_version(old: Old) -> None:
    (old.cluster / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedPostgresError) as refused:
        start(old.data)
    assert "With the Tidings it was last used with, 0.0.9, run: tidings database dump" in refused.value.hint
    assert f"move {old.cluster} away, and with this Tidings run: tidings database restore" in refused.value.hint
    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 15"):
        upgrade(old.data)


def test_the_cluster_of_a_newer_version_says_what_it_takes(old: Old) -> None:
    (old.cluster / "PG_VERSION").write_text("19\n")
    with pytest.raises(EmbeddedPostgresError) as refused:
        start(old.data)
    assert refused.value.hint == "Run the Tidings it was last used with, 0.0.9, or a newer one."
