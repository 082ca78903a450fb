"""Which of the processes that share a file delivers: one at a time, or order would be lost. The lock is the kernel's,
so that it ends with its holder, however that ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class Turn:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Whether it is ours now. On Windows it always is: of two processes on one file both deliver, and Tidings finds
        the duplicates; order alone is not promised there."""
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        if sys.platform != "win32":
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                return False
        self._descriptor = descriptor
        return True

    def leave(self) -> None:
        if self._descriptor is not None:
            if sys.platform != "win32":
                # Not by closing alone: a child that has just been forked may hold it too.
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self.forget()

    def forget(self) -> None:
        """In a forked child: it is the parent's, and stays so."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
