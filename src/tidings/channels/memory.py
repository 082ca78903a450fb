"""What is remembered of a vendor within one process: for a try-out, for tests. Nodes share theirs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from tidings.channels.contract import Answer, Checked, Remembered
from tidings.kernel.http import Wire


@dataclass(slots=True)
class WayOut:
    """What every channel's wire is: the node's own."""

    wire: Wire

    async def request(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        return await self.wire.request(method, url, headers=headers, body=body)

    async def resolve(self, host: str, port: int) -> Checked:
        return await self.wire.resolve(host, port)


@dataclass(slots=True)
class LocalMemory(WayOut):
    """A wire that remembers for as long as it lives."""

    _kept: dict[str, tuple[str, float]] = field(default_factory=dict)
    _making: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def recall(self, key: str, make: Callable[[], Awaitable[Remembered]], *, instead_of: str = "") -> str:
        async with self._making.setdefault(key, asyncio.Lock()):
            value, until = self._kept.get(key, ("", 0.0))
            if until <= time.monotonic() or (instead_of and value == instead_of):
                made = await make()
                value = made.value
                self._kept[key] = value, time.monotonic() + made.lasts.total_seconds()
            return value
