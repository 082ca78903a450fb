"""One life of a node that delivers: its lease, which covers all that it holds, and what it means to lose it."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Collection, Mapping, Set
from contextlib import suppress
from itertools import islice
from uuid import UUID

import psycopg

from tidings.delivery import lease, orphans
from tidings.kernel.database import Connection, Lasting, for_the_log
from tidings.kernel.ids import event_of
from tidings.node import metrics

log = logging.getLogger("tidings.node")
RENEW_WITHIN = 5.0
"""Seconds: one that gets no answer leaves time for another over a new connection."""
AGAIN = 1.0
"""Seconds after a renewal that failed."""
LATE = 2 * lease.RENEW_EVERY
"""A renewal was missed. Whoever is on time knows that the database was away for less than that, and that nobody alive
was silent for as long as it takes to be dead: a renewal before, a renewal after."""
NAMED = 20
"""Deliveries in as many lines."""


def name_all(what: str, deliveries: Collection[UUID]) -> None:
    """Say of deliveries that something had to be put right, and which they are."""
    log.warning("%d deliveries %s", len(deliveries), what)
    for each in islice(deliveries, NAMED):
        log.warning(what, extra={"event": str(event_of(each)), "delivery": str(each)})


class Life:
    """`held` names the deliveries in hand, `left_alone` the vendor accounts in trouble and for how many seconds more;
    `lost` is called when what was held has become other people's, `freed` when some of others' are due again. `clock`
    (monotonic seconds) is for tests to replace."""

    def __init__(
        self,
        connection: Lasting,
        held: Callable[[], Set[UUID]],
        left_alone: Callable[[], Mapping[str, float]],
        lost: Callable[[], None],
        freed: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection, self._held, self._left_alone = connection, held, left_alone
        self._lost, self._freed, self._clock = lost, freed, clock
        self._renewed = 0.0
        self._waits_for_others = False
        self._suspects: set[UUID] = set()
        self.lease: int | None = None

    @property
    def fresh(self) -> bool:
        """On our own clock: long before others take this node for dead, it stops sending by itself."""
        return self.age < lease.STOP_AFTER.total_seconds()

    @property
    def age(self) -> float:
        """Seconds since it was last renewed."""
        return self._clock() - self._renewed

    async def begin(self) -> None:
        name = f"{socket.gethostname()}/{os.getpid()}"
        live, began = await self._connection.live(), self._clock()
        self.lease = await lease.register(live, name)
        self._renewed = began

    async def go_on(self) -> None:
        """Renew it until cancelled."""
        wait = lease.RENEW_EVERY.total_seconds()
        while True:
            await asyncio.sleep(wait)
            try:
                await self.renew()
                wait = lease.RENEW_EVERY.total_seconds()
            except psycopg.Error as error:
                log.warning("the lease could not be renewed: %s", for_the_log(error))
                wait = AGAIN

    async def end(self) -> None:
        """Give back what is still held."""
        if self.lease is not None:
            with suppress(psycopg.Error):
                given_back = await lease.sign_off(await self._connection.live(), self.lease)
                log.info("stopped; %d deliveries given back", given_back)

    async def renew(self) -> None:
        """Renew the lease, and free what nobody alive holds. Raises psycopg's errors."""
        assert self.lease is not None
        live, began = await self._connection.live(), self._clock()
        late = began - self._renewed > LATE.total_seconds()
        with live.hurried(RENEW_WITHIN):
            renewed = await lease.renew(live, self.lease, self._left_alone())
        if renewed:
            self._renewed = began
        else:
            log.warning("the lease was lost; what is held is left to others")
            self._lost()
            await self.begin()
        # If the database was away, all were silent, and whoever comes back first would take the others for dead: they
        # have until our next renewal. Not longer, or a node that is always late would free nothing.
        self._waits_for_others = late and not self._waits_for_others
        # What takes longer goes on in the server, and our own lease does not wait for it.
        with live.hurried(RENEW_WITHIN):
            if not self._waits_for_others and (freed := await lease.free_dead(live)):
                metrics.FREED.labels("dead_node").inc(len(freed))
                name_all("of a dead node, pending again", freed)
                self._freed()
            await self._free_orphans(live, self.lease)

    async def _free_orphans(self, live: Connection, mine: int) -> None:
        unheld = await orphans.unheld(live, mine, self._held())
        if again := unheld & self._suspects:
            metrics.FREED.labels("own_orphan").inc(await orphans.free(live, mine, again))
            name_all("claimed and in nobody's hands, pending again", again)
            self._freed()
        self._suspects = unheld - again
