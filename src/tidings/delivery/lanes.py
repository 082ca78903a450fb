"""The send queue of a node: a lane per destination, tenants taking turns in each, so that neither a slow vendor nor a
busy tenant delays the others.

Numbers from the design: 2,000 jobs a node, 64 at once to a destination. A lane takes in no more than that, or than it
has finished in the last seconds: a destination that hangs holds 64 jobs and not the node, and one that is quick may
have the node to itself.

In the node, in each lane and on each lane's way out a tenant has no more places than three times what it leaves free:
alone three quarters of them, two of them three sevenths each. So whoever comes finds a place, however many hang for
the others (dynamic thresholds, as memory is shared in network switches: Choudhury and Hahne, 1998).
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from tidings.delivery.job import Job

log = logging.getLogger("tidings.delivery")
NODE_ROOM = 2_000
AT_ONCE = 64
SHARE = 3
"""Times the places that are free."""
WINDOW = 2.0
"""Seconds over which a lane's pace is counted; this window and the one before make up what it may take in."""
PACES_KEPT = 1_000
Whose = UUID | str | tuple[UUID, str] | None
Promised = Mapping[Whose, int]
"""Jobs that were promised a place and are not here yet: by tenant, by destination, by both, and in all (None)."""
_NONE: Promised = {}


@dataclass(slots=True)
class Pace:
    """How many jobs a destination has finished lately."""

    since: float
    count: int = 0
    before: int = 0

    def lately(self, now: float) -> int:
        if now - self.since >= WINDOW:
            self.before = self.count if now - self.since < 2 * WINDOW else 0
            self.since, self.count = now, 0
        return self.before + self.count


@dataclass(slots=True)
class Lane:
    flying: int = 0
    waiting: dict[UUID, deque[Job]] = field(default_factory=dict)
    queued: int = 0
    flying_of: dict[UUID, int] = field(default_factory=dict)

    @property
    def load(self) -> int:
        return self.flying + self.queued

    def load_of(self, tenant_id: UUID) -> int:
        return self.flying_of.get(tenant_id, 0) + len(self.waiting.get(tenant_id, ()))

    def may_fly(self, tenant_id: UUID) -> bool:
        return self.flying_of.get(tenant_id, 0) < SHARE * (AT_ONCE - self.flying)

    def fly(self, tenant_id: UUID) -> None:
        self.flying += 1
        self.flying_of[tenant_id] = self.flying_of.get(tenant_id, 0) + 1

    def land(self, tenant_id: UUID) -> None:
        self.flying -= 1
        if left := self.flying_of[tenant_id] - 1:
            self.flying_of[tenant_id] = left
        else:
            del self.flying_of[tenant_id]

    def put(self, job: Job) -> None:
        self.waiting.setdefault(job.tenant_id, deque()).append(job)
        self.queued += 1

    def take(self) -> Job | None:
        """The next job of the tenant whose turn it is, of those that may have one more on its way."""
        for tenant_id in self.waiting:
            if self.may_fly(tenant_id):
                return self._take_of(tenant_id)
        return None

    def _take_of(self, tenant_id: UUID) -> Job:
        jobs = self.waiting.pop(tenant_id)
        job = jobs.popleft()
        if jobs:
            self.waiting[tenant_id] = jobs
        self.queued -= 1
        return job

    def drop(self) -> Job:
        """The job that came last, of the tenant that has the most."""
        tenant_id, jobs = max(self.waiting.items(), key=lambda each: len(each[1]))
        job = jobs.pop()
        if not jobs:
            del self.waiting[tenant_id]
        self.queued -= 1
        return job


