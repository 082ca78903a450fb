"""What is in a node's hands: sent, judged, written down, let go."""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from tidings.channels.contract import Budget, Outcome, Refused, Sent, TryLater
from tidings.channels.registry import CHANNELS
from tidings.channels.remember import SharedMemory
from tidings.delivery import budget, fallback
from tidings.delivery.attempt import Opened, attempt, attempt_limited, document_of
from tidings.delivery.job import Job
from tidings.delivery.lanes import Lanes
from tidings.delivery.policy import Held, Next, decide, hold
from tidings.delivery.record import WHAT, Recorder, Result, Wait, held, recordable, result_of, storable
from tidings.delivery.together import LIMITED, Calls
from tidings.kernel.clock import now
from tidings.kernel.database import Lasting
from tidings.kernel.http import Wire
from tidings.kernel.ids import made_at
from tidings.kernel.settings import Settings
from tidings.node import metrics
from tidings.node.chores import Chores
from tidings.node.counting import Counting
from tidings.node.follow import Follower, about
from tidings.node.life import Life

log = logging.getLogger("tidings.node")
COMPOSED_TOGETHER = 64
UNFORESEEN = TryLater("internal_error", technical=True)
ASKED_AFTER = {code: channel.asks_after[0] for code, channel in CHANNELS.items() if channel.asks_after}
"""By channel: how long after a message was sent its provider is asked what became of it."""


class Tried(Struct, frozen=True):
    """What came of a try, or that there was none. `at` is when it began; `began` and `ended` are seconds on the loop's
    clock."""

    job: Job
    verdict: Outcome | Held
    at: datetime
    began: float
    ended: float


