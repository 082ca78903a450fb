"""The send queue of a node: a lane per destination, tenants taking turns in each, so that neither a slow vendor nor a
busy tenant delays the others.

Numbers from the design: 2,000 jobs a node, 500 a tenant while others wait too, 64 at once to a destination. A lane that
has not finished anything for a second is not brisk: no more than 64 are claimed for it, however much room there is.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from tidings.delivery.job import Job

NODE_ROOM = 2_000
TENANT_ROOM = 500
AT_ONCE = 64
BRISK = 1.0


@dataclass(slots=True)
class Lane:
    flying: int = 0
    waiting: dict[UUID, deque[Job]] = field(default_factory=dict)
    queued: int = 0
    moved: float = 0.0
    """When it last finished a job, or was empty, on the loop's clock."""

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


class Lanes:
    """`run` makes one attempt and never raises."""

    def __init__(self, run: Callable[[Job], Awaitable[None]]) -> None:
        self._run = run
        self._lanes: dict[str, Lane] = {}
        self._by_tenant: dict[UUID, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._clock = asyncio.get_running_loop().time
        self.held = 0

    def has_room(self, tenant_id: UUID, destination: str, taken: int = 0) -> bool:
        """Whether one more job may be claimed now, besides `taken` that were promised and are not yet here."""
        if self.held + taken >= NODE_ROOM:
            return False
        mine = self._by_tenant.get(tenant_id, 0)
        if mine + taken >= TENANT_ROOM and self.held > mine:
            return False
        lane = self._lanes.get(destination)
        return lane is None or lane.flying + lane.queued < AT_ONCE or self._clock() - lane.moved < BRISK

    @property
    def room(self) -> int:
        return NODE_ROOM - self.held

    def put(self, job: Job) -> None:
        self.held += 1
        self._by_tenant[job.tenant_id] = self._by_tenant.get(job.tenant_id, 0) + 1
        destination = job.point.destination
        lane = self._lanes.get(destination)
        if lane is None:
            lane = self._lanes[destination] = Lane(moved=self._clock())
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
            await self._run(job)
            lane.moved = self._clock()
            self._forget(job)
            if not lane.queued:
                break
            job = lane.take()
        lane.flying -= 1
        if not lane.flying and self._lanes.get(destination) is lane:
            del self._lanes[destination]

    def _forget(self, job: Job) -> None:
        self.held -= 1
        left = self._by_tenant[job.tenant_id] - 1
        if left:
            self._by_tenant[job.tenant_id] = left
        else:
            del self._by_tenant[job.tenant_id]

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
