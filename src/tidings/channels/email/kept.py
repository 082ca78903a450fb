"""The few connections that are kept for the next mail of the same settings: TLS and AUTH cost more than the mail.

They belong to the event loop they were made in. Nothing else of this channel outlives a call.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from tidings.channels.contract import Wire
from tidings.channels.email.smtp import Answered, Connection, Progress, Server, connect

IDLE_SECONDS = 30
# Postfix takes 50 from one client, Exchange 20; other nodes want some too.
MAX_CONNECTIONS = 16


@dataclass(slots=True)
class Kept:
    """The connections of one server: at most so many at once, and those that wait for their next mail."""

    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONNECTIONS))
    waiting: dict[Connection, asyncio.TimerHandle] = field(default_factory=dict)
    users: int = 0

    def take(self) -> Connection | None:
        """The one that was used last: the others may go to their rest."""
        while self.waiting:
            found, timer = self.waiting.popitem()
            timer.cancel()
            if found.reusable:
                return found
            found.close()
        return None

    def keep(self, connection: Connection) -> None:
        if connection.reusable:
            loop = asyncio.get_running_loop()
            self.waiting[connection] = loop.call_later(IDLE_SECONDS, self._expire, connection)
        else:
            connection.close()

    def close(self) -> None:
        for connection, timer in self.waiting.items():
            timer.cancel()
            connection.close()
        self.waiting.clear()

    def _expire(self, connection: Connection) -> None:
        if self.waiting.pop(connection, None):
            connection.close()


_kept: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Server, Kept]] = WeakKeyDictionary()


@asynccontextmanager
async def connection(server: Server, wire: Wire, progress: Progress, *, fresh: bool) -> AsyncIterator[Connection]:
    """A connection for one mail: one that was kept, unless it must be fresh. It is kept again where the server gave a
    clear answer, yes or no."""
    servers = _kept.setdefault(asyncio.get_running_loop(), {})
    for gone in [other for other, kept in servers.items() if not kept.users and not kept.waiting]:
        del servers[gone]
    kept = servers.setdefault(server, Kept())
    kept.users += 1
    try:
        async with kept.slots:
            found = None if fresh else kept.take()
            progress.stage = "connect"
            current = found or await connect(server, wire, progress)
            try:
                yield current
            except Answered as answer:
                if not 400 <= answer.code < 600:  # out of step: the next answer may belong to the last question
                    current.drop()
                kept.keep(current)
                raise
            except BaseException:
                current.drop()
                raise
            kept.keep(current)
    finally:
        kept.users -= 1


def close_kept() -> None:
    """Close what waits in this loop; for a node that stops, and for tests."""
    for kept in _kept.pop(asyncio.get_running_loop(), {}).values():
        kept.close()
