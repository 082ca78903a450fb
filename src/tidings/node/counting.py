"""What a node counts for those who look at it later: tries by minute, what came in and went out by hour, what was
turned away. Written every two seconds, and once more when it stops."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from tidings.delivery import hourly, tally
from tidings.events import turned_away
from tidings.kernel.clock import now
from tidings.kernel.database import Lasting


@dataclass(slots=True)
class Counting:
    tries: tally.Tallies = field(default_factory=tally.Tallies)
    hours: hourly.Hours = field(default_factory=hourly.Hours)
    door: turned_away.Door = field(default_factory=turned_away.Door)

    async def run(self, connection: Lasting) -> None:
        while True:
            await asyncio.sleep(tally.WRITE_EVERY)
            await self.write(connection)

    async def write(self, connection: Lasting) -> None:
        """What cannot be written is kept for the next time."""
        tries, hours, door = self.tries.take(), self.hours.take(), self.door.take()
        if not (tries or hours or door):
            return
        try:
            live = await connection.live()
            async with live.transaction():
                await tally.write(live, tries, now())
                await hourly.write(live, hours, now())
                await turned_away.write(live, door)
        except psycopg.Error:
            self.tries.give_back(tries)
            self.hours.give_back(hours)
            self.door.give_back(door)

    def not_tried_again(self, tenant_id: UUID, channel: str, state: str, reason: str) -> None:
        """It was due, and its way or its content is gone."""
        self.tries.count(tenant_id, channel, "cancelled", reason)
        self.hours.ended(tenant_id, "failed" if state == "failed" else "cancelled", channel, reason)
