"""What a node does beside the flow: notices of its own, unplanned events, partitions, retention."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg

from tidings.delivery.job import Job
from tidings.delivery.retention import keep_house
from tidings.directory.disable import disable_contact_point
from tidings.events.event import Event, People, Subject, checked
from tidings.events.group import Submission
from tidings.kernel.clock import now
from tidings.kernel.database import Connection, Lasting
from tidings.kernel.problems import Problem
from tidings.pipeline import plan_again

if TYPE_CHECKING:
    from tidings.node.engine import Node

log = logging.getLogger("tidings.node")
Chore = Callable[[Connection], Awaitable[None]]
HOUSEKEEPING = timedelta(minutes=10)
REPLAN = timedelta(seconds=30)
SOURCE = "tidings"


class Chores:
    """Chores wait here and are done one after another; one that fails is tried again after a second."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._waiting: asyncio.Queue[Chore] = asyncio.Queue()
        self._told: set[str] = set()

    async def run(self, lasting: Lasting) -> None:
        loop = asyncio.get_running_loop()
        next_house, next_plan = 0.0, loop.time() + REPLAN.total_seconds()
        while True:
            chore: Chore | None = None
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    chore = await self._waiting.get()
            if chore:
                await self._do(lasting, chore)
            if loop.time() >= next_house:
                await self._do(lasting, keep_house)
                next_house = loop.time() + HOUSEKEEPING.total_seconds()
            if loop.time() >= next_plan:
                await self._do(lasting, self._plan_again)
                next_plan = loop.time() + REPLAN.total_seconds()

    async def _do(self, lasting: Lasting, chore: Chore) -> None:
        try:
            await chore(await lasting.live())
        except psycopg.Error as error:
            log.warning("a chore waits for the database: %s", type(error).__name__)
            await asyncio.sleep(1)
            if chore not in (keep_house, self._plan_again):
                self._waiting.put_nowait(chore)

    def dead_contact_point(self, job: Job, reason: str) -> None:
        async def disable(connection: Connection) -> None:
            gone = await disable_contact_point(connection, job.point.id, job.point.sealed, reason)
            if gone is None or job.system:
                return
            shown, version = gone
            self.notice(
                job.tenant_id,
                "contact_point_disabled",
                f"{job.point.id}-{version}",
                title=f"{job.channel}: {shown} ({reason})",
                people=People(submitter=job.member.login),
            )

        self._waiting.put_nowait(disable)

    def failing_channel(self, job: Job, reason: str) -> None:
        """Once an hour, tenant and channel."""
        if not job.system:
            key = f"{job.channel}-{now():%Y%m%d%H}"
            self.notice(job.tenant_id, "channel_failing", key, title=f"{job.channel}: {reason}", people=People())

    def unplanned(self, tenant_id: UUID, event: UUID) -> None:
        self.notice(tenant_id, "event_unplanned", str(event), title=str(event), people=People())

    def notice(self, tenant_id: UUID, status: str, key: str, *, title: str, people: People) -> None:
        """An event of our own, through the same door; the key makes a repeat a duplicate on every node."""
        if f"{tenant_id}{status}{key}" in self._told:
            return
        if len(self._told) > 10_000:
            self._told.clear()
        self._told.add(f"{tenant_id}{status}{key}")
        subject = Subject(kind="notice", id=key, title=title)
        event = Event(f"{status}-{key}", f"tidings.{status}", subject, SOURCE, people=people)
        verdict = asyncio.get_running_loop().create_future()
        with suppress(Problem):
            incoming = checked(event, now=now())
            self._node.groups.submit([Submission(tenant_id, b"", incoming, verdict, asyncio.get_running_loop().time())])

    async def _plan_again(self, connection: Connection) -> None:
        planned = await plan_again(connection, self._node.views)
        if planned:
            log.info("%d events that were kept unplanned are planned now", planned)
