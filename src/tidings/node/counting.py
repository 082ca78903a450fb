"""What a node counts, once for all who look at it: tries by minute, what came in and went out by hour, what was turned
away, in the database; the same since it started, in its metrics. Written every two seconds, and once more when it
stops."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from tidings.delivery import hourly, tally
from tidings.delivery.enqueue import Keep
from tidings.events import turned_away
from tidings.kernel.clock import now
from tidings.kernel.database import Lasting
from tidings.node import metrics
from tidings.pipeline import Accepted


@dataclass(slots=True)
class Counting:
    tries: tally.Tallies = field(default_factory=tally.Tallies)
    hours: hourly.Hours = field(default_factory=hourly.Hours)
    door: turned_away.Door = field(default_factory=turned_away.Door)
    _shown_tries: tally.Tallies = field(default_factory=tally.Tallies)
    _shown_hours: hourly.Hours = field(default_factory=hourly.Hours)
    """What the metrics have already, and the database has not."""

    async def run(self, connection: Lasting) -> None:
        while True:
            await asyncio.sleep(tally.WRITE_EVERY)
            await self.write(connection)

    def show(self) -> None:
        """Bring the metrics up to date."""
        tries, hours = self.tries.take(), self.hours.take()
        metrics.count_tries(tries)
        metrics.count_hours(hours)
        metrics.fold_times()
        self._shown_tries.give_back(tries)
        self._shown_hours.give_back(hours)

    async def write(self, connection: Lasting) -> None:
        """What cannot be written is kept for the next time."""
        self.show()
        tries, hours, door = self._shown_tries.take(), self._shown_hours.take(), self.door.take()
        if not (tries or hours or door):
            return
        try:
            live = await connection.live()
            async with live.transaction():
                await tally.write(live, tries, now())
                await hourly.write(live, hours, now())
                await turned_away.write(live, door)
        except psycopg.Error:
            self._shown_tries.give_back(tries)
            self._shown_hours.give_back(hours)
            self.door.give_back(door)

    def kept(self, accepted: Accepted) -> None:
        self.hours.kept(accepted.kept)
        metrics.count_kept(accepted)

    def planned(self, keeps: Sequence[Keep]) -> None:
        """What was kept before, without a plan."""
        self.hours.planned(keeps)
        metrics.count_planned(keeps)

    def not_tried_again(self, tenant_id: UUID, channel: str, state: str, reason: str) -> None:
        """It was due, and its way or its content is gone."""
        self.tries.count(tenant_id, channel, "cancelled", reason)
        self.hours.ended(tenant_id, "failed" if state == "failed" else "cancelled", channel, reason)
