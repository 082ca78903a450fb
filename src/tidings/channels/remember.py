"""What all nodes remember of a vendor: a token that one of them fetched serves them all, and one at a time fetches it.

Each node keeps a copy for as long as it lasts. A vendor that refuses a token is how a node learns that its copy is old;
then the table is asked, where another node may have put the next one already.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from tidings.channels.contract import Remembered
from tidings.channels.memory import WayOut
from tidings.kernel.database import Lasting, for_the_log
from tidings.kernel.ids import uuid7
from tidings.kernel.secrets import SecretUnreadable, seal, unseal

log = logging.getLogger("tidings.channels")
MAKING_MAY_TAKE = 20.0
"""Seconds; whoever fetches for longer has died, or is about to be given up by its own 15 s."""
WAIT_AT_MOST = 4.0
"""Seconds for what another node fetches; then this one fetches for itself, well within a try's 15 s: that node may have
died over it, and that is no failure of the vendor's."""
LOOK_AGAIN = 0.1
MOST_COPIES = 10_000

# Index: channel_memory, for all of these.
_READ = """
SELECT sealed, extract(epoch FROM expires_at - clock_timestamp())::float8 FROM channels_memory
WHERE tenant_id = %s AND channel = %s AND key = %s AND expires_at > clock_timestamp()
"""
_TAKE = """
INSERT INTO channels_memory AS m (id, tenant_id, channel, key, making_until)
VALUES (%s, %s, %s, %s, clock_timestamp() + %s * interval '1 second')
ON CONFLICT (tenant_id, channel, key) DO UPDATE SET making_until = excluded.making_until
WHERE m.making_until IS NULL OR m.making_until < clock_timestamp()
RETURNING id
"""
_KEEP = """
UPDATE channels_memory SET sealed = %s, expires_at = clock_timestamp() + %s * interval '1 second', making_until = NULL
WHERE tenant_id = %s AND channel = %s AND key = %s
"""
_LET_GO = "UPDATE channels_memory SET making_until = NULL WHERE tenant_id = %s AND channel = %s AND key = %s"
# Index: none; a few thousand rows, every ten minutes.
_FORGET = """
DELETE FROM channels_memory WHERE coalesce(expires_at, making_until) < clock_timestamp() - interval '1 hour'
"""


async def forget(connection: psycopg.AsyncConnection) -> None:
    """What expired an hour ago."""
    await connection.execute(_FORGET)


@dataclass(slots=True)
class SharedMemory(WayOut):
    """The way out for one tenant's channel, with what all nodes remember for it."""

    lasting: Lasting
    tenant_id: UUID
    channel: str
    _copies: dict[str, tuple[str, float]] = field(default_factory=dict)
    _making: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def recall(self, key: str, make: Callable[[], Awaitable[Remembered]], *, instead_of: str = "") -> str:
        if (copy := self._copy(key, instead_of)) is not None:
            return copy
        if len(self._copies) > MOST_COPIES:
            self._copies.clear()
        lock = self._making.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                if (copy := self._copy(key, instead_of)) is not None:
                    return copy
                return await self._shared(key, make, instead_of)
        finally:
            if not lock.locked():
                self._making.pop(key, None)

    def _copy(self, key: str, instead_of: str) -> str | None:
        value, until = self._copies.get(key, ("", 0.0))
        return value if until > time.monotonic() and not (instead_of and value == instead_of) else None

    async def _shared(self, key: str, make: Callable[[], Awaitable[Remembered]], instead_of: str) -> str:
        """A database that is away keeps nobody from fetching a token of their own."""
        try:
            taken, until = False, time.monotonic() + WAIT_AT_MOST
            while (value := await self._read(key, instead_of)) is None and not taken and time.monotonic() < until:
                # Once more after it is ours: another node may have put it there in between.
                taken = await self._take(key)
                if not taken:
                    await asyncio.sleep(LOOK_AGAIN)
            if value is not None:
                if taken:
                    await self._write(_LET_GO, *self._place(key))
                return value
        except psycopg.Error as error:
            log.warning("what is remembered of %s cannot be read: %s", self.channel, for_the_log(error))
            return self._keep_copy(key, await make())
        try:
            made = await make()
        except BaseException:
            await self._write(_LET_GO, *self._place(key))
            raise
        await self._write(_KEEP, seal({"value": made.value}), made.lasts.total_seconds(), *self._place(key))
        return self._keep_copy(key, made)

    def _keep_copy(self, key: str, made: Remembered) -> str:
        self._copies[key] = made.value, time.monotonic() + made.lasts.total_seconds()
        return made.value

    async def _read(self, key: str, instead_of: str) -> str | None:
        cursor = await (await self.lasting.live()).execute(_READ, self._place(key))
        row = await cursor.fetchone()
        if row is None:
            return None
        try:
            value = str(unseal(bytes(row[0]))["value"])
        except SecretUnreadable:
            return None
        if instead_of and value == instead_of:
            return None
        self._copies[key] = value, time.monotonic() + row[1]
        return value

    async def _take(self, key: str) -> bool:
        cursor = await (await self.lasting.live()).execute(_TAKE, (uuid7(), *self._place(key), MAKING_MAY_TAKE))
        return await cursor.fetchone() is not None

    async def _write(self, statement: str, *values: object) -> None:
        try:
            await (await self.lasting.live()).execute(statement, values)
        except psycopg.Error as error:
            log.warning("what is remembered of %s cannot be kept: %s", self.channel, for_the_log(error))

    def _place(self, key: str) -> tuple[UUID, str, str]:
        return self.tenant_id, self.channel, key
