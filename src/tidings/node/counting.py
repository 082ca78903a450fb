"""What a node counts for those who look at it later: tries by minute, what came in and went out by hour. Written every
two seconds, and once more when it stops."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from tidings.delivery import hourly, tally
from tidings.kernel.clock import now
from tidings.kernel.database import Lasting


@dataclass(slots=True)
class Counting:
    tries: tally.Tallies = field(default_factory=tally.Tallies)
    hours: hourly.Hours = field(default_factory=hourly.Hours)

    async def run(self, connection: Lasting) -> None:
        while True:
            await asyncio.sleep(tally.WRITE_EVERY)
            await self.write(connection)

    async def write(self, connection: Lasting) -> None:
        """What cannot be written is kept for the next time."""
        tries, hours = self.tries.take(), self.hours.take()
        if not tries and not hours:
            return
        try:
            live = await connection.live()
            async with live.transaction():
                await tally.write(live, tries, now())
                await hourly.write(live, hours, now())
        except psycopg.Error:
            self.tries.give_back(tries)
            self.hours.give_back(hours)

    def not_tried_again(self, tenant_id: UUID, channel: str, state: str, reason: str) -> None:
        """It was due, and its way or its content is gone."""
        self.tries.count(tenant_id, channel, "cancelled", reason)
        self.hours.ended(tenant_id, "failed" if state == "failed" else "cancelled", channel, reason)
