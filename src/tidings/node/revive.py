"""Start the embedded PostgreSQL again, when it is missed."""

import asyncio
import logging
from collections.abc import Callable

import psycopg

from tidings.kernel.postgres import NO_SPACE, EmbeddedPostgresError

log = logging.getLogger("tidings.node")
AGAIN = 3.0
"""Seconds after a start that failed."""


class Reviver:
    """A server that cannot be started is not tried by all who miss it, one after the other, without a pause."""

    def __init__(self, start: Callable[[], object]) -> None:
        self._start, self._starting, self._loop = start, asyncio.Lock(), asyncio.get_running_loop()
        self._failed: type[psycopg.OperationalError] | None = None
        self._tried_at = 0.0

    @property
    def at_work(self) -> bool:
        return self._starting.locked()

    async def __call__(self) -> None:
        """Raises psycopg's `OperationalError`."""
        async with self._starting:
            if self._failed is None or self._loop.time() - self._tried_at > AGAIN:
                try:
                    await asyncio.to_thread(self._start)
                    self._failed = None
                except EmbeddedPostgresError as error:
                    log.error("the embedded PostgreSQL cannot be started: %s", error)
                    full = NO_SPACE in error.message
                    self._failed = psycopg.errors.DiskFull if full else psycopg.OperationalError
                self._tried_at = self._loop.time()
            if self._failed is not None:
                raise self._failed("the embedded PostgreSQL cannot be started")
