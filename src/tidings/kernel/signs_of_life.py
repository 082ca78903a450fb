"""What a server shows of itself to those who have not started it: a lock, its pid file, its processes."""

import fcntl
import os
import signal
from contextlib import suppress
from pathlib import Path

from tidings.kernel.prepare_cluster import Place


def kill_orphans(place: Place) -> int:
    """Backends that outlived their postmaster; while one lives, no server can start. Recovery undoes what they did."""
    killed = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "comm").read_text().strip() == "postgres" and works_in(int(process.name), place.cluster):
                os.kill(int(process.name), signal.SIGKILL)
                killed += 1
    return killed


def lock_at_once(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def server_lives(place: Place) -> bool:
    """Whether any process of the server is left, its orphans included."""
    descriptor = place.open("server.lock")
    try:
        if not lock_at_once(descriptor):
            return True
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return False
    finally:
        os.close(descriptor)


def postmaster_of(place: Place) -> int | None:
    pid = recorded_pid(place)
    return pid if pid is not None and works_in(pid, place.cluster) else None


def recorded_pid(place: Place) -> int | None:
    try:
        return int((place.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def says_ready(place: Place) -> bool:
    """The eighth line, padded (miscadmin.h, LOCK_FILE_LINE_PM_STATUS). "ready" also stays there when the server is
    killed, and while it restarts after the crash of a backend."""
    try:
        return (place.cluster / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
    except (OSError, IndexError):
        return False


def works_in(pid: int, folder: Path) -> bool:
    """Every process of a server has the cluster for its working folder; without /proc (macOS) being alive must do."""
    try:
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    except OSError:
        return not Path("/proc/self").exists() and lives(pid)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
