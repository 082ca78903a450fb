"""Events wait here to be kept together: whoever comes while a group is being committed joins the next one. Tenants take
turns, event by event, and none of them can take up all the room there is to wait.

A group is only as good as its worst event, so what PostgreSQL refuses is narrowed down by halves until the bad event
stands alone; the others get their 202.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from msgspec import Struct

from tidings.events.event import Incoming
from tidings.kernel.database import for_the_log, in_words
from tidings.kernel.problems import Problem

log = logging.getLogger("tidings.events")
BAD_VALUE = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)
AT_MOST = 500
AMONG_OTHERS = 50
"""Of one tenant in a group, where several send: whoever has one event waits for the others' groups."""
OTHERS_FOR = 2.0
"""Seconds for which somebody who sent counts as one of several."""
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
Verdicts = Sequence[Verdict | None]
Keep_group = Callable[[Sequence[Submission]], Awaitable[Verdicts]]


def unavailable(detail: str) -> Problem:
    return Problem(503, "unavailable", detail, headers={"Retry-After": "2"})


def not_kept(error: psycopg.Error) -> Problem:
    return unavailable(f"{sentence(in_words(error))}; nothing was kept. Send again.")


def sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def stopped() -> Problem:
    return unavailable("This node stopped; send again.")


@dataclass(slots=True)
class Queue:
    """What waits of one tenant."""

    waiting: deque[Submission] = field(default_factory=deque)
    weight: int = 0


class Groups:
    """`keep` makes one group durable and answers a verdict each, or raises psycopg's errors, having kept nothing. What
    it left for another group has None, and its turn again before what came later."""

    def __init__(self) -> None:
        self._queues: dict[UUID, Queue] = {}
        """Of those of whom something waits, whose turn it is first."""
        self.waiting = self._weight = 0
        self._some = asyncio.Event()
        self._busy = 0
        self._latest: UUID | None = None
        self._others_until = 0.0
        self.closed = False

    @property
    def full(self) -> bool:
        """Whether one more event would be refused, unless its tenant has less waiting than the others."""
        return self.waiting >= WAITING_AT_MOST or self._weight >= WAITING_WEIGHT

    def submit(self, submissions: Sequence[Submission]) -> None:
        """All of one tenant. Raises `Problem` 503 when too many of it wait already, or the node is stopping."""
        if self.closed:
            raise unavailable("This node is stopping; send again.")
        if not submissions:
            return
        weight = 0
        for one in submissions:
            people = one.incoming.event.people
            one.weight = len(one.incoming.body) + PERSON_WEIGHT * (len(people.approvers) + len(people.related))
            weight += one.weight
        tenant_id = submissions[0].tenant_id
        queue = self._queues.get(tenant_id)
        if queue and self._has_no_room(queue, len(submissions), weight):
            raise unavailable(f"{len(queue.waiting):,} of your events wait to be kept; send again in a moment.")
        if self._latest not in (tenant_id, None):
            self._others_until = submissions[0].arrived + OTHERS_FOR
        self._latest = tenant_id
        if queue is None:
            queue = self._queues[tenant_id] = Queue()
        queue.waiting.extend(submissions)
        queue.weight += weight
        self.waiting += len(submissions)
        self._weight += weight
        self._some.set()

    def _has_no_room(self, queue: Queue, more: int, weight: int) -> bool:
        """Whether all places are taken, and more than an equal share of them by this tenant: the others still get in
        then, and so does whoever has nothing waiting."""
        full = self.waiting + more > WAITING_AT_MOST or self._weight + weight > WAITING_WEIGHT
        among = len(self._queues)
        has_its_share = (
            len(queue.waiting) + more > WAITING_AT_MOST // among or queue.weight + weight > WAITING_WEIGHT // among
        )
        return full and has_its_share

    async def run(self, keep: Keep_group) -> None:
        """Keep group after group, until cancelled; several runners may share the queue, each with its connection."""
        size, loop = 0, asyncio.get_running_loop()
        while True:
            if size > FEW and self.waiting < size:
                await asyncio.sleep(GATHER)
            while not self.waiting:
                self._some.clear()
                await self._some.wait()
            group = self._next(AMONG_OTHERS if loop.time() < self._others_until else AT_MOST)
            size = len(group)
            self._busy += 1
            try:
                self._put_back(await _settle(group, keep))
            finally:
                self._busy -= 1

    def _next(self, of_each: int) -> list[Submission]:
        """The next group, an event of each tenant in turn; one that is too heavy for any group goes alone."""
        queues, group, weight = self._queues, list[Submission](), 0
        taken: dict[UUID, int] = {}
        enough: dict[UUID, Queue] = {}
        while queues and len(group) < AT_MOST:
            tenant_id, queue = next(iter(queues.items()))
            weight += queue.waiting[0].weight
            if group and weight > GROUP_WEIGHT:
                break
            one = queue.waiting.popleft()
            group.append(one)
            queue.weight -= one.weight
            self._weight -= one.weight
            taken[tenant_id] = taken.get(tenant_id, 0) + 1
            del queues[tenant_id]
            if queue.waiting:
                (enough if taken[tenant_id] == of_each else queues)[tenant_id] = queue
        queues.update(enough)
        self.waiting -= len(group)
        return group

    def _put_back(self, left: Sequence[Submission]) -> None:
        for one in reversed(left):
            queue = self._queues.setdefault(one.tenant_id, Queue())
            queue.waiting.appendleft(one)
            queue.weight += one.weight
            self._weight += one.weight
        self.waiting += len(left)

    def give_up(self, problem: Problem) -> None:
        """Answer what still waits, while the database does not answer."""
        while group := self._next(AT_MOST):
            _answer(group, [problem] * len(group))

    async def emptied(self) -> None:
        """Wait until everything submitted has its verdict."""
        while self.waiting or self._busy:  # noqa: ASYNC110 - once in a node's life
            await asyncio.sleep(0.01)


