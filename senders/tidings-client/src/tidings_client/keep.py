"""The file: what waits, in order, and what was refused. SQLite in WAL mode; a row is on disk when `add` returns.

A file that SQLite calls malformed (after a bad disk, say) is moved aside, and a new one begun: whoever tells of things
goes on. What is no database at all may be somebody else's, and is left where it is."""

from __future__ import annotations

import functools
import json
import logging
import os
import sqlite3
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar, cast

from tidings_client.answers import Refused

if sys.platform != "win32":
    import fcntl

log = logging.getLogger("tidings_client")
Method = TypeVar("Method", bound=Callable[..., Any])
ASIDE_AT_MOST = 1_000
"""Refused ones that are kept: the newest."""
BUSY = 2.0
"""Seconds to wait for another process that writes: a scheduler's loop may be what waits."""
_TABLES = """
CREATE TABLE IF NOT EXISTS waiting (
    id INTEGER PRIMARY KEY AUTOINCREMENT, adapter TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS aside (
    id INTEGER PRIMARY KEY, adapter TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL,
    at TEXT NOT NULL, status INTEGER NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS lost (count INTEGER NOT NULL);
INSERT INTO lost SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM lost);
INSERT INTO sqlite_sequence SELECT 'waiting', {now} WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence);
"""
"""`now`, in microseconds: a file that takes the place of another has other numbers, so that a process that is amid
sending what it read from that one takes nothing out of this one."""
# Rows leave from the front, so the first and the last number say how many there are, without counting them.
_COUNT = "SELECT coalesce((SELECT max(id) FROM waiting) - (SELECT min(id) FROM waiting) + 1, 0)"


@dataclass(frozen=True)
class Row:
    """`adapter` is empty for an event."""

    id: int
    adapter: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Aside:
    """Refused, and why. `content` is the event, or the payload for `adapter`."""

    id: int
    adapter: str
    content: Any
    at: datetime
    status: int
    code: str
    detail: str


def _or_anew(method: Method) -> Method:
    """Once more, with a new file, when this one is malformed."""

    @functools.wraps(method)
    def whole(keep: Keep, *arguments: Any) -> Any:
        try:
            return method(keep, *arguments)
        except sqlite3.DatabaseError as error:
            # SQLITE_CORRUPT in all its wordings; its number is only there from Python 3.11 on.
            if "malformed" not in str(error):
                raise
            keep.move_aside(error)
        return method(keep, *arguments)

    return cast(Method, whole)


