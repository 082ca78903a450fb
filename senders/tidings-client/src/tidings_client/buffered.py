"""Sends by way of a file: what `send` was given is on disk when it returns, whatever becomes of this process, and a
thread in the background sends it as soon as Tidings can be reached."""

from __future__ import annotations

import atexit
import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Any

from tidings_client.answers import Refused, Unavailable
from tidings_client.client import BATCH_BYTES, PAUSE, Client, EventLike, pause
from tidings_client.environment import buffer_path
from tidings_client.event import as_json, encoded
from tidings_client.keep import BUSY, Aside, Keep, Row
from tidings_client.turn import Turn

log = logging.getLogger("tidings_client")
AT_ONCE = 500
"""Events in a batch."""
LOOK_AGAIN = 1.0
"""Seconds after which a thread looks for what other processes have put into the file."""
PAUSE_AT_MOST = 60.0
ASIDE_AFTER = {"parked_full": 0.0, "internal_error": 300.0}
"""Seconds after which one goes aside that Tidings cannot take for a reason of its own, though it may take the next: it
would keep back all that is behind it."""
LINGER = 2.0
"""Seconds that the end of a process waits for what is being sent; nothing when Tidings is away."""


class Buffered:
    """At least once, in order, by way of the file `path`, which several processes may share. When `at_most` wait in it,
    what comes is lost, with an error in the log; the older ones stay. What Tidings refuses goes aside (`refused`), and
    so does what it fails at again and again. What a new token, address or permission would cure waits for that.

    May be used by threads and over forks. Raises what `Path` and `sqlite3` raise when the disk can keep nothing, or
    another process has the file for longer than two seconds."""

    def __init__(self, client: Client, path: str | os.PathLike[str], at_most: int = 10_000) -> None:
        self._client, self.at_most, self.path = client, at_most, Path(path).expanduser().absolute()
        self._keep = Keep(self.path)
        self._turn = Turn(self.path.with_name(self.path.name + ".turn"))
        self._complained = 0.0
        self._begin()
        with _one_fork:
            _all.add(self)
        if self._look() > 0:
            self._start()

    @classmethod
    def from_environment(cls, *, timeout: float = 10.0, at_most: int = 10_000) -> Buffered:
        """The client of the environment, and `TIDINGS_BUFFER`, the file (`~/.local/state/tidings/buffer.sqlite`).
        Raises ValueError for what is missing."""
        return cls(Client.from_environment(timeout=timeout), buffer_path(), at_most)

    def send(self, event: EventLike) -> bool:
        """Whether it was kept: False when the buffer is full, and never because Tidings is away."""
        return self._add("", {}, encoded(event))

    def push(self, adapter: str, payload: Mapping[str, Any], *, headers: Mapping[str, str] | None = None) -> bool:
        """As `Client.push`. It is signed when it is sent, with the client's secret, which the file does not know."""
        return self._add(adapter, headers or {}, as_json(payload))

    def flush(self, timeout: float) -> int:
        """Wait until all is sent, that long at most; how many are left. It does not shorten a pause that Tidings asked
        for."""
        ends = time.monotonic() + timeout
        left, again = self._look(), 0.0
        if left:
            self._start()
        while left and time.monotonic() < ends and not self._over.is_set():
            if time.monotonic() >= again:  # many processes may wait here while Tidings, or a proxy, is in trouble
                self._again.set()
                again = time.monotonic() + PAUSE
            self._more.set()
            time.sleep(min(0.02, timeout))
            left = self._look()
        return left

    def deliver(self) -> None:
        """Send from now on what other processes put into the file, though this one may never: for one that outlives
        them."""
        self._start()

    def refused(self) -> Sequence[Aside]:
        """What Tidings would not take, with its reasons; the newest thousand."""
        with self._lock:
            return self._keep.aside()

    def retry_refused(self) -> int:
        """Let them wait again, behind the others; how many."""
        with self._lock:
            count = self._keep.back()
        self._start()
        return count

    def lost(self) -> int:
        """How many came to this file when it was full, ever."""
        with self._lock:
            return self._keep.lost()

    def close(self, linger: float = LINGER) -> int:
        """What is sent afterwards stays in the file until the next process opens it; how many are left. Does not linger
        when Tidings is away."""
        if self._thread is not None and not self._over.is_set():
            ends = time.monotonic() + linger
            while not self._away and self._look() and time.monotonic() < ends:
                self._more.set()
                time.sleep(0.01)
        self._over.set()
        self._again.set()
        self._more.set()
        with self._lock:
            left = self._keep.waiting()
            self._keep.close()
        return left

    def __enter__(self) -> Buffered:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # the file

    def _add(self, adapter: str, headers: Mapping[str, str], body: bytes) -> bool:
        ends = time.monotonic() + BUSY
        # The thread has the lock while it waits for the same other process itself.
        if not self._lock.acquire(timeout=BUSY):
            raise sqlite3.OperationalError(f"{self.path} is locked")
        try:
            kept = self._keep.add(adapter, headers, body, self.at_most, ends - time.monotonic())
        finally:
            self._lock.release()
        if kept:
            self._start()
            self._more.set()
        else:
            self._complain()
        return kept

    def _complain(self) -> None:
        """Once a minute: there may be thousands."""
        if time.monotonic() - self._complained > 60 or not self._complained:
            self._complained = time.monotonic()
            log.error(
                "%s is full: %d events wait in it, so new ones are lost (%d until now). See why Tidings does not take "
                "them; `at_most` lets more wait.", self.path, self.at_most, self.lost(),
            )  # fmt: skip

    def _look(self) -> int:
        with self._lock:
            return self._keep.waiting()

    # the thread

    def _begin(self, over: bool = False) -> None:
        self._lock = threading.RLock()
        self._more, self._again, self._over = threading.Event(), threading.Event(), threading.Event()
        if over:
            self._over.set()
        self._thread: threading.Thread | None = None
        self._away = False
        self._failed = 0, 0.0
        """The one at the front that Tidings failed at last, and since when."""

    def _start(self) -> None:
        if self._thread is not None or self._over.is_set():
            return
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="tidings-buffer", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # this process is ending: the next one sends it
                    return
                self._thread = thread

    def _run(self) -> None:
        tries = 0
        while not self._over.is_set():
            self._more.clear()
            try:
                self._deliver()
            except (Unavailable, Refused) as away:
                after = away.after if isinstance(away, Unavailable) else None
                self._say_away(away)
            except Exception:
                # The disk, say. Whatever it is, this thread must be there when it is over.
                log.exception("what waits in %s cannot be sent now", self.path)
                after = None
            else:
                self._say_back()
                tries = 0
                self._more.wait(LOOK_AGAIN)
                continue
            self._again.clear()
            (self._over if after else self._again).wait(pause(tries, after, PAUSE_AT_MOST))
            tries += 1

    def _deliver(self) -> None:
        """All that waits, if it is our turn. Raises `Unavailable`, and `Refused` for what is not the event's fault."""
        with self._lock:
            if self._keep.waiting() == 0 or not self._turn.take():
                return
        try:
            while not self._over.is_set():
                with self._lock:
                    rows = self._keep.first(AT_ONCE, BATCH_BYTES)
                if not rows:
                    return
                events = list(takewhile(lambda row: not row.adapter, rows))
                if len(events) < 2 or not self._deliver_many(events):
                    self._deliver_one(rows[0])
                self._say_back()
        finally:
            with self._lock:
                self._turn.leave()

    def _deliver_one(self, row: Row) -> None:
        try:
            if row.adapter:
                self._client.post_payload(row.adapter, row.body, row.headers)
            else:
                self._client.post_event(row.body)
            self._settle([row], [])
        except Refused as why:
            if not why.of_the_event:
                raise
            self._settle([], [(row, why)])
        except Unavailable as away:
            if not self._gives_up(row, away):
                raise
            self._settle([], [(row, Refused(500, away.code, away.detail))])

    def _gives_up(self, row: Row, away: Unavailable) -> bool:
        """Whether it is time to let those behind it pass."""
        if away.code not in ASIDE_AFTER:
            return False
        if self._failed[0] != row.id:
            self._failed = row.id, time.monotonic()
        return time.monotonic() - self._failed[1] >= ASIDE_AFTER[away.code]

    def _deliver_many(self, events: Sequence[Row]) -> bool:
        """False: something is wrong with all of them together. Those behind one that has to wait, wait with it; what
        was taken of them is a duplicate the next time."""
        try:
            batch = self._client.post_batch([row.body for row in events])
        except Refused as why:
            if not why.of_the_event:
                raise
            return False
        except Unavailable as away:
            if away.code not in ASIDE_AFTER:
                raise
            return False
        verdicts = {each.index: Refused(422, each.code, each.detail) for each in batch.rejected}
        done: list[Row] = []
        refused: list[tuple[Row, Refused]] = []
        wait: Exception | None = None
        for place, row in enumerate(events):
            why_not = verdicts.get(place)
            if why_not is None:
                done.append(row)
            elif why_not.code == "unavailable":
                wait = Unavailable(why_not.detail)
                break
            elif not why_not.of_the_event:
                wait = why_not
                break
            else:
                refused.append((row, why_not))
        self._settle(done, refused)
        if wait:
            raise wait
        return True

    def _settle(self, done: Sequence[Row], refused: Sequence[tuple[Row, Refused]]) -> None:
        with self._lock:
            self._keep.settle(done, refused)
        for row, why in refused:
            log.error("Tidings refused %s, which is now aside in %s: %s", _shown(row), self.path, why)

    def _say_away(self, away: Exception) -> None:
        if not self._away:
            self._away = True
            log.warning("Tidings does not take events (%s): they wait in %s and are sent later.", away, self.path)

    def _say_back(self) -> None:
        if self._away:
            self._away = False
            log.info("Tidings takes events again.")


