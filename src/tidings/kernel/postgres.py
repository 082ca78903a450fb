"""The embedded PostgreSQL: one cluster and one server for a data folder, shared by all processes that use it.

    server = start(data_dir)      # makes the cluster, starts the server or joins it
    server.url                    # for libpq; a Unix socket, no TCP
    server.revive()               # when a connection fails, and now and then: starts it again if it died
    server.release()              # the last user's release stops it; `with start(...) as server` does it too

All of it lies in `postgres/` inside the data folder:

    cluster/        the data; it has this name only when it is complete
    run/            the socket; `socket-folder` names a short folder in /tmp where this path is too long for a socket
    tidings.conf    the settings, written at every start and included by cluster/postgresql.conf
    server.log      what the server says; server.log.1 the end of what it said before
    programs-*/     PostgreSQL's programs, where it runs as a user who cannot reach the installed ones

Three file locks carry the rest. The kernel drops them when a process dies, whatever killed it: no process id goes
stale or is mistaken for another's, and they hold between containers that share a volume.

    start.lock      exclusive, while a cluster is made or a server started or stopped; initdb inherits it
    users.lock      shared, by every user for its life: whoever can have it exclusively is the last
    server.lock     exclusive, inherited by the server and all its children: free when the last of them is gone
"""

import fcntl
import logging
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from psycopg.pq import PGconn, Ping

from tidings.kernel.drop_root import hand_over, keep_with, run
from tidings.kernel.prepare_cluster import (
    NAME,
    NO_SPACE,
    SOCKET,
    EmbeddedPostgresError,
    Place,
    create_cluster,
    find_programs,
    forget_socket_folder,
    hint,
    last_lines,
    shorten_log,
    socket_folder,
    write_settings,
)
from tidings.kernel.signs_of_life import (
    kill_orphans,
    lives,
    lock_at_once,
    postmaster_of,
    recorded_pid,
    says_ready,
    server_lives,
    works_in,
)
from tidings.kernel.upgrade_cluster import Upgraded, finish_upgrade, refuse_other_major, upgrade_cluster

__all__ = ["NO_SPACE", "EmbeddedPostgresError", "Running", "start", "upgrade"]

ORPHANS_MAY_TAKE = 1.0  # seconds: without their postmaster idle backends end at once, busy ones when their query ends
SILENCE_MAY_TAKE = 60.0  # seconds a server that says it is ready may leave a connection unanswered
STOP_MAY_TAKE = 60.0  # seconds for the checkpoint of a fast shutdown; after that the next start does recovery instead

_log = logging.getLogger(__name__)


def start(data_dir: Path, *, settings: Mapping[str, str] | None = None) -> "Running":
    """A running server for this folder, and us among its users.

    Returns when it accepts connections, after crash recovery too, however long that takes. `settings` are PostgreSQL's,
    over `SETTINGS`; they have no effect on a server that runs already. Raises `EmbeddedPostgresError`.
    """
    running = Running(data_dir, settings)
    try:
        running.revive()
    except BaseException:
        running.release()
        raise
    return running


def upgrade(data_dir: Path) -> Upgraded | None:
    """Makes the cluster of an older PostgreSQL one of this version. None: there is nothing to do. Raises
    `EmbeddedPostgresError`."""
    with _starting_or_stopping(data_dir.expanduser().resolve()) as place:
        if server_lives(place):
            raise EmbeddedPostgresError(
                f"The PostgreSQL in {place.cluster} is running.", "Stop every Tidings that uses it, then try again."
            )
        _remove_stale_files(place)
        return upgrade_cluster(place)