class Keep:
    """For one thread at a time. The connection is opened when it is needed; `close` it before a fork, which no SQLite
    connection may pass."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        """Which one the connection is to: another process may have put a new one in its place."""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @_or_anew
    def add(self, adapter: str, headers: Mapping[str, str], body: bytes, at_most: int, within: float = BUSY) -> bool:
        """False: it is full; what came is counted as lost. Raises sqlite3.OperationalError when it is another's for
        longer than `within` seconds."""
        with self._writing(within) as connection:
            room = int(connection.execute(_COUNT).fetchone()[0]) < at_most
            if room:
                row = (adapter, json.dumps(dict(headers)), body)
                connection.execute("INSERT INTO waiting (adapter, headers, body) VALUES (?, ?, ?)", row)
            else:
                connection.execute("UPDATE lost SET count = count + 1")
        return room

    @_or_anew
    def waiting(self) -> int:
        return int(self._live().execute(_COUNT).fetchone()[0])

    @_or_anew
    def lost(self) -> int:
        return int(self._live().execute("SELECT count FROM lost").fetchone()[0])

    @_or_anew
    def first(self, rows: int, size: int) -> list[Row]:
        """The oldest: so many, of so many bytes together; one at least."""
        found: list[Row] = []
        query = "SELECT id, adapter, headers, body FROM waiting ORDER BY id LIMIT ?"
        for key, adapter, headers, body in self._live().execute(query, (rows,)):
            size -= len(body)
            if found and size < 0:
                break
            found.append(Row(key, adapter, json.loads(headers), bytes(body)))
        return found

    @_or_anew
    def settle(self, done: Sequence[Row], refused: Sequence[tuple[Row, Refused]]) -> None:
        """Taken ones go, refused ones go aside."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        asides = [
            (row.adapter, json.dumps(dict(row.headers)), row.body, now, why.status, why.code, why.detail)
            for row, why in refused
        ]
        with self._writing() as connection:
            connection.executemany(
                "INSERT INTO aside (adapter, headers, body, at, status, code, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
                asides,
            )
            connection.execute("DELETE FROM aside WHERE id <= (SELECT max(id) FROM aside) - ?", (ASIDE_AT_MOST,))
            gone = [(row.id,) for row in (*done, *(row for row, _ in refused))]
            connection.executemany("DELETE FROM waiting WHERE id = ?", gone)

    @_or_anew
    def aside(self) -> list[Aside]:
        rows = self._live().execute("SELECT id, adapter, body, at, status, code, detail FROM aside ORDER BY id")
        return [
            Aside(key, adapter, json.loads(bytes(body)), datetime.fromisoformat(at), status, code, detail)
            for key, adapter, body, at, status, code, detail in rows
        ]

    @_or_anew
    def back(self) -> int:
        """What is aside waits again, behind the others."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO waiting (adapter, headers, body) SELECT adapter, headers, body FROM aside ORDER BY id"
            )
            return connection.execute("DELETE FROM aside").rowcount

    def move_aside(self, error: sqlite3.Error) -> None:
        """Out of the way, unless another process was quicker. Raises OSError."""
        mine = self._file
        self.close()
        if mine is None or _which(self.path) != mine:
            return
        descriptor = os.open(self.path, os.O_RDWR)
        try:
            if sys.platform != "win32":
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _which(self.path) != mine:
                return
            broken = self.path.with_name(f"{self.path.name}.broken-{datetime.now(timezone.utc):%Y%m%dT%H%M%S.%fZ}")
            for suffix in ("-wal", "-shm", ""):
                with suppress(FileNotFoundError):
                    Path(f"{self.path}{suffix}").replace(f"{broken}{suffix}")
        finally:
            os.close(descriptor)
        log.error(
            "%s is damaged (%s): it is now %s, and a new one is begun. What waited in it is not sent; "
            "`sqlite3 %s .recover` shows what can be read of it.", self.path, error, broken, broken,
        )  # fmt: skip

    # the connection

    @contextmanager
    def _writing(self, within: float = BUSY) -> Iterator[sqlite3.Connection]:
        connection = self._live(within)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _live(self, within: float = BUSY) -> sqlite3.Connection:
        """What is asked of it waits for others until then."""
        ends = time.monotonic() + within
        if self._connection is not None and _which(self.path) != self._file:
            self.close()
        if self._connection is None:
            _create(self.path)
            self._file = _which(self.path)
            self._connection = _opened(self.path, ends)
        self._connection.execute(f"PRAGMA busy_timeout = {max(0, round((ends - time.monotonic()) * 1000))}")
        return self._connection


def _which(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _create(path: Path) -> None:
    """Unless it is there. It holds names and what happened: for its owner alone, and so is what SQLite puts beside it,
    even if it was made otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Not opened when it is there: to close it would end the locks of this process's connections to it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            with suppress(PermissionError):  # another's, who lets us write to it
                path.chmod(0o600)


def _opened(path: Path, ends: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, ends)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, ends: float) -> None:
    """The change to WAL does not wait for whoever is at it at the same moment, so it is tried again."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'lost'").fetchone():
                connection.executescript(f"BEGIN IMMEDIATE; {_TABLES.format(now=time.time_ns() // 1000)} COMMIT;")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > ends:
                raise
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            time.sleep(0.02)