def _shown(row: Row) -> str:
    if row.adapter:
        return f"a payload for {row.adapter!r}"
    return f"an event ({row.body[:80].decode('utf-8', 'replace')}...)"


# forks and the end of a process

_all: weakref.WeakSet[Buffered] = weakref.WeakSet()
_one_fork = threading.Lock()
"""Also whoever adds to `_all`: a fork goes through it."""
_forking: list[Buffered] = []


def _before_fork() -> None:
    """No SQLite connection may pass a fork (https://www.sqlite.org/howtocorrupt.html, 2.6), not even unused: all are
    closed, by whoever forks, while nobody else can open one."""
    _one_fork.acquire()
    _forking.extend(_all)
    for each in _forking:
        each._lock.acquire()
        with suppress(sqlite3.Error):
            each._keep.close()


def _in_parent() -> None:
    while _forking:
        _forking.pop()._lock.release()
    _one_fork.release()


def _in_child() -> None:
    """Threads stay behind; a new one starts with the first event of the child."""
    while _forking:
        each = _forking.pop()
        each._turn.forget()
        each._begin(over=each._over.is_set())
    _one_fork.release()


def _at_exit() -> None:
    with _one_fork:
        every = list(_all)
    for each in every:
        each.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
atexit.register(_at_exit)
