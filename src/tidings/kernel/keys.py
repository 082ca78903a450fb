"""The secret keys as they are now. Those that lie in a file are read again when it changes, so that a process that runs
opens what another has just sealed with a new one, and seals with that from then on."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.conf import settings as django_settings

from tidings.kernel.settings import new_key, settings, split_keys

Stamp = tuple[int, int, int]


@dataclass(slots=True)
class _File:
    stamp: Stamp | None = None
    keys: tuple[str, ...] = ()


_files: dict[Path, _File] = {}


def secret_keys() -> tuple[str, ...]:
    """The first encrypts, the rest still decrypt. A file that is gone or damaged changes nothing. Costs a microsecond:
    a look at the file's times."""
    own = settings()
    if own.keys_file is None:
        return own.secret_keys
    held = _files.setdefault(own.keys_file, _File(None, own.secret_keys))
    stamp = _stamp(own.keys_file)
    if stamp is not None and stamp != held.stamp:
        # What cannot be read just now, for want of a file descriptor say, is read the next time.
        with suppress(OSError, UnicodeDecodeError):
            keys = split_keys(own.keys_file.read_text())
            held.stamp = stamp
            if keys and keys != held.keys:
                held.keys = keys
                _tell_django(keys)
    return held.keys


def django_key(key: str) -> str:
    """What Django signs with: sessions, invitations, links for a new password."""
    return hashlib.sha256(f"tidings/django/{key}".encode()).hexdigest()


def new_first_key(path: Path) -> None:
    """A new one in front of those that the file holds, which it keeps."""
    write_keys(path, (new_key(), *secret_keys()))


def write_keys(path: Path, keys: Sequence[str]) -> None:
    """Complete or not at all, for its owner alone, and lasting when this returns."""
    folder = path.parent
    with NamedTemporaryFile("w", dir=folder, prefix=f"{path.name}.", delete=False) as file:  # 0600
        try:
            file.write(",".join(keys))
            file.flush()
            os.fsync(file.fileno())
            owner = path.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _stamp(path: Path) -> Stamp | None:
    """None when it is not there just now."""
    with suppress(OSError):
        found = path.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size
    return None


def _tell_django(keys: Sequence[str]) -> None:
    if django_settings.configured:
        django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS = map(django_key, keys)