async def _settle(group: Sequence[Submission], keep: Keep_group) -> list[Submission]:
    """Every submission has its verdict after this, however it ends, but for those that are returned: they were left for
    another group."""
    parts, left = [group], list[Submission]()
    try:
        while parts:
            part = parts.pop()
            if behind := {one.tenant_id for one in left}:
                # Nothing of a tenant is kept before what it sent earlier.
                left += [one for one in part if one.tenant_id in behind]
                part = [one for one in part if one.tenant_id not in behind]
                if not part:
                    continue
            verdicts = await _kept(part, keep)
            if verdicts is None:
                half = len(part) // 2
                parts += [part[half:], part[:half]]
            else:
                _answer(part, verdicts)
                left += [one for one, verdict in zip(part, verdicts, strict=True) if verdict is None]
    except BaseException:
        _answer(group, [stopped()] * len(group))
        raise
    return left


async def _kept(group: Sequence[Submission], keep: Keep_group) -> Verdicts | None:
    """None when one of them is bad and it has to be found out which."""
    try:
        return await keep(group)
    except BAD_VALUE as error:
        if len(group) > 1:
            return None
        log.warning("an event was refused by the database: %s", error.diag.message_primary)
        return [Problem(422, "unstorable", "PostgreSQL cannot store a value of this event.")]
    except psycopg.Error as error:
        log.error("a group of %d events could not be kept: %s", len(group), for_the_log(error))
        return [not_kept(error)] * len(group)
    except Exception:
        if len(group) > 1:
            return None
        log.exception("an event could not be kept", extra={"source_id": group[0].incoming.event.id})
        return [unavailable("This event could not be kept; the log of this node says why.")]


def _answer(group: Sequence[Submission], verdicts: Verdicts) -> None:
    for submission, verdict in zip(group, verdicts, strict=True):
        if verdict is not None and not submission.verdict.done():
            submission.verdict.set_result(verdict)
