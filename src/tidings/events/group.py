"""Events wait here to be kept together: whoever comes while a group is being committed joins the next one.

A group is only as good as its worst event, so what PostgreSQL refuses is narrowed down by halves until the bad event
stands alone; the others get their 202.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg
from msgspec import Struct

from tidings.events.event import Incoming
from tidings.kernel.problems import Problem

log = logging.getLogger("tidings.events")
AT_MOST = 500
WAITING_AT_MOST = 5_000
# After a group of more than a few, the senders that were just answered are about to post again: a moment's patience
# makes one group of them where there would be two, for a sixth of the cost an event. A quiet node never waits.
FEW = 4
GATHER = 0.002
"""Seconds."""


@dataclass(slots=True)
class Submission:
    """One event on its way in; `token_hash` is checked again with the group, so that a revoked token fails there."""

    tenant_id: UUID
    token_hash: bytes
    incoming: Incoming
    verdict: "asyncio.Future[Verdict]"
    arrived: float


class Kept(Struct, frozen=True):
    """Durable. `duplicate` when it was already there under the same key, with the same content."""

    id: UUID
    duplicate: bool


Verdict = Kept | Problem
Keep_group = Callable[[Sequence[Submission]], Awaitable[Sequence[Verdict]]]


def unavailable(detail: str) -> Problem:
    return Problem(503, "unavailable", detail, headers={"Retry-After": "2"})


class Groups:
    """`keep` makes one group durable and answers a verdict each, or raises psycopg's errors, having kept nothing."""

    def __init__(self) -> None:
        self._waiting: deque[Submission] = deque()
        self._some = asyncio.Event()
        self._busy = 0
        self.closed = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def submit(self, submissions: Sequence[Submission]) -> None:
        """Raises `Problem` 503 when too many wait already, or the node is stopping."""
        if self.closed:
            raise unavailable("This node is stopping; send again.")
        if len(self._waiting) + len(submissions) > WAITING_AT_MOST:
            raise unavailable(f"{len(self._waiting):,} events wait to be kept; send again in a moment.")
        self._waiting.extend(submissions)
        self._some.set()

    async def run(self, keep: Keep_group) -> None:
        """Keep group after group, until cancelled; several runners may share the queue, each with its connection."""
        size = 0
        while True:
            if size > FEW and len(self._waiting) < size:
                await asyncio.sleep(GATHER)
            while not self._waiting:
                self._some.clear()
                await self._some.wait()
            waiting = self._waiting
            group = [waiting.popleft() for _ in range(min(AT_MOST, len(waiting)))]
            size = len(group)
            self._busy += 1
            try:
                await _settle(group, keep)
            finally:
                self._busy -= 1

    async def emptied(self) -> None:
        """Wait until everything submitted has its verdict."""
        while self._waiting or self._busy:  # noqa: ASYNC110 - once in a node's life
            await asyncio.sleep(0.01)


async def _settle(group: Sequence[Submission], keep: Keep_group) -> None:
    try:
        verdicts = await keep(group)
    except psycopg.DataError as error:
        if len(group) == 1:
            log.warning("an event was refused by the database: %s", error.diag.message_primary)
            verdicts = [Problem(422, "unstorable", "PostgreSQL cannot store a value of this event.")]
        else:
            half = len(group) // 2
            await _settle(group[:half], keep)
            await _settle(group[half:], keep)
            return
    except psycopg.Error as error:
        log.error("a group of %d events could not be kept: %s", len(group), type(error).__name__)
        verdicts = [unavailable("The database cannot be reached; nothing was kept. Send again.")] * len(group)
    except BaseException:
        _answer(group, [unavailable("This node stopped; send again.")] * len(group))
        raise
    _answer(group, verdicts)


def _answer(group: Sequence[Submission], verdicts: Sequence[Verdict]) -> None:
    for submission, verdict in zip(group, verdicts, strict=True):
        if not submission.verdict.done():
            submission.verdict.set_result(verdict)