def was_ever_started(data_dir: Path) -> bool:
    """Whether there is a cluster, complete or not. Makes nothing."""
    try:
        with os.scandir(data_dir / "postgres") as entries:
            return any(entry.name.startswith("cluster") for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # somebody's: starting it will say what is wrong


class Running:
    """One user's hold on the server. A user that is killed lets go as well; the server then stops with the next user's
    release, and until then it is there for the next start."""

    url: str
    """For libpq. It stays the same until the release."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        """Nothing happens before `revive`."""
        self._data_dir, self._settings = data_dir.expanduser().resolve(), settings or {}
        self._user: int | None = None
        self._released = False

    def revive(self) -> str:
        """Starts the server if it is gone, waits until it accepts connections, keeps its log short; returns the URL.

        Takes a few milliseconds when all is well. To be called when a connection fails, and every minute or so for the
        log's sake. Safe from any thread and from several processes at once. Raises `EmbeddedPostgresError`.
        """
        try:
            with _starting_or_stopping(self._data_dir) as place:
                if self._released:
                    raise EmbeddedPostgresError("This hold on the embedded PostgreSQL was released.", "Start it anew.")
                if self._user is None:
                    self._user = place.open("users.lock")
                    fcntl.flock(self._user, fcntl.LOCK_SH)
                self.url = _ensure_running(place, self._settings)
        except (PermissionError, FileExistsError, NotADirectoryError) as error:
            raise EmbeddedPostgresError(
                f"The data folder {self._data_dir} cannot be used: {error}.",
                "Run Tidings as the user who owns that folder, or set TIDINGS_DATA_DIR to another folder.",
            ) from error
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL cannot be started: {error}.", hint(str(error), self._data_dir / "postgres")
            ) from error
        return self.url

    def release(self) -> None:
        """Lets go; the last user's release stops the server and returns when it is gone. May be called twice."""
        if self._user is None:
            self._released = True
            return
        with _starting_or_stopping(self._data_dir) as place:
            user, self._user, self._released = self._user, None, True
            if user is None:  # another thread was quicker
                return
            try:
                if lock_at_once(user):
                    _stop(place)
            finally:
                _unlock(user)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@contextmanager
def _starting_or_stopping(data_dir: Path) -> Iterator[Place]:
    folder = data_dir / "postgres"
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    start_lock = os.open(folder / "start.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(start_lock, fcntl.LOCK_EX)
        account = hand_over(folder, data_dir)
        keep_with(folder, folder / "start.lock")
        yield Place(folder, account, start_lock)
    except KeyboardInterrupt:
        os.close(start_lock)  # not unlocked: a program that was cut short has it until it is gone
        raise
    except BaseException:
        _unlock(start_lock)
        raise
    _unlock(start_lock)


def _unlock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # explicitly: a forked child may hold the descriptor open
    os.close(descriptor)


def _ensure_running(place: Place, settings: Mapping[str, str]) -> str:
    shorten_log(place)
    finish_upgrade(place)
    if place.cluster.exists():
        refuse_other_major(place)
        url = _url(place)
        if _wait_until_ready(place, url):
            return url
    programs = find_programs(place)
    if not place.cluster.exists():
        create_cluster(place, programs, settings)
    write_settings(place, programs, settings)
    _remove_stale_files(place)
    _launch(place, programs)
    url = _url(place)
    if not _wait_until_ready(place, url, launched=True):
        said = last_lines(place)
        raise EmbeddedPostgresError(f"PostgreSQL ended while it started. It said:\n{said}", hint(said, place.folder))
    return url


def _url(place: Place) -> str:
    # The port is named because libpq would take another from PGPORT.
    return f"postgresql://{NAME}@/{NAME}?host={quote(os.fsencode(socket_folder(place)))}&port=5432"


def _remove_stale_files(place: Place) -> None:
    """What a killed server leaves behind. PostgreSQL clears it away itself, unless another process of the same user has
    got the dead one's number: then it would refuse to start. Here `server.lock` is free, so the number means nothing.
    """
    pid = recorded_pid(place)
    if pid is not None and works_in(pid, place.cluster):
        raise EmbeddedPostgresError(
            f"Another PostgreSQL (process {pid}), not started by Tidings, works in {place.cluster}.",
            f"Stop it: kill -INT {pid}",
        )
    for name in (SOCKET, f"{SOCKET}.lock"):
        (socket_folder(place) / name).unlink(missing_ok=True)
    if pid is not None and lives(pid):
        (place.cluster / "postmaster.pid").unlink(missing_ok=True)


def _launch(place: Place, programs: Path) -> None:
    """In a session of its own, so Ctrl-C at our terminal does not reach it, and left to init, so it outlives us.

    `pg_ctl start` would do the same, but it puts the folder unquoted into a shell command, and its wait (-w) gives up
    after 60 seconds although crash recovery may take longer.
    """
    log = place.open("server.log", os.O_APPEND)
    server_lock = place.open("server.lock")
    try:
        fcntl.flock(server_lock, fcntl.LOCK_EX)
        in_background = ("/bin/sh", "-c", '"$0" -D "$1" &', programs / "postgres", place.cluster)
        run(in_background, place.account, cwd=place.cluster, keep=[server_lock], log=log)
    finally:
        os.close(server_lock)  # not unlocked: the server has it now
        os.close(log)


def _wait_until_ready(place: Place, url: str, *, launched: bool = False) -> bool:
    """Waits through start, crash recovery and shutdown, as long as they take. False: no process of the server is left.

    `postmaster.pid` is asked first, because a connection to a server that starts leaves a line in its log.
    """
    began = heard = headed = time.monotonic()
    while server_lives(place):
        now, postmaster = time.monotonic(), postmaster_of(place)
        answer = PGconn.ping(f"{url}&connect_timeout=5".encode()) if says_ready(place) else Ping.REJECT
        if answer == Ping.OK:
            return True
        if answer == Ping.REJECT:
            heard = now
        if postmaster is not None or launched:
            headed = now
        if now - headed > ORPHANS_MAY_TAKE:
            kill_orphans(place)
        if now - heard > SILENCE_MAY_TAKE:
            raise EmbeddedPostgresError(
                f"PostgreSQL (process {postmaster or 'unknown'}) runs but does not answer at {url}.",
                f"Stop it and start again: kill -INT {postmaster or 'PROCESS'}",
            )
        if now - began > 5:
            _log.info("waiting for PostgreSQL (crash recovery?), see %s", place.folder / "server.log")
            began = now
        time.sleep(0.01)
    return False


def _stop(place: Place) -> None:
    """A fast shutdown. What does not end in time is ended hard: nothing committed is lost, the next start recovers."""
    began = headed = time.monotonic()
    asked = None
    while server_lives(place):
        now, postmaster = time.monotonic(), postmaster_of(place)
        wanted = signal.SIGINT if now - began < STOP_MAY_TAKE else signal.SIGQUIT
        if postmaster is not None and asked != (postmaster, wanted):
            with suppress(ProcessLookupError):
                os.kill(postmaster, wanted)
            asked = (postmaster, wanted)
        if postmaster is not None:
            headed = now
        # At the very end it has taken its file away and is not gone yet.
        if now - headed > ORPHANS_MAY_TAKE and not kill_orphans(place):
            _log.warning("PostgreSQL in %s runs where it cannot be stopped from: another container?", place.folder)
            return
        time.sleep(0.01)
    forget_socket_folder(place)
