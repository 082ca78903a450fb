"""A node: one process, one loop, that accepts events, delivers messages, or both. How its parts begin and end."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from tidings.channels.registry import CHANNELS
from tidings.events.buses.file import read_buses
from tidings.events.group import Groups, Kept, Submission, Verdicts, not_kept, stopped
from tidings.events.known import Repeats
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.database import PATIENCE, Lasting, NoAnswer
from tidings.kernel.http import Wire
from tidings.kernel.settings import Settings
from tidings.node import metrics
from tidings.node.buses import Buses
from tidings.node.chores import Chores
from tidings.node.counting import Counting
from tidings.node.deliver import Deliverer
from tidings.node.follow import follower
from tidings.node.life import Life
from tidings.node.live import Live
from tidings.node.pulse import Pulse
from tidings.node.ready import CHECKED_WITHIN, Keeping
from tidings.node.receipts import Receipts
from tidings.node.revive import Reviver
from tidings.node.take_due import WAKE_CHANNEL, Claims
from tidings.pipeline import accept
from tidings.planning.views import HELD

log = logging.getLogger("tidings.node")
KEEP_WITHIN = 15.0
"""Seconds a group may take; whoever waits longer is asked to send again."""
STATEMENT_WITHIN = 14.0
"""Seconds for each of a group's, and for what is asked before: a little less, since to cancel one would take some of
its own."""
BRIEFLY = 5.0
"""Seconds for what a try asks of the database, of the 15 it has."""
HOUSEKEEPING_WITHIN = 300.0
DRAIN = 20.0
LEAVE_BUSES = 5.0
WAKE_AT_MOST_EVERY = 0.05
LOOK_AT_THE_LOOP_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Duties:
    """`serves`: whoever accepts answers HTTP too, else it takes from buses alone."""

    accepts: bool
    delivers: bool
    serves: bool = True


class Node:
    """`start` returns when the node is ready; `stop` when all it held is sent or given back."""

    def __init__(
        self, settings: Settings, url: str, duties: Duties, revive: Callable[[], object] | None = None
    ) -> None:
        self.settings, self.duties = settings, duties
        self._url, self._revive = url, Reviver(revive) if revive else None
        self._loop = asyncio.get_running_loop()
        self._tasks: list[asyncio.Task[None]] = []
        self._connections: list[Lasting] = []
        self._notify = asyncio.Event()
        self.delivering = 0
        """Nodes that were alive and delivered when `ready.py` looked last."""
        self.views, self.groups, self.counting = HELD, Groups(), Counting()
        self.views.timed = metrics.LOADS.observe
        self.follower, self.keeping = follower(), Keeping()
        policy = AddressPolicy(settings.allowed_networks)
        self.wire = self.follower.wire(policy) if self.follower else Wire(policy)
        self.front = self.connection("front", patience=STATEMENT_WITHIN)
        self.connection_for_checks = self.connection("checks", patience=CHECKED_WITHIN)
        self.chores, self.receipts = Chores(self), Receipts(self)
        self.live = Live(self.connection("live"))
        entries = read_buses(settings.buses, os.environ) if duties.accepts else ()
        self.buses = Buses(self, entries)
        self.life = Life(
            self.connection("lease"),
            lambda: self.deliverer.held.keys(),
            lambda: self.deliverer.left_alone(),
            lambda: self.deliverer.withdraw(),
            self.wake,
        )
        vendors, budgets = self.connection("vendors", patience=BRIEFLY), self.connection("budgets", patience=BRIEFLY)
        self.deliverer = Deliverer(
            settings, self.life, self.wire, self.chores, vendors, budgets, self.counting, self.wake, self.follower
        )
        self._counts, self._records = self.connection("tallies"), self.connection("record")
        self._claims = Claims(self.deliverer, self.views, self._lease)
        self.pulse = Pulse(
            {
                "claim": lambda: None if self._starts_database() else self._claims.turns,
                "record": lambda: None if self._starts_database() else self.deliverer.records(),
            }
        )

    def _starts_database(self) -> bool:
        """It recovers for as long as it takes: no loop that waits for it is to blame."""
        return self._revive is not None and self._revive.at_work

    def connection(self, name: str, *, patience: float = PATIENCE) -> Lasting:
        lasting = Lasting(self._url, name, self._revive, patience)
        self._connections.append(lasting)
        return lasting

    async def start(self) -> None:
        if self.duties.delivers:
            await self.life.begin()
            self._spawn("record", self.deliverer.record(self._records))
            self._spawn("claim", self._claims.run(self.connection("claim")))
            self._spawn("lease", self.life.go_on())
            self._spawn("listen", self._claims.listen(self.connection("listen")))
            self._spawn("pulse", self.pulse.run())
            self._spawn("receipts", self.receipts.run(self.connection("receipts")))
        if self.duties.accepts:
            self._spawn("ingest", self._ingest(self.connection("ingest", patience=STATEMENT_WITHIN)))
            for name, work in self.buses.work():
                self._spawn(name, work)
        self._spawn("notify", self._notify_workers(self.connection("notify")))
        self._spawn("tallies", self.counting.run(self._counts))
        self._spawn("chores", self.chores.run(self.connection("chores")))
        self._spawn("house", self.chores.keep_house(self.connection("house", patience=HOUSEKEEPING_WITHIN)))
        self._spawn("lag", self._feel_the_lag())

    async def stop(self) -> None:
        """Refuse new events, finish what was submitted, send what has begun, give back the rest."""
        self.buses.stop_taking()
        self.groups.closed = True
        await self.live.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN):
                await self.groups.emptied()
        self.groups.give_up(stopped())
        await self.buses.stopped(LEAVE_BUSES)
        self.deliverer.lanes.withdraw()
        await self.deliverer.lanes.drained(DRAIN)
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await self.deliverer.flushed()
                await self.chores.done()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.deliverer.write_rest(self._records)
        # A group that was under way may have left some of itself for another one.
        self.groups.give_up(stopped())
        await self.counting.write(self._counts)
        await self.life.end()
        for connection in self._connections:
            await connection.close()
        for channel in CHANNELS.values():
            await channel.close()
        await self.wire.aclose()
        if self.follower:
            await asyncio.to_thread(self.follower.stop)

    def wake(self) -> None:
        """Something is due: for our own claims, or for the nodes that deliver."""
        self._claims.wake.set() if self.duties.delivers else self._notify.set()

    def _lease(self) -> int | None:
        """What is accepted is claimed at birth, and what is due is claimed, only by a node that delivers and whose
        lease is fresh."""
        may = self.duties.delivers and self.life.fresh and not self.groups.closed
        return self.life.lease if may else None

    async def _ingest(self, connection: Lasting) -> None:
        repeats = Repeats()

        async def keep(group: Sequence[Submission]) -> Verdicts:
            began = self._loop.time()
            try:
                async with asyncio.timeout(KEEP_WITHIN):
                    accepted = await accept(
                        await connection.live(),
                        self.views,
                        group,
                        lease=self._lease(),
                        room=self.deliverer.lanes.has_room,
                        look_first=repeats.likely(began),
                    )
            except (TimeoutError, NoAnswer, psycopg.errors.QueryCanceled):
                # A lock that nobody lets go, a recovery that takes its time, a network that lost us: all senders hear
                # of it and come again.
                error = NoAnswer("no group could be kept in time")
                self.groups.give_up(not_kept(error))
                raise error from None
            durable, verdicts = self._loop.time(), accepted.verdicts
            # Those that have none have their turn again.
            arrived = [one.arrived for one, each in zip(group, verdicts, strict=True) if each is not None]
            metrics.GROUP_SECONDS.observe(durable - began)
            metrics.GROUP_SIZE.observe(len(arrived))
            metrics.ACCEPT_SECONDS.observe_all([durable - each for each in arrived])
            self.counting.kept(accepted)
            if self.follower:
                self.follower.accepted(accepted, group, began, durable)
            if not all(each is None or (isinstance(each, Kept) and not each.duplicate) for each in verdicts):
                repeats.saw(began)
                metrics.count_duplicates(accepted.verdicts)
            for job in accepted.jobs:
                self.deliverer.take(job)
            if accepted.pending:
                self.wake()
            for tenant_id, event in accepted.faults:
                self.chores.unplanned(tenant_id, event)
            return accepted.verdicts

        await self.groups.run(self.keeping.watched(keep))

    async def _feel_the_lag(self) -> None:
        while True:
            due = self._loop.time() + LOOK_AT_THE_LOOP_EVERY
            await asyncio.sleep(LOOK_AT_THE_LOOP_EVERY)
            metrics.LOOP_LAG.observe(max(self._loop.time() - due, 0.0))

    async def _notify_workers(self, connection: Lasting) -> None:
        """NOTIFY takes a lock that orders commits, so never with a group: afterwards, and 20 times a second at most."""
        while True:
            await self._notify.wait()
            self._notify.clear()
            with suppress(psycopg.Error):
                await (await connection.live()).execute(f"NOTIFY {WAKE_CHANNEL}")
            await asyncio.sleep(WAKE_AT_MOST_EVERY)

    def _spawn(self, name: str, work: Awaitable[None]) -> None:
        self._tasks.append(asyncio.ensure_future(work))
        self._tasks[-1].set_name(f"tidings {name}")
        self._tasks[-1].add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """A loop of a node never ends by itself: a process that only looks alive is worse than one that is gone."""
        if not task.cancelled() and (error := task.exception()):
            log.critical("%s ended; this process ends too", task.get_name(), exc_info=error)
            os.kill(os.getpid(), 15)
