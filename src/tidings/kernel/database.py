"""Connections to PostgreSQL, outside the ORM."""

import select
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

T = TypeVar("T")
Connection = AsyncConnection[TupleRow]
REPLAN_AT_LEAST_EVERY = 300.0
"""Seconds."""
LOOK_AFTER = 0.2
"""Seconds in which a connection was not asked for: then it is looked at before it is used again."""


async def connect(url: str, *, name: str) -> Connection:
    """One lasting connection in autocommit mode; transactions are opened where they are meant.

    Statements are prepared at first use: each process runs few, and runs them for ever. `application_name` shows in
    `pg_stat_activity` who holds what.
    """
    connection = await AsyncConnection.connect(
        url, autocommit=True, prepare_threshold=0, application_name=f"tidings {name}", connect_timeout=5
    )
    # A statement planned while the tables were small would scan them whole for ever after: on these connections every
    # statement is a set of probes, so only plans that stay right as the tables grow are allowed.
    await connection.execute(
        "SET synchronous_commit = on; SET jit = off; SET timezone = 'UTC';"
        "SET enable_seqscan = off; SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan",
        prepare=False,
    )
    return connection


def django_conninfo() -> str:
    """Where Django's connections lead, for one of ours."""
    from django.db import connections

    kept = connections["default"].settings_dict
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    given = {name: str(kept[key]) for name, key in named.items() if kept.get(key)}
    return make_conninfo(**{**kept.get("OPTIONS", {}), **given})


@dataclass(slots=True)
class Lasting:
    """A connection that is made again when it is gone. `revive` starts an embedded server that died."""

    url: str
    name: str
    revive: Callable[[], Awaitable[None]] | None = None
    _connection: Connection | None = None
    _replan_at: float = 0.0
    _replan_after: float = 0.5
    _asked_for: float = 0.0

    async def live(self) -> Connection:
        """Raises psycopg's OperationalError while the database cannot be reached. What the server has ended while it
        was idle is made anew here, before anything is sent that might be lost with it."""
        now = time.monotonic()
        if now - self._asked_for > LOOK_AFTER and self._connection is not None and _ended(self._connection):
            await self._connection.close()
        self._asked_for = now
        if self._connection is None or self._connection.closed:
            try:
                self._connection = await connect(self.url, name=self.name)
            except psycopg.OperationalError:
                if self.revive is None:
                    raise
                await self.revive()
                self._connection = await connect(self.url, name=self.name)
        if now >= self._replan_at:
            await self._replan(self._connection)
        return self._connection

    async def read(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """What `act` reads; it may only read, since it is done again when the connection breaks under it."""
        connection = await self.live()
        try:
            return await act(connection)
        except psycopg.OperationalError:
            if not connection.closed:
                raise
        return await act(await self.live())

    async def _replan(self, connection: Connection) -> None:
        """Plans are kept (`plan_cache_mode`), and one that was made for an empty table is wrong a second later: they
        are thrown away soon at first, then every few minutes."""
        await connection.execute("DISCARD PLANS", prepare=False)
        self._replan_after = min(self._replan_after * 2, REPLAN_AT_LEAST_EVERY)
        self._replan_at = time.monotonic() + self._replan_after

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


def _ended(connection: Connection) -> bool:
    """Whether the server has closed it. An idle connection has nothing to read but a parting word, and then its end."""
    if connection.closed:
        return True
    if connection.lock.locked():  # somebody is reading its answer
        return False
    poll = select.poll()
    try:
        poll.register(connection.fileno(), select.POLLIN)
        while poll.poll(0):
            connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return True
    return False


def in_words(error: psycopg.Error) -> str:
    """For a log: why the database could not be reached or did not go on, as it says itself. Of any other error only the
    kind: its words may quote what people wrote."""
    said = " ".join(str(error).split()) if isinstance(error, psycopg.OperationalError) else ""
    return f"{type(error).__name__}: {said[:300]}" if said else type(error).__name__


def text_array(values: Sequence[str]) -> str:
    """A PostgreSQL array literal of texts: `unnest(%s::text[])`.

    psycopg dumps lists item by item in Python; on the hot path that cost more than the rest of an insert. U+0000 cannot
    occur in a PostgreSQL text, so it marks the borders while the whole column is escaped at once.
    """
    joined = "\0".join(values)
    if not values:
        return "{}"
    return '{"' + joined.replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","') + '"}'


def plain_array(values: Sequence[str]) -> str:
    """The same for values that need no quotes: hexadecimal keys, numbers, booleans."""
    return "{" + ",".join(values) + "}"