class Lanes:
    """`run` makes one attempt and never raises. `clock` (monotonic seconds) is for tests to replace."""

    def __init__(self, run: Callable[[Job], Awaitable[None]], clock: Callable[[], float] = time.monotonic) -> None:
        self._run = run
        self._lanes: dict[str, Lane] = {}
        self._paces: dict[str, Pace] = {}
        self._by_tenant: dict[UUID, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._clock = clock
        self.held = 0

    def has_room(self, tenant_id: UUID, destination: str, promised: Promised = _NONE) -> bool:
        """Whether one more job may be claimed now, besides those that were promised a place."""
        free = NODE_ROOM - self.held - promised.get(None, 0)
        if self._by_tenant.get(tenant_id, 0) + promised.get(tenant_id, 0) >= SHARE * free:
            return False
        lane = self._lanes.get(destination)
        load, mine = promised.get(destination, 0), promised.get((tenant_id, destination), 0)
        if lane:
            load, mine = load + lane.load, mine + lane.load_of(tenant_id)
        return mine < SHARE * (AT_ONCE - load) or mine < SHARE * (self._lately(destination) - load)

    @property
    def room(self) -> int:
        """How much may be claimed at once so that none of it has to be given back for want of a place in the node:
        those who have no more than `full_tenants` lets pass have so much left, alone or together."""
        return (NODE_ROOM - self.held) // SHARE

    def full_tenants(self) -> list[UUID]:
        """Those that have at least half of what they may have."""
        free = NODE_ROOM - self.held
        return [tenant for tenant, mine in self._by_tenant.items() if 2 * mine > SHARE * free]

    def full(self) -> list[tuple[UUID, str]]:
        """Whose lanes have too few places left for them to look for more work for these: what is claimed for want of a
        place is claimed in vain."""
        return [
            (tenant_id, destination)
            for destination, lane in self._lanes.items()
            for free in [max(AT_ONCE, self._lately(destination)) - lane.load]
            for tenant_id in {*lane.flying_of, *lane.waiting}
            if 2 * lane.load_of(tenant_id) > SHARE * free
        ]

    def put(self, job: Job) -> None:
        self.held += 1
        self._by_tenant[job.tenant_id] = self._by_tenant.get(job.tenant_id, 0) + 1
        destination = job.point.destination
        lane = self._lanes.get(destination)
        if lane is None:
            lane = self._lanes[destination] = Lane()
        if job.tenant_id not in lane.waiting and lane.may_fly(job.tenant_id):
            lane.fly(job.tenant_id)
            task = asyncio.create_task(self._drive(lane, destination, job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            lane.put(job)

    async def _drive(self, lane: Lane, destination: str, first: Job) -> None:
        """Send one job after another while the lane has any: a task is made for a free place, not for a job."""
        job: Job | None = first
        while job:
            try:
                await self._run(job)
            except Exception:
                # It promised not to; a lane that loses its places one by one would be worse than this.
                log.exception("a try raised", extra={"delivery": str(job.id)})
            self._finished(destination)
            self._forget(job)
            lane.land(job.tenant_id)
            job = lane.take() if lane.queued else None
            if job:
                lane.fly(job.tenant_id)
        if not lane.flying and self._lanes.get(destination) is lane:
            del self._lanes[destination]

    def _finished(self, destination: str) -> None:
        now, pace = self._clock(), self._paces.get(destination)
        if pace is None:
            if len(self._paces) >= PACES_KEPT:
                self._paces = {name: each for name, each in self._paces.items() if each.lately(now)}
            pace = self._paces[destination] = Pace(now)
        pace.lately(now)
        pace.count += 1

    def _lately(self, destination: str) -> int:
        pace = self._paces.get(destination)
        return pace.lately(self._clock()) if pace else 0

    def _forget(self, job: Job) -> None:
        self.held -= 1
        left = self._by_tenant[job.tenant_id] - 1
        if left:
            self._by_tenant[job.tenant_id] = left
        else:
            del self._by_tenant[job.tenant_id]

    def surplus(self) -> list[Job]:
        """Take back what waits in a lane that has become too slow for it."""
        jobs: list[Job] = []
        for destination, lane in self._lanes.items():
            if not lane.queued:
                continue
            capacity = max(AT_ONCE, self._lately(destination))
            while lane.queued and (SHARE + 1) * lane.load > SHARE * capacity:
                jobs.append(lane.drop())
                self._forget(jobs[-1])
        return jobs

    def withdraw(self) -> list[Job]:
        """Take back what has not begun: for a node that stops."""
        jobs: list[Job] = []
        for lane in self._lanes.values():
            while lane.queued:
                job = lane.drop()
                self._forget(job)
                jobs.append(job)
        return jobs

    async def drained(self, seconds: float) -> bool:
        """Wait for what has begun; False when it took longer."""
        if not self._tasks:
            return True
        _, pending = await asyncio.wait(self._tasks, timeout=seconds)
        return not pending
