"""Connections to PostgreSQL, outside the ORM."""

import asyncio
import select
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.abc import Params, PQGen, QueryNoTemplate
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import _WaitTimeout
from psycopg.rows import TupleRow

T = TypeVar("T")
REPLAN_AT_LEAST_EVERY = 300.0
"""Seconds."""
LOOK_AFTER = 0.2
"""Seconds in which a connection was not asked for: then it is looked at before it is used again."""
PATIENCE = 20.0
"""Seconds in which a statement must have its answer, unless somebody has more or less."""
CANCELLED_BY_THE_SERVER = 0.8
"""Of the patience: so what a lock or a slow disk holds up is ended by the server, and its connection stays."""
# What the system is asked to find out about the other side of a TCP connection, in seconds and (tcp_user_timeout)
# milliseconds: without, it takes two hours to notice a host that vanished while nothing was said, and 15 minutes when
# something was. Whoever sets them in the URL has the last word. libpq ignores them on a Unix socket.
KEPT_ALIVE: Mapping[str, str] = {
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
# The same for the server's end, which else would keep the locks and the place of a node that vanished.
_NOTICE_US_GONE = (
    "SET idle_in_transaction_session_timeout = '30s'; SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;"
    "SET tcp_keepalives_count = 3; SET tcp_user_timeout = 20000;"
)


class NoAnswer(psycopg.OperationalError):
    """The server said nothing for as long as somebody had patience; the connection is given up. What was asked may
    have been done."""


# By SQLSTATE, or by its class: https://www.postgresql.org/docs/current/errcodes-appendix.html
_WORDS: Mapping[str, str] = {
    "53100": "the database's disk is full",
    "53200": "the database has no memory left",
    "53300": "the database takes no more connections: raise its max_connections",
    "57014": "the database takes too long",
    "57P": "the database is starting, stopping or recovering",
    "25006": "the database may only be read: is it a standby?",
    "28": "the database refuses our name or password",
    "3D000": "the database does not exist",
    "58": "the database cannot read or write its files; its own log says why",
}


def in_words(error: psycopg.Error) -> str:
    """Why the database did not do it, for whoever asked; never what it says itself, which may quote values."""
    if isinstance(error, NoAnswer | psycopg.errors.ConnectionTimeout):
        return "the database does not answer"
    state = error.sqlstate or ""
    known = next((words for begin, words in _WORDS.items() if state.startswith(begin)), "")
    if known or not state:
        return known or "the database cannot be reached"
    return f"{type(error).__name__} ({state})"


def for_the_log(error: psycopg.Error) -> str:
    """The same, with what the server or the system says itself where it could not be reached or did not go on: whoever
    reads the log can do something. Of any other error only the kind: its words may quote what people wrote."""
    quotes_nobody = isinstance(error, psycopg.OperationalError) and not isinstance(error, NoAnswer)
    said = " ".join(str(error).split())[:300] if quotes_nobody else ""
    return f"{in_words(error)}: {said}" if said else in_words(error)


class Connection(AsyncConnection[TupleRow]):
    """No statement waits for ever: a firewall that forgot a connection, or a host that stands still, tells nobody."""

    patience = PATIENCE

    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:  # noqa: ASYNC109
        """As psycopg has it, which waits at one place for all that it asks. Unlike a cancellation, which would first
        be told to the server, this asks nobody."""
        try:
            return await super().wait(gen, interval, self.patience if timeout is None else timeout)
        except _WaitTimeout:
            if timeout is not None:
                raise
            self.pgconn.finish()
        raise NoAnswer(f"the database said nothing for {self.patience:g} seconds")

    @contextmanager
    def hurried(self, patience: float) -> Iterator[None]:
        """What is asked within has so long for its answer."""
        usual, self.patience = self.patience, patience
        try:
            yield
        finally:
            self.patience = usual

    async def execute(  # type: ignore[override]
        self, query: QueryNoTemplate, params: Params | None = None, *, prepare: bool | None = None, binary: bool = False
    ) -> AsyncCursor[TupleRow]:
        """A server that may only be read was the primary until a moment ago: the next connection finds the new one."""
        try:
            return await super().execute(query, params, prepare=prepare, binary=binary)
        except psycopg.errors.ReadOnlySqlTransaction:
            self.pgconn.finish()
            raise


async def connect(url: str, *, name: str, patience: float = PATIENCE) -> Connection:
    """One lasting connection in autocommit mode; transactions are opened where they are meant.

    Statements are prepared at first use: each process runs few, and runs them for ever. `application_name` shows in
    `pg_stat_activity` who holds what. `patience`: seconds each statement may take.
    """
    connection = await Connection.connect(
        with_keepalives(url),
        autocommit=True,
        prepare_threshold=0,
        application_name=f"tidings {name}",
        connect_timeout=5,
    )
    connection.patience = patience
    # A statement planned while the tables were small would scan them whole for ever after: on these connections every
    # statement is a set of probes, so only plans that stay right as the tables grow are allowed.
    await connection.execute(
        "SET synchronous_commit = on; SET jit = off; SET timezone = 'UTC';"
        "SET enable_seqscan = off; SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan;"
        f"{_NOTICE_US_GONE} SET statement_timeout = {int(patience * CANCELLED_BY_THE_SERVER * 1000)}",
        prepare=False,
    )
    return connection


def with_keepalives(url: str) -> str:
    """The same, with what it does not say about TCP."""
    given = conninfo_to_dict(url)
    return make_conninfo(url, **{name: value for name, value in KEPT_ALIVE.items() if name not in given})


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
    patience: float = PATIENCE
    _connection: Connection | None = None
    _making: "asyncio.Future[Connection] | None" = None
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
        connection = self._connection
        if connection is None or connection.closed:
            connection = await self._made()
        if now >= self._replan_at:
            await self._replan(connection)
        return connection

    async def read(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """What `act` reads; it may only read, since it is done again when the connection breaks under it."""
        connection = await self.live()
        try:
            return await act(connection)
        except psycopg.OperationalError:
            if not connection.closed:
                raise
        return await act(await self.live())

    async def _made(self) -> Connection:
        """Whoever comes while one is being made waits for the same one: a database that is away is not asked by all."""
        if self._making is None or self._making.done():
            self._making = asyncio.ensure_future(self._make())
            self._making.add_done_callback(lambda made: made.cancelled() or made.exception())
        making = self._making
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            if not making.cancelled() or _is_cancelled():
                raise
        raise psycopg.OperationalError("it was closed while it was being made")

    async def _make(self) -> Connection:
        try:
            self._connection = await connect(self.url, name=self.name, patience=self.patience)
        except psycopg.OperationalError:
            if self.revive is None:
                raise
            await self.revive()
            self._connection = await connect(self.url, name=self.name, patience=self.patience)
        return self._connection

    async def _replan(self, connection: Connection) -> None:
        """Plans are kept (`plan_cache_mode`), and one that was made for an empty table is wrong a second later: they
        are thrown away soon at first, then every few minutes."""
        await connection.execute("DISCARD PLANS", prepare=False)
        self._replan_after = min(self._replan_after * 2, REPLAN_AT_LEAST_EVERY)
        self._replan_at = time.monotonic() + self._replan_after

    async def close(self) -> None:
        if self._making is not None:
            self._making.cancel()
        if self._connection is not None:
            await self._connection.close()


async def clock_ahead(connection: Connection) -> float:
    """Seconds this machine's clock is ahead of the database's, or behind (less than 0), to within half the way there
    and back."""
    before = time.time()
    row = await (await connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8")).fetchone()
    assert row is not None
    return (before + time.time()) / 2 - float(row[0])


async def answered(asked: Coroutine[Any, Any, T], within: float) -> T:
    """What it says. Raises NoAnswer when that takes longer, and lets it end by its own patience: psycopg takes up to
    ten seconds to cancel a statement that has no answer."""
    asking = asyncio.ensure_future(asked)
    asking.add_done_callback(lambda each: each.cancelled() or each.exception())
    if not (await asyncio.wait({asking}, timeout=within))[0]:
        raise NoAnswer(f"the database said nothing for {within:g} seconds")
    return await asking


def _is_cancelled() -> bool:
    """Whether it is the one who waits that is to end, and not only what they wait for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


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
