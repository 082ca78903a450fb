"""One life of a node that delivers: its lease, which covers all that it holds, and what it means to lose it."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from uuid import UUID

import psycopg

from tidings.delivery import lease, orphans
from tidings.kernel.database import Lasting
from tidings.node import metrics

log = logging.getLogger("tidings.node")


class Life:
    """`held` names the deliveries in hand, `left_alone` the vendor accounts in trouble and for how many seconds more;
    `lost` is called when what was held has become other people's, `freed` when some of others' are due again."""

    def __init__(
        self,
        connection: Lasting,
        held: Callable[[], Set[UUID]],
        left_alone: Callable[[], Mapping[str, float]],
        lost: Callable[[], None],
        freed: Callable[[], None],
    ) -> None:
        self._connection, self._held, self._left_alone = connection, held, left_alone
        self._lost, self._freed = lost, freed
        self._loop = asyncio.get_running_loop()
        self._renewed = 0.0
        self.lease: int | None = None

    @property
    def fresh(self) -> bool:
        """On our own clock: long before others take this node for dead, it stops sending by itself."""
        return self.age < lease.STOP_AFTER.total_seconds()

    @property
    def age(self) -> float:
        """Seconds since it was last renewed."""
        return self._loop.time() - self._renewed

    async def begin(self) -> None:
        name = f"{socket.gethostname()}/{os.getpid()}"
        began = self._loop.time()
        self.lease = await lease.register(await self._connection.live(), name)
        self._renewed = began

    async def go_on(self) -> None:
        """Renew it until cancelled."""
        suspects: set[UUID] = set()
        while True:
            await asyncio.sleep(lease.RENEW_EVERY.total_seconds())
            with suppress(psycopg.Error):
                suspects = await self._renew(suspects)

    async def end(self) -> None:
        """Give back what is still held."""
        if self.lease is not None:
            with suppress(psycopg.Error):
                given_back = await lease.sign_off(await self._connection.live(), self.lease)
                log.info("stopped; %d deliveries given back", given_back)

    async def _renew(self, suspects: set[UUID]) -> set[UUID]:
        assert self.lease is not None
        live, began = await self._connection.live(), self._loop.time()
        if await lease.renew(live, self.lease, self._left_alone()):
            self._renewed = began
        else:
            log.warning("the lease was lost; what is held is left to others")
            self._lost()
            await self.begin()
        if freed := await lease.free_dead(live):
            metrics.FREED.labels("dead_node").inc(freed)
            log.warning("%d deliveries of dead nodes are pending again", freed)
            self._freed()
        unheld = await orphans.unheld(live, self.lease, self._held())
        if again := unheld & suspects:
            metrics.FREED.labels("own_orphan").inc(await orphans.free(live, self.lease, again))
            self._freed()
        return unheld - again
