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
from tidings.kernel.database import in_words
from tidings.kernel.problems import Problem

log = logging.getLogger("tidings.events")
BAD_VALUE = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)
AT_MOST = 500
WAITING_AT_MOST = 5_000
# By weight too, since an event may have 256 KiB or name 2,000 people: a group is held in memory several times over on
# its way into the database, and nobody else's events are kept meanwhile.
GROUP_WEIGHT = 8 * 1024 * 1024
WAITING_WEIGHT = 8 * GROUP_WEIGHT
PERSON_WEIGHT = 500
"""Bytes of a recipient's row and a delivery's."""
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
    weight: int = 0


class Kept(Struct, frozen=True):
    """Durable. `duplicate` when it was already there under the same key, with the same content."""

    id: UUID
    duplicate: bool


Verdict = Kept | Problem
Keep_group = Callable[[Sequence[Submission]], Awaitable[Sequence[Verdict]]]


def unavailable(detail: str) -> Problem:
    return Problem(503, "unavailable", detail, headers={"Retry-After": "2"})


def stopped() -> Problem:
    return unavailable("This node stopped; send again.")


class Groups:
    """`keep` makes one group durable and answers a verdict each, or raises psycopg's errors, having kept nothing."""

    def __init__(self) -> None:
        self._waiting: deque[Submission] = deque()
        self._weight = 0
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
        weight = self._weight
        for one in submissions:
            people = one.incoming.event.people
            one.weight = len(one.incoming.body) + PERSON_WEIGHT * (len(people.approvers) + len(people.related))
            weight += one.weight
        full = len(self._waiting) + len(submissions) > WAITING_AT_MOST or weight > WAITING_WEIGHT
        if full and self._waiting:
            raise unavailable(f"{len(self._waiting):,} events wait to be kept; send again in a moment.")
        self._waiting.extend(submissions)
        self._weight = weight
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
            group = self._next()
            size = len(group)
            self._busy += 1
            try:
                await _settle(group, keep)
            finally:
                self._busy -= 1

    def _next(self) -> list[Submission]:
        """The next group; one that is too heavy for any group goes alone."""
        waiting, group, weight = self._waiting, list[Submission](), 0
        while waiting and len(group) < AT_MOST:
            weight += waiting[0].weight
            if group and weight > GROUP_WEIGHT:
                break
            group.append(waiting.popleft())
            self._weight -= group[-1].weight
        return group

    def give_up(self, problem: Problem) -> None:
        """Answer what still waits, while the database does not answer."""
        while group := self._next():
            _answer(group, [problem] * len(group))

    async def emptied(self) -> None:
        """Wait until everything submitted has its verdict."""
        while self._waiting or self._busy:  # noqa: ASYNC110 - once in a node's life
            await asyncio.sleep(0.01)


async def _settle(group: Sequence[Submission], keep: Keep_group) -> None:
    """Every submission has its verdict after this, however it ends."""
    parts = [group]
    try:
        while parts:
            part = parts.pop()
            verdicts = await _kept(part, keep)
            if verdicts is None:
                half = len(part) // 2
                parts += [part[half:], part[:half]]
            else:
                _answer(part, verdicts)
    except BaseException:
        _answer(group, [stopped()] * len(group))
        raise


async def _kept(group: Sequence[Submission], keep: Keep_group) -> Sequence[Verdict] | None:
    """None when one of them is bad and it has to be found out which."""
    try:
        return await keep(group)
    except BAD_VALUE as error:
        if len(group) > 1:
            return None
        log.warning("an event was refused by the database: %s", error.diag.message_primary)
        return [Problem(422, "unstorable", "PostgreSQL cannot store a value of this event.")]
    except psycopg.Error as error:
        log.error("a group of %d events could not be kept: %s", len(group), in_words(error))
        return [unavailable("The database cannot be reached; nothing was kept. Send again.")] * len(group)
    except Exception:
        if len(group) > 1:
            return None
        log.exception("an event could not be kept", extra={"source_id": group[0].incoming.event.id})
        return [unavailable("This event could not be kept; the log of this node says why.")]


def _answer(group: Sequence[Submission], verdicts: Sequence[Verdict]) -> None:
    for submission, verdict in zip(group, verdicts, strict=True):
        if not submission.verdict.done():
            submission.verdict.set_result(verdict)
