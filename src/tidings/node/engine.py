"""A node: one process, one loop, that accepts events, delivers messages, or both."""

import asyncio
import logging
import os
import random
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from tidings.channels.contract import Budget, Outcome, Refused, TryLater
from tidings.channels.registry import CHANNELS
from tidings.channels.remember import SharedMemory
from tidings.delivery import budget, claim, fallback, lease, orphans, tally
from tidings.delivery.attempt import Opened, attempt, attempt_limited
from tidings.delivery.backlog import count_delivering
from tidings.delivery.job import Job
from tidings.delivery.lanes import Lanes
from tidings.delivery.policy import Held, Next, decide, hold
from tidings.delivery.record import WHAT, Recorder, Result, held, result_of
from tidings.delivery.together import LIMITED, Calls
from tidings.events.group import Groups, Kept, Submission, Verdict, stopped, unavailable
from tidings.events.known import Repeats
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.clock import now
from tidings.kernel.database import Connection, Lasting
from tidings.kernel.http import Wire
from tidings.kernel.ids import event_of, made_at
from tidings.kernel.postgres import EmbeddedPostgresError
from tidings.kernel.settings import Settings
from tidings.node import metrics
from tidings.node.chores import Chores
from tidings.node.receipts import Receipts
from tidings.pipeline import accept
from tidings.planning.views import Views

log = logging.getLogger("tidings.node")
INGEST_RUNNERS = 1
CLAIM_AT_MOST = 500
POLL = 1.0
KEEP_WITHIN = 15.0
"""Seconds a group may take; whoever waits longer is asked to send again."""
DRAIN = 20.0
WAKE_CHANNEL = "tidings_due"
WAKE_AT_MOST_EVERY = 0.05
ASKED_AFTER = {code: channel.asks_after[0] for code, channel in CHANNELS.items() if channel.asks_after}
"""By channel: how long after a message was sent its provider is asked what became of it."""


@dataclass(frozen=True, slots=True)
class Duties:
    accepts: bool
    delivers: bool


