"""The send queue of a node: a lane per destination, tenants taking turns in each, so that neither a slow vendor nor a
busy tenant delays the others.

Numbers from the design: 2,000 jobs a node, 500 a tenant while others wait too, 64 at once to a destination. A lane
takes in no more than that, or than it has finished in the last seconds: a destination that hangs holds 64 jobs and not
the node, and one that is quick may have the node to itself.
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
TENANT_ROOM = 500
AT_ONCE = 64
WINDOW = 2.0
"""Seconds over which a lane's pace is counted; this window and the one before make up what it may take in."""
PACES_KEPT = 1_000
Promised = Mapping[UUID | str | None, int]
"""Jobs that were promised a place and are not here yet: by tenant, by destination, and in all (None)."""
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

    def put(self, job: Job) -> None:
        self.waiting.setdefault(job.tenant_id, deque()).append(job)
        self.queued += 1

    def take(self) -> Job:
        """The next job of the tenant whose turn it is."""
        tenant_id, jobs = next(iter(self.waiting.items()))
        job = jobs.popleft()
        del self.waiting[tenant_id]
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
        held = self.held + promised.get(None, 0)
        mine = self._by_tenant.get(tenant_id, 0) + promised.get(tenant_id, 0)
        if held >= NODE_ROOM or (mine >= TENANT_ROOM and held > mine):
            return False
        lane = self._lanes.get(destination)
        load = promised.get(destination, 0) + (lane.flying + lane.queued if lane else 0)
        return load < AT_ONCE or load < self._lately(destination)

    @property
    def room(self) -> int:
        return NODE_ROOM - self.held

    def full_tenants(self) -> list[UUID]:
        """Those that have their share in hand while others wait too."""
        return [tenant for tenant, mine in self._by_tenant.items() if mine >= TENANT_ROOM and self.held > mine]

    def full(self) -> list[str]:
        """Destinations with too few places left to look for more work for them: what is claimed for want of a place is
        claimed in vain."""
        return [
            destination
            for destination, lane in self._lanes.items()
            if 2 * (lane.flying + lane.queued) > max(AT_ONCE, self._lately(destination))
        ]

    def put(self, job: Job) -> None:
        self.held += 1
        self._by_tenant[job.tenant_id] = self._by_tenant.get(job.tenant_id, 0) + 1
        destination = job.point.destination
        lane = self._lanes.get(destination)
        if lane is None:
            lane = self._lanes[destination] = Lane()
        if lane.flying < AT_ONCE:
            lane.flying += 1
            task = asyncio.create_task(self._drive(lane, destination, job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            lane.put(job)

    async def _drive(self, lane: Lane, destination: str, job: Job) -> None:
        """Send one job after another while the lane has any: a task is made for a free place, not for a job."""
        while True:
            try:
                await self._run(job)
            except Exception:
                # It promised not to; a lane that loses its places one by one would be worse than this.
                log.exception("a try raised", extra={"delivery": str(job.id)})
            self._finished(destination)
            self._forget(job)
            if not lane.queued:
                break
            job = lane.take()
        lane.flying -= 1
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
            at_most = max(AT_ONCE, self._lately(destination))
            while lane.queued and lane.flying + lane.queued > at_most:
                jobs.append(lane.drop())
                self._forget(jobs[-1])
        return jobs

    def withdraw(self) -> list[Job]:
        """Take back what has not begun: for a node that stops."""
        jobs: list[Job] = []
        for lane in self._lanes.values():
            while lane.queued:
                job = lane.take()
                self._forget(job)
                jobs.append(job)
        return jobs

    async def drained(self, seconds: float) -> bool:
        """Wait for what has begun; False when it took longer."""
        if not self._tasks:
            return True
        _, pending = await asyncio.wait(self._tasks, timeout=seconds)
        return not pending
