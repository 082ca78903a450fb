"""What a node does beside the flow: notices of its own, unplanned events, farewells to addresses, partitions,
retention."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg

from tidings.accounts.forget import forget_sessions
from tidings.channels import remember
from tidings.delivery import budget, fallback, hourly, stuck, tally
from tidings.delivery.farewell import Farewell, next_step, say, settle, take
from tidings.delivery.job import Job
from tidings.delivery.policy import longest_wait
from tidings.delivery.retention import keep_house
from tidings.directory.disable import disable_contact_point
from tidings.directory.forget import forget_touched, forget_verifications
from tidings.directory.people import Member, Point
from tidings.events import turned_away
from tidings.events.awaiting import sweep
from tidings.events.event import Event, People, checked
from tidings.events.group import Submission
from tidings.events.notice import is_notice, label, notice
from tidings.imports.forget import forget_imports
from tidings.kernel.clock import apart, now
from tidings.kernel.database import Connection, Lasting, clock_ahead, for_the_log
from tidings.kernel.ids import event_of
from tidings.kernel.problems import Problem
from tidings.node import metrics
from tidings.node.life import name_all
from tidings.pipeline import accept, plan_again
from tidings.planning.views import Views

if TYPE_CHECKING:
    from tidings.node.engine import Node

log = logging.getLogger("tidings.node")
Chore = Callable[[Connection], Awaitable[None]]
HOUSEKEEPING = timedelta(minutes=10)
HOUSEWORK: tuple[Chore, ...] = (
    keep_house, budget.forget, remember.forget, tally.forget, hourly.forget, sweep, forget_verifications,
    forget_touched, turned_away.forget, forget_imports, forget_sessions,
)  # fmt: skip
CLOCKS_APART = timedelta(hours=1)
"""Whose clock is further off would take for old what is not, and keeps no house."""
CLOCK = timedelta(seconds=30)
REPLAN = timedelta(seconds=30)
FAREWELLS = timedelta(seconds=2)
MISSED_WAYS = timedelta(minutes=1)
STUCK = timedelta(minutes=1)


class TryAgain(Exception):
    """A chore that can be done later."""


class Chores:
    """Chores wait here and are done one after another; one that fails is tried again after a second."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._waiting: asyncio.Queue[Chore] = asyncio.Queue()
        self._told: set[str] = set()
        self._saying: set[asyncio.Task[None]] = set()
        self._ahead: dict[int, datetime] = {}
        self.clock_ahead = 0.0
        """Seconds, of the database's, when it was looked at last."""

    async def run(self, lasting: Lasting) -> None:
        try:
            await self._run(lasting)
        finally:
            # Whoever was not told yet is due again in a minute, on another node.
            for saying in self._saying:
                saying.cancel()

    async def _run(self, lasting: Lasting) -> None:
        loop = asyncio.get_running_loop()
        rounds: dict[Chore, timedelta] = {self._look_at_the_clock: CLOCK, self._plan_again: REPLAN}
        if self._node.duties.delivers:
            rounds |= {self._say_farewells: FAREWELLS, self._find_missed_ways: MISSED_WAYS, self._free_stuck: STUCK}
        due = dict.fromkeys(rounds, 0.0)
        while True:
            for chore, every in rounds.items():
                if loop.time() >= due[chore]:
                    await self._do(lasting, chore)
                    due[chore] = loop.time() + every.total_seconds()
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    chore = await self._waiting.get()
                if not await self._do(lasting, chore):
                    self._waiting.put_nowait(chore)
                    await asyncio.sleep(1)
                self._waiting.task_done()

    async def keep_house(self, lasting: Lasting) -> None:
        """Beside the chores, which may not wait for it; the connection has patience and is only there meanwhile."""
        while True:
            wait = CLOCK
            if (
                await self._do(lasting, self._look_at_the_clock)
                and abs(self.clock_ahead) < CLOCKS_APART.total_seconds()
            ):
                for housework in HOUSEWORK:
                    await self._do(lasting, housework)
                wait = HOUSEKEEPING
            await lasting.close()
            await asyncio.sleep(wait.total_seconds())

    async def done(self) -> None:
        """Wait until no chore is left."""
        await self._waiting.join()

    async def _do(self, lasting: Lasting, chore: Chore) -> bool:
        """False when it is worth another try."""
        try:
            await chore(await lasting.live())
        except (psycopg.Error, TryAgain) as error:
            log.warning("a chore waits: %s", error if isinstance(error, TryAgain) else for_the_log(error))
            return False
        except Exception:
            log.exception("a chore failed")
        return True

    def dead_contact_point(self, tenant_id: UUID, member: Member, point: Point, reason: str, event_id: UUID) -> None:
        """`event_id`: of the message that was refused."""

        async def disable(connection: Connection) -> None:
            # Both or neither: a node that dies here has told nobody, and the next verdict finds the address in use.
            async with connection.transaction():
                gone = await disable_contact_point(connection, point.id, point.sealed, reason)
                if gone is None or await is_notice(connection, event_id):
                    return
                shown, version = gone
                event = notice(
                    "contact_point_disabled",
                    f"{point.id}-{version}",
                    title=f"{label(point.channel)}: {shown}",
                    channel=point.channel,
                    reason=reason,
                    people=People(submitter=member.login),
                )
                # What this transaction reads is not committed, so nobody else may come to hold it.
                mine = Views(dict(self._node.views.by_tenant))
                await self._keep(connection, mine, tenant_id, event)
            self._node.wake()

        self._waiting.put_nowait(disable)

    def fall_back(self, job: Job) -> None:
        """Another way to somebody who is asked to act, where the tenant wants that and there is one."""

        self._waiting.put_nowait(
            lambda connection: self._find_a_way(connection, job.id, job.tenant_id, job.member.id, job.story.event.type)
        )

    async def _find_missed_ways(self, connection: Connection) -> None:
        for one in await fallback.missed(connection, now()):
            await self._find_a_way(connection, one.delivery, one.tenant_id, one.person_id, one.event_type)

    async def _find_a_way(
        self, connection: Connection, delivery: UUID, tenant_id: UUID, person_id: UUID, event_type: str
    ) -> None:
        view = (await self._node.views.current(connection, (tenant_id,))).get(tenant_id)
        member = view.directory.people.by_id.get(person_id) if view and view.fallback else None
        known = view.catalog.event_types.get(event_type) if view else None
        if view is None or member is None or known is None or known.tone != "action":
            return
        point = await fallback.fall_back(connection, delivery, tenant_id, member, view.channels_on, now())
        if point is not None:
            about = {"event": str(event_of(delivery)), "delivery": str(delivery)}
            log.info("another way: %s", point.channel, extra=about)
            self._node.wake()

    def failing_channel(self, job: Job, reason: str) -> None:
        """Once an hour, tenant, channel and reason: one person's robot must not hide the channel's own trouble."""
        if not job.system:
            key = f"{job.channel}-{reason}-{now():%Y%m%d%H}"
            event = notice("channel_failing", key, title=label(job.channel), channel=job.channel, reason=reason)
            self._tell(job.tenant_id, event)

    def unplanned(self, tenant_id: UUID, event: UUID) -> None:
        self._tell(tenant_id, notice("event_unplanned", str(event), title=str(event)))

    def _tell(self, tenant_id: UUID, event: Event) -> None:
        """Once; the event's id makes a repeat a duplicate on every other node."""
        if f"{tenant_id}{event.id}" in self._told:
            return
        if len(self._told) > 10_000:
            self._told.clear()
        self._told.add(f"{tenant_id}{event.id}")

        async def tell(connection: Connection) -> None:
            await self._keep(connection, self._node.views, tenant_id, event)
            self._node.wake()

        self._waiting.put_nowait(tell)

    async def _keep(self, connection: Connection, views: Views, tenant_id: UUID, event: Event) -> None:
        """An event of our own, through the same door as any other."""
        loop = asyncio.get_running_loop()
        one = Submission(tenant_id, b"", checked(event, now=now()), loop.create_future(), loop.time())
        accepted = await accept(connection, views, [one], lease=None, room=lambda *_: False)
        self._node.counting.kept(accepted)
        if self._node.follower:
            self._node.follower.accepted(accepted, [one], one.arrived, loop.time())
        [verdict] = accepted.verdicts
        # Another node, and another reason, may have told it under the same id.
        if isinstance(verdict, Problem) and verdict.code != "event_id_reused":
            raise TryAgain(verdict.detail)

    async def _say_farewells(self, connection: Connection) -> None:
        """Beside the chores: an address that takes its time keeps none of them waiting."""
        for farewell in await take(connection):
            saying = asyncio.ensure_future(self._say(farewell))
            self._saying.add(saying)
            saying.add_done_callback(self._saying.discard)

    async def _say(self, farewell: Farewell) -> None:
        node, at = self._node, now()
        way = node.deliverer.way(farewell.tenant_id, farewell.channel)
        outcome = await say(farewell, way, node.deliverer.take_budgets, now=at)
        schedule, chance = node.settings.retry_schedule, random.random()  # noqa: S311 - spreads retries
        following = next_step(farewell, outcome, now=at, schedule=schedule, chance=chance)
        self._waiting.put_nowait(lambda connection: settle(connection, farewell, following))

    async def _free_stuck(self, connection: Connection) -> None:
        """What is only late is nobody's mistake, as far as can be told from here; it is named, since the metrics do not
        say which it is."""
        if late := await stuck.bring_forward(connection, longest_wait(self._node.settings.retry_schedule)):
            metrics.STUCK.labels("due_too_late").inc(len(late))
            name_all("that waited for a time no wait leads to, due now", late)
            self._node.wake()
        self._ahead, buried = await stuck.bury_ahead(connection, self._ahead)
        for lease in buried:
            metrics.STUCK.labels("node_ahead").inc()
            log.warning("a dead node's lease was renewed in the future; what it held is freed", extra={"lease": lease})
        if overdue := await stuck.overdue(connection):
            delivery, due_at = overdue
            about = {"event": str(event_of(delivery)), "delivery": str(delivery), "due_at": due_at.isoformat()}
            log.warning("due for more than ten minutes, and not sent", extra=about)

    async def _look_at_the_clock(self, connection: Connection) -> None:
        self.clock_ahead = await clock_ahead(connection)
        metrics.CLOCK_AHEAD.set(self.clock_ahead)
        if words := apart(self.clock_ahead, "this node's"):
            log.warning("%s: receivers may refuse what it signs. Have both kept by NTP", words)

    async def _plan_again(self, connection: Connection) -> None:
        planned = await plan_again(connection, self._node.views, self._node.counting.planned)
        if planned:
            log.info("%d events that were kept unplanned are planned now", planned)
            self._node.wake()