class Deliverer:
    """`when_recorded` is called when results are durable: then there is room for more. Budgets have a connection of
    their own, used by one call at a time: a transaction is the connection's, not the task's that began it."""

    def __init__(
        self,
        settings: Settings,
        life: Life,
        wire: Wire,
        chores: Chores,
        vendors: Lasting,
        budgets: Lasting,
        counting: Counting,
        when_recorded: Callable[[], None],
        follower: Follower | None = None,
    ) -> None:
        self._settings, self._life, self._wire, self._chores = settings, life, wire, chores
        self._vendors, self._budgets, self._taking = vendors, budgets, asyncio.Lock()
        self._when_recorded, self.follower = when_recorded, follower
        self._loop = asyncio.get_running_loop()
        self._opened, self._recorder = Opened(), Recorder(self._judge)
        self._ways: dict[tuple[UUID, str], SharedMemory] = {}
        self._calls, self.counting = Calls(self.take_budgets), counting
        self.lanes = Lanes(follower.around(self._send) if follower else self._send)
        self.held: dict[UUID, Job] = {}
        self._to_compose: deque[Job] = deque()
        self._looking: dict[UUID, Job] = {}
        """Those that want another way once their end is recorded."""

    def left_alone(self) -> Mapping[str, float]:
        """Vendor accounts in trouble, and for how many seconds more."""
        return self._calls.circuits.open(time.monotonic())

    def take(self, job: Job) -> None:
        self.held[job.id] = job
        self._to_compose.append(job)
        self.lanes.put(job)

    def let_go(self, job: Job) -> None:
        if self.held.get(job.id) is job:
            del self.held[job.id]

    def withdraw(self) -> None:
        """Let go of what has not begun."""
        for job in self.lanes.withdraw():
            self.let_go(job)

    async def record(self, connection: Lasting) -> None:
        """Write results down until cancelled."""
        await self._recorder.run(connection, self._written)

    def records(self) -> int | None:
        """How often results were written down; None while there are none."""
        return self._recorder.turns()

    async def flushed(self) -> None:
        """Wait until all results are durable."""
        await self._recorder.flushed()

    async def write_rest(self, connection: Lasting) -> None:
        """What `record` had no time for, or ended over."""
        await self._recorder.write_rest(connection)

    async def take_budgets(self, calls: Sequence[Sequence[Budget]]) -> budget.Granted:
        """How many there is room for; the first one's budget is taken."""
        if not any(calls):
            return budget.Granted(len(calls))
        began = self._loop.time()
        async with self._taking:
            granted = await budget.take(await self._budgets.live(), calls, at_most=1, seen=metrics.BUDGETS.saw)
        metrics.BUDGET_SECONDS.observe(self._loop.time() - began)
        return granted

    def way(self, tenant_id: UUID, channel: str) -> SharedMemory:
        """The way out for a tenant's channel, with what is remembered for it."""
        way = self._ways.get((tenant_id, channel))
        if way is None:
            way = self._ways[tenant_id, channel] = SharedMemory(self._wire, self._vendors, tenant_id, channel)
        return way

    async def _send(self, job: Job) -> None:
        if job.lease != self._life.lease or not self._life.fresh:
            self.let_go(job)
            return
        at, began = now(), self._loop.time()
        if job.document is None:
            self._compose(at)
        way, base_url = self.way(job.tenant_id, job.channel), self._settings.base_url
        verdict = (
            await attempt_limited(job, self._calls, way, self._opened, now=at, base_url=base_url)
            if job.channel in LIMITED
            else await attempt(job, way, self._opened, now=at, base_url=base_url)
        )
        job.tried, ended = True, self._loop.time()
        self._recorder.add(Tried(job, verdict, at, began, ended))
        if self.follower:
            self.follower.tried(verdict)

    def _compose(self, at: datetime) -> None:
        """The documents of the next jobs, in the order in which they came: one after the other, each between two calls
        to vendors, cost half as much again."""
        for _ in range(min(COMPOSED_TOGETHER, len(self._to_compose))):
            job = self._to_compose.popleft()
            if self.held.get(job.id) is job:
                # What cannot be composed fails in its own try, which makes an outcome of it.
                with suppress(Exception):
                    job.document = document_of(job, at)

    def _judge(self, batch: Sequence[Tried]) -> list[Result]:
        """What is written of them. One that cannot be judged, since a channel gave no outcome say, counts as a try that
        failed; were it let go of, it would be sent again every few seconds for ever. Only if that fails too, it is."""
        results = []
        for one in batch:
            for verdict in (one.verdict, UNFORESEEN):
                try:
                    results.append(
                        self._hold(one.job, verdict, one.at) if isinstance(verdict, Held) else self._end(one, verdict)
                    )
                    break
                except Exception:
                    log.exception("a try could not be judged", extra={"delivery": str(one.job.id)})
            else:
                self.let_go(one.job)
        return results

    def _end(self, tried: Tried, said: Outcome) -> Result:
        outcome = recordable(said)
        job, at, seconds = tried.job, tried.at, tried.ended - tried.began
        age = at - (job.since or made_at(job.id))
        following = decide(
            outcome,
            tries=job.attempts + 1,
            age=age,
            schedule=self._settings.retry_schedule,
            gives_up_after=CHANNELS[job.channel].gives_up_after if job.channel in CHANNELS else None,
            chance=random.random(),  # noqa: S311 - spreads retries, guards nothing
        )
        if following.state == "sent" and job.channel in ASKED_AFTER:
            following = Next("sent", wait=ASKED_AFTER[job.channel])
        metrics.CALL_SECONDS.observe(seconds, job.channel)
        words = "" if isinstance(outcome, Sent) else storable(outcome.said)
        self.counting.tries.count(job.tenant_id, job.channel, WHAT[type(outcome)], following.reason, seconds, words)
        if following.state == "sent":
            took_in_all = None if job.since else age.total_seconds() + seconds
            self.counting.hours.sent(job.tenant_id, job.channel, took_in_all)
            if job.accepted:
                metrics.SENT_SECONDS.observe(tried.ended - job.accepted, job.channel)
        if self.follower:
            self.follower.judged(job, outcome, following, seconds)
        self._follow_up(job, outcome, following)
        return result_of(job.id, job.lease, outcome, following, at=at, took=timedelta(seconds=seconds))

    def _hold(self, job: Job, verdict: Held, at: datetime) -> Result:
        age = at - (job.since or made_at(job.id))
        following = hold(
            verdict,
            age=age,
            schedule=self._settings.retry_schedule,
            gives_up_after=CHANNELS[job.channel].gives_up_after,
        )
        if self.follower:
            self.follower.judged(job, verdict, following, 0.0)
        new = job.waits_for != verdict.reason
        since = Wait(at, verdict.reason) if new else None
        if new:
            # A message that waits for an hour is looked at many times; it is one.
            self.counting.tries.count(job.tenant_id, job.channel, "held", verdict.reason)
        self._follow_up(job, None, following)
        return held(job.id, job.lease, following, since=since)

    def _follow_up(self, job: Job, outcome: Outcome | None, following: Next) -> None:
        """What else a verdict leads to; done aside."""
        if following.state == "failed":
            self.counting.hours.ended(job.tenant_id, "failed", job.channel, following.reason)
            log.warning("failed", extra={**about(job), "reason": following.reason})
        if fallback.wants(job.story.event_type.tone, following):
            self._looking[job.id] = job
        if isinstance(outcome, Refused) and following.disable:
            self._chores.dead_contact_point(job.tenant_id, job.member, job.point, outcome.reason, job.story.id)
        elif isinstance(outcome, TryLater) and outcome.technical:
            self._chores.failing_channel(job, outcome.reason)

    def _written(self, batch: Sequence[Result]) -> None:
        for result in batch:
            # Not before: of two ways that fail at once each would still take the other for one that may work.
            if looking := self._looking.pop(result.id, None):
                self._chores.fall_back(looking)
            # It may have been claimed anew since the commit; then it is in our hands again.
            job = self.held.get(result.id)
            if job is not None and job.tried:
                del self.held[result.id]
        self._when_recorded()
