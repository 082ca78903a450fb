"""Take deliveries that are due, from whichever node they were accepted by."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import psycopg

from tidings.delivery import claim
from tidings.kernel.database import Connection, Lasting, for_the_log
from tidings.node import metrics
from tidings.node.deliver import Deliverer
from tidings.planning.views import Views

log = logging.getLogger("tidings.node")
AT_MOST = 500
POLL = 1.0
SPREAD = 0.02
"""Seconds. Results come many times a second, so wake-ups are spread a little."""
LOOK = 1_000
"""At how many that are due of a tenant, usually. What can be sent may be behind more than that which cannot: so at all
of them once a second, and less often where that takes more than a thirtieth of the time."""
LOOK_FAR_EVERY = 1.0
UNREADABLE_FOR = 30.0
ALIVE_EVERY = 20.0
WAKE_CHANNEL = "tidings_due"


class Claims:
    """`lease` is the one to claim under just now, or None. Wake-ups only hasten: claims look every second besides."""

    def __init__(self, deliverer: Deliverer, views: Views, lease: Callable[[], int | None]) -> None:
        self._deliverer, self._views, self._lease = deliverer, views, lease
        self._loop = asyncio.get_running_loop()
        self._unreadable: dict[UUID, float] = {}
        self._look_far_at = 0.0
        self.wake = asyncio.Event()
        self.turns = 0

    async def run(self, connection: Lasting) -> None:
        while True:
            self.turns += 1
            try:
                full = await self._once(connection)
            except psycopg.Error as error:
                log.warning("claim: %s", for_the_log(error))
                full = False
            if not full:
                await self._next()

    async def listen(self, connection: Lasting) -> None:
        while True:
            try:
                live = await connection.live()
                await live.execute(f"LISTEN {WAKE_CHANNEL}")
                while True:
                    async for _ in live.notifies(timeout=ALIVE_EVERY):
                        self.wake.set()
                    # Nothing came for a while: perhaps because nothing can come any more.
                    await live.execute("SELECT 1")
            except psycopg.Error:
                await asyncio.sleep(POLL)

    async def _next(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL):
                await self.wake.wait()
                await asyncio.sleep(SPREAD)
        self.wake.clear()

    async def _once(self, connection: Lasting) -> bool:
        """Whether more may be due."""
        mine, lanes = self._lease(), self._deliverer.lanes
        if mine is None:
            return False
        live = await connection.live()
        if surplus := lanes.surplus():
            for job in surplus:
                self._deliverer.let_go(job)
            await claim.give_back(live, [job.id for job in surplus], lease=mine)
        limit = min(lanes.room, AT_MOST)
        if limit <= 0:
            return False
        began = self._loop.time()
        far = began >= self._look_far_at
        look = 0 if far else LOOK
        passed_over, full = self._passed_over(), lanes.full()
        claimed = await claim.claim(live, lease=mine, limit=limit, passed_over=passed_over, full=full, look=look)
        if far and len(claimed) < limit:
            ended = self._loop.time()
            self._look_far_at = ended + max(LOOK_FAR_EVERY, 30 * (ended - began))
        if claimed:
            await self._take(live, claimed, mine)
            metrics.CLAIM_SECONDS.observe(self._loop.time() - began)
        return bool(claimed)

    async def _take(self, live: Connection, claimed: list[claim.Claimed], mine: int) -> None:
        views = await self._views.current(live, {one.tenant_id for one in claimed})
        unreadable = [one for one in claimed if one.tenant_id not in views]
        readable = [one for one in claimed if one.tenant_id in views] if unreadable else claimed
        jobs = await claim.prepare(live, readable, views, lease=mine, when_ended=self._ended)
        if self._deliverer.follower:
            self._deliverer.follower.claimed(jobs)
        if self._lease() != mine:
            # Stopping, or taken for dead meanwhile: what was claimed is given back by whoever notices.
            return
        back = [one.id for one in unreadable]
        for job in jobs:
            if self._deliverer.lanes.has_room(job.tenant_id, job.point.destination):
                self._deliverer.take(job)
            else:
                back.append(job.id)
        until = self._loop.time() + UNREADABLE_FOR
        self._unreadable.update(dict.fromkeys((one.tenant_id for one in unreadable), until))
        if back:
            await claim.give_back(live, back, lease=mine)

    def _ended(self, one: claim.Claimed, state: str, reason: str) -> None:
        self._deliverer.counting.not_tried_again(one.tenant_id, one.channel, state, reason)

    def _passed_over(self) -> set[UUID]:
        """Tenants that have their share in hand, and for half a minute those whose rows could not be read."""
        now = self._loop.time()
        self._unreadable = {tenant: until for tenant, until in self._unreadable.items() if until > now}
        return {*self._unreadable, *self._deliverer.lanes.full_tenants()}