class Node:
    """`start` returns when the node is ready; `stop` when all it held is sent or given back."""

    def __init__(self, settings: Settings, url: str, duties: Duties, revive: Callable[[], None] | None = None) -> None:
        self.settings, self.duties = settings, duties
        self._url, self._revive_server = url, revive
        self._reviving = asyncio.Lock()
        self.views, self.groups = Views(), Groups()
        self.wire = Wire(AddressPolicy(settings.allowed_networks))
        self._opened, self._recorder = Opened(), Recorder()
        self.lanes = Lanes(self._send)
        self.held: dict[UUID, Job] = {}
        self._ways: dict[tuple[UUID, str], SharedMemory] = {}
        self._calls, self.tallies = Calls(self.take_budgets), tally.Tallies()
        self._unreadable: dict[UUID, float] = {}
        self.lease: int | None = None
        self.delivering = 0
        """Nodes that were alive and delivered when `why_not_ready` looked last."""
        self._renewed = 0.0
        self._wake, self._notify = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._tasks: list[asyncio.Task[None]] = []
        self._connections: list[Lasting] = []
        self.front, self.connection_for_checks = self.connection("front"), self.connection("checks")
        self._lease_connection, self._vendors = self.connection("lease"), self.connection("vendors")
        self._budgets, self._taking = self.connection("budgets"), asyncio.Lock()
        self.chores, self.receipts = Chores(self), Receipts(self)

    def connection(self, name: str) -> Lasting:
        lasting = Lasting(self._url, name, self._revive if self._revive_server else None)
        self._connections.append(lasting)
        return lasting

    async def start(self) -> None:
        if self.duties.delivers:
            await self._register(self._lease_connection)
            self._spawn("record", self._recorder.run(self.connection("record"), self._written))
            self._spawn("claim", self._claim_due(self.connection("claim")))
            self._spawn("lease", self._keep_lease(self._lease_connection))
            self._spawn("listen", self._listen(self.connection("listen")))
            self._spawn("receipts", self.receipts.run(self.connection("receipts")))
            self._spawn("tallies", self._write_tallies(self.connection("tallies")))
        for number in range(INGEST_RUNNERS if self.duties.accepts else 0):
            self._spawn("ingest", self._ingest(self.connection(f"ingest {number}")))
        self._spawn("notify", self._notify_workers(self.connection("notify")))
        self._spawn("chores", self.chores.run(self.connection("chores")))

    async def stop(self) -> None:
        """Refuse new events, finish what was submitted, send what has begun, give back the rest."""
        self.groups.closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN):
                await self.groups.emptied()
        self.groups.give_up(stopped())
        self.lanes.withdraw()
        await self.lanes.drained(DRAIN)
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await self._recorder.flushed()
                await self.chores.done()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.lease is not None:
            with suppress(psycopg.Error):
                given_back = await lease.sign_off(await self._lease_connection.live(), self.lease)
                log.info("stopped; %d deliveries given back", given_back)
        for connection in self._connections:
            await connection.close()
        for channel in CHANNELS.values():
            await channel.close()
        await self.wire.aclose()

    async def why_not_ready(self) -> str:
        """In words, for `/readyz`; empty when all is well."""
        try:
            async with asyncio.timeout(2):
                self.delivering = await self.connection_for_checks.read(count_delivering)
        except (psycopg.Error, TimeoutError):
            return "The database cannot be reached."
        if self.groups.closed:
            return "This node is stopping."
        if self.duties.delivers and self._birth_lease() is None:
            return "The lease could not be renewed; nothing is sent."
        return ""

    # accept

    async def _ingest(self, connection: Lasting) -> None:
        repeats = Repeats()

        async def keep(group: Sequence[Submission]) -> Sequence[Verdict]:
            began = self._loop.time()
            try:
                async with asyncio.timeout(KEEP_WITHIN):
                    accepted = await accept(
                        await connection.live(),
                        self.views,
                        group,
                        lease=self._birth_lease(),
                        room=self.lanes.has_room,
                        look_first=repeats.likely(began),
                    )
            except TimeoutError:
                # A lock that nobody lets go, a recovery that takes its time: all senders hear of it and come again.
                self.groups.give_up(unavailable("The database does not answer; nothing was kept. Send again."))
                raise psycopg.OperationalError("the database does not answer") from None
            metrics.GROUP_SECONDS.observe(self._loop.time() - began)
            metrics.GROUP_SIZE.observe(len(group))
            if not all(isinstance(each, Kept) and not each.duplicate for each in accepted.verdicts):
                repeats.saw(began)
            for job in accepted.jobs:
                self._take(job)
            if accepted.pending:
                self.wake()
            for tenant_id, event in accepted.faults:
                self.chores.unplanned(tenant_id, event)
            return accepted.verdicts

        await self.groups.run(keep)

    def wake(self) -> None:
        """Something is due: for our own claims, or for the nodes that deliver."""
        self._wake.set() if self.duties.delivers else self._notify.set()

    def _birth_lease(self) -> int | None:
        """What is accepted is claimed at birth only by a node that delivers and whose lease is fresh."""
        fresh = self._loop.time() - self._renewed < lease.STOP_AFTER.total_seconds()
        return self.lease if self.duties.delivers and fresh and not self.groups.closed else None

    async def _notify_workers(self, connection: Lasting) -> None:
        """NOTIFY takes a lock that orders commits, so never with a group: afterwards, and 20 times a second at most."""
        while True:
            await self._notify.wait()
            self._notify.clear()
            with suppress(psycopg.Error):
                await (await connection.live()).execute(f"NOTIFY {WAKE_CHANNEL}")
            await asyncio.sleep(WAKE_AT_MOST_EVERY)

    # deliver

    def _take(self, job: Job) -> None:
        self.held[job.id] = job
        self.lanes.put(job)

    async def _send(self, job: Job) -> None:
        if job.lease != self.lease or self._loop.time() - self._renewed > lease.STOP_AFTER.total_seconds():
            self._let_go(job)
            return
        at, began = now(), self._loop.time()
        way = self.way(job.tenant_id, job.channel)
        if job.channel in LIMITED:
            verdict = await attempt_limited(
                job, self._calls, way, self._opened, now=at, base_url=self.settings.base_url
            )
            if isinstance(verdict, Held):
                self._hold(job, verdict, at)
                return
            outcome: Outcome = verdict
        else:
            outcome = await attempt(job, way, self._opened, now=at, base_url=self.settings.base_url)
        ended = self._loop.time()
        following = decide(
            outcome,
            tries=job.attempts + 1,
            age=at - (job.since or made_at(job.id)),
            schedule=self.settings.retry_schedule,
            gives_up_after=CHANNELS[job.channel].gives_up_after if job.channel in CHANNELS else None,
            chance=random.random(),  # noqa: S311 - spreads retries, guards nothing
        )
        if following.state == "sent" and job.channel in ASKED_AFTER:
            following = Next("sent", wait=ASKED_AFTER[job.channel])
        took = timedelta(seconds=ended - began)
        job.tried = True
        self._recorder.add(result_of(job.id, job.lease, outcome, following, at=at, took=took))
        metrics.attempts(job.channel, type(outcome).__name__, following.reason).inc()
        self.tallies.count(job.tenant_id, job.channel, WHAT[type(outcome)], following.reason, ended - began)
        if job.accepted and following.state == "sent":
            metrics.sent_seconds(job.channel).observe(ended - job.accepted)
        if following.state == "failed":
            metrics.FAILED.labels(job.channel, following.reason).inc()
            log.warning(
                "failed", extra={"event": str(event_of(job.id)), "delivery": str(job.id), "reason": following.reason}
            )
        if fallback.wants(job.story.event_type.tone, following):
            self.chores.fall_back(job)
        if isinstance(outcome, Refused) and following.disable:
            self.chores.dead_contact_point(job.tenant_id, job.member, job.point, outcome.reason, job.story.id)
        elif isinstance(outcome, TryLater) and outcome.technical:
            self.chores.failing_channel(job, outcome.reason)

    async def _write_tallies(self, connection: Lasting) -> None:
        while True:
            await asyncio.sleep(tally.WRITE_EVERY)
            counts = self.tallies.take()
            try:
                await tally.write(await connection.live(), counts, now())
            except psycopg.Error:
                self.tallies.give_back(counts)

    def _hold(self, job: Job, verdict: Held, at: datetime) -> None:
        gives_up_after = CHANNELS[job.channel].gives_up_after
        following = hold(verdict, age=at - made_at(job.id), gives_up_after=gives_up_after)
        job.tried = True
        self._recorder.add(held(job.id, job.lease, following))
        metrics.HOLDS.labels(job.channel, verdict.reason).inc()
        self.tallies.count(job.tenant_id, job.channel, "held", verdict.reason)
        if fallback.wants(job.story.event_type.tone, following):
            self.chores.fall_back(job)

    async def take_budgets(self, calls: Sequence[Sequence[Budget]]) -> budget.Granted:
        if not any(calls):
            return budget.Granted(len(calls))
        # One at a time, on a connection of their own: a transaction is the connection's, not the task's that began it.
        async with self._taking:
            return await budget.take(await self._budgets.live(), calls)

    def way(self, tenant_id: UUID, channel: str) -> SharedMemory:
        """The way out for a tenant's channel, with what is remembered for it."""
        way = self._ways.get((tenant_id, channel))
        if way is None:
            way = self._ways[tenant_id, channel] = SharedMemory(self.wire, self._vendors, tenant_id, channel)
        return way

    def _written(self, batch: Sequence[Result]) -> None:
        for result in batch:
            # It may have been claimed anew since the commit; then it is in our hands again.
            job = self.held.get(result.id)
            if job is not None and job.tried:
                del self.held[result.id]
        self._wake.set()

    def _let_go(self, job: Job) -> None:
        if self.held.get(job.id) is job:
            del self.held[job.id]

    async def _claim_due(self, connection: Lasting) -> None:
        while True:
            try:
                full = await self._claim_once(connection)
            except psycopg.Error as error:
                log.warning("claim: %s", type(error).__name__)
                full = False
            if not full:
                await self._next_claim()

    async def _next_claim(self) -> None:
        """A wake-up, or a second. Results come many times a second, so wake-ups are spread a little."""
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL):
                await self._wake.wait()
                await asyncio.sleep(0.02)
        self._wake.clear()

    async def _claim_once(self, connection: Lasting) -> bool:
        """Whether more may be due."""
        mine = self._birth_lease()
        if mine is None:
            return False
        live = await connection.live()
        if surplus := self.lanes.surplus():
            for job in surplus:
                self._let_go(job)
            await claim.give_back(live, [job.id for job in surplus], lease=mine)
        limit = min(self.lanes.room, CLAIM_AT_MOST)
        if limit <= 0:
            return False
        claimed = await claim.claim(
            live, lease=mine, limit=limit, passed_over=self._passed_over(), full=self.lanes.full()
        )
        if claimed:
            await self._take_claimed(live, claimed, mine)
        return bool(claimed)

    async def _take_claimed(self, live: Connection, claimed: list[claim.Claimed], mine: int) -> None:
        views = await self.views.current(live, {one.tenant_id for one in claimed})
        unreadable = [one for one in claimed if one.tenant_id not in views]
        readable = [one for one in claimed if one.tenant_id in views] if unreadable else claimed
        jobs = await claim.prepare(live, readable, views, lease=mine)
        if self._birth_lease() != mine:
            # Stopping, or taken for dead meanwhile: what was claimed is given back by whoever notices.
            return
        back = [one.id for one in unreadable]
        for job in jobs:
            if self.lanes.has_room(job.tenant_id, job.point.destination):
                self._take(job)
            else:
                back.append(job.id)
        self._unreadable.update(dict.fromkeys((one.tenant_id for one in unreadable), self._loop.time() + 30))
        if back:
            await claim.give_back(live, back, lease=mine)

    def _passed_over(self) -> set[UUID]:
        """Tenants that have their share in hand, and for half a minute those whose rows could not be read."""
        now = self._loop.time()
        self._unreadable = {tenant: until for tenant, until in self._unreadable.items() if until > now}
        return {*self._unreadable, *self.lanes.full_tenants()}

    async def _listen(self, connection: Lasting) -> None:
        """Wake-ups only hasten: claims poll every second besides."""
        while True:
            try:
                live = await connection.live()
                await live.execute(f"LISTEN {WAKE_CHANNEL}")
                async for _ in live.notifies():
                    self._wake.set()
            except psycopg.Error:
                await asyncio.sleep(POLL)

    # lease

    async def _register(self, connection: Lasting) -> None:
        name = f"{socket.gethostname()}/{os.getpid()}"
        began = self._loop.time()
        self.lease = await lease.register(await connection.live(), name)
        self._renewed = began

    async def _keep_lease(self, connection: Lasting) -> None:
        suspects: set[UUID] = set()
        while True:
            await asyncio.sleep(lease.RENEW_EVERY.total_seconds())
            with suppress(psycopg.Error):
                suspects = await self._renew(connection, suspects)

    async def _renew(self, connection: Lasting, suspects: set[UUID]) -> set[UUID]:
        assert self.lease is not None
        live, began = await connection.live(), self._loop.time()
        if await lease.renew(live, self.lease):
            self._renewed = began
        else:
            log.warning("the lease was lost; what is held is left to others")
            for job in self.lanes.withdraw():
                self._let_go(job)
            await self._register(connection)
        if freed := await lease.free_dead(live):
            metrics.FREED.labels("dead_node").inc(freed)
            log.warning("%d deliveries of dead nodes are pending again", freed)
            self._wake.set()
        unheld = await orphans.unheld(live, self.lease, self.held.keys())
        if again := unheld & suspects:
            metrics.FREED.labels("own_orphan").inc(await orphans.free(live, self.lease, again))
            self._wake.set()
        return unheld - again

    # both

    def _spawn(self, name: str, work: Awaitable[None]) -> None:
        self._tasks.append(asyncio.ensure_future(work))
        self._tasks[-1].set_name(f"tidings {name}")
        self._tasks[-1].add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """A loop of a node never ends by itself: a process that only looks alive is worse than one that is gone."""
        if not task.cancelled() and (error := task.exception()):
            log.critical("%s ended; this process ends too", task.get_name(), exc_info=error)
            os.kill(os.getpid(), 15)

    async def _revive(self) -> None:
        assert self._revive_server is not None
        async with self._reviving:
            try:
                await asyncio.to_thread(self._revive_server)
            except EmbeddedPostgresError as error:
                log.error("the embedded PostgreSQL cannot be started: %s", error)
                raise psycopg.OperationalError("the embedded PostgreSQL cannot be started") from error
