"""A lasting connection is there again after the server has ended it, before anybody has to hear of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import psycopg
import pytest
from faults.proxy import Proxy
from psycopg.conninfo import conninfo_to_dict

from tidings.kernel import database as module
from tidings.kernel.database import Connection, Lasting, NoAnswer, connect, for_the_log, in_words, with_keepalives

Kill = Callable[[], Coroutine[Any, Any, None]]


@pytest.fixture
async def lasting(database: str) -> AsyncIterator[Lasting]:
    lasting = Lasting(database, "lasting")
    yield lasting
    await lasting.close()


@pytest.fixture
async def kill(database: str) -> AsyncIterator[Kill]:
    """The server ends it, as it does with all of them when it is restarted."""
    other = await connect(database, name="other")

    async def kill() -> None:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidings lasting'"
        assert (await (await other.execute(query)).fetchall()) == [(True,)]
        await asyncio.sleep(module.LOOK_AFTER + 0.1)

    yield kill
    await other.close()


async def backend(connection: Connection) -> int:
    row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
    assert row is not None
    return int(row[0])


async def test_what_the_server_ended_while_it_was_idle_is_made_anew(lasting: Lasting, kill: Kill) -> None:
    first = await backend(await lasting.live())
    await kill()
    second = await backend(await lasting.live())
    assert first != second
    assert await backend(await lasting.live()) == second


async def test_one_that_was_only_idle_is_kept(lasting: Lasting) -> None:
    first = await backend(await lasting.live())
    await asyncio.sleep(module.LOOK_AFTER + 0.1)
    assert await backend(await lasting.live()) == first


async def test_a_word_of_the_servers_is_no_end(lasting: Lasting, database: str) -> None:
    """A configuration that is read anew may be told to every connection."""
    live = await lasting.live()
    await live.execute("LISTEN word")
    first = await backend(live)
    async with await connect(database, name="other") as other:
        await other.execute("NOTIFY word")
    await asyncio.sleep(module.LOOK_AFTER + 0.1)
    assert await backend(await lasting.live()) == first


async def test_what_only_reads_is_done_again_when_the_connection_breaks_under_it(lasting: Lasting, kill: Kill) -> None:
    seen: list[int] = []

    async def read(connection: Connection) -> int:
        if not seen:
            seen.append(await backend(connection))
            await kill()
        return await backend(connection)

    assert await lasting.read(read) != seen[0]


async def test_one_in_use_is_left_to_whoever_uses_it(lasting: Lasting) -> None:
    live = await lasting.live()
    slow = asyncio.create_task(live.execute("SELECT pg_sleep(0.5)"))
    await asyncio.sleep(module.LOOK_AFTER + 0.1)
    async with asyncio.timeout(5):
        while not slow.done():
            lasting._asked_for = 0.0
            assert await lasting.live() is live
            await asyncio.sleep(0)
        await slow


async def test_another_error_of_a_reader_is_its_own(lasting: Lasting) -> None:
    async def read(connection: Connection) -> None:
        await connection.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        await lasting.read(read)


async def test_what_cannot_be_reached_is_an_error_at_once(lasting: Lasting) -> None:
    away = Lasting("postgresql://nobody@/none?host=/nonexistent", "away")
    with pytest.raises(psycopg.OperationalError):
        await away.live()


# a way that loses what is sent


@pytest.fixture
async def proxy(database: str) -> AsyncIterator[Proxy]:
    async with Proxy.to_database(database) as proxy:
        yield proxy


async def test_a_connection_over_which_nothing_comes_any_more_is_given_up_and_made_anew(
    proxy: Proxy, database: str
) -> None:
    lasting = Lasting(proxy.database_url(database), "lasting", patience=0.3)
    first = await backend(await lasting.live())
    assert proxy.forget() == 1
    live, began = await lasting.live(), time.monotonic()
    with pytest.raises(NoAnswer):
        await live.execute("SELECT 1")
    assert 0.3 <= time.monotonic() - began < 2
    assert live.closed
    assert await backend(await lasting.live()) != first
    await lasting.close()


async def test_what_is_in_a_hurry_waits_less(proxy: Proxy, database: str) -> None:
    connection = await connect(proxy.database_url(database), name="hurried")
    with connection.hurried(0.3):
        await connection.execute("SELECT 1")
    proxy.forget()
    began = time.monotonic()
    with pytest.raises(NoAnswer), connection.hurried(0.3):
        await connection.execute("SELECT 1")
    assert time.monotonic() - began < 2


async def test_a_transaction_ends_with_the_connection(proxy: Proxy, database: str) -> None:
    connection = await connect(proxy.database_url(database), name="lost", patience=0.3)
    with pytest.raises(NoAnswer):
        async with connection.transaction():
            await connection.execute("SELECT 1")
            proxy.forget()
            await connection.execute("SELECT 1")
    assert connection.closed


async def test_what_takes_too_long_is_ended_by_the_server_and_the_connection_stays(database: str) -> None:
    async with await connect(database, name="slow", patience=0.5) as connection:
        with pytest.raises(psycopg.errors.QueryCanceled):
            await connection.execute("SELECT pg_sleep(3)")
        assert await backend(connection)


async def test_to_listen_in_silence_is_no_fault(database: str) -> None:
    async with await connect(database, name="listens", patience=0.2) as connection:
        await connection.execute("LISTEN silence")
        assert [each async for each in connection.notifies(timeout=0.6)] == []
        assert await backend(connection)


async def test_those_who_miss_it_at_once_make_one_connection(proxy: Proxy, database: str) -> None:
    lasting = Lasting(proxy.database_url(database), "lasting")
    found = await asyncio.gather(*(lasting.live() for _ in range(20)))
    assert len({id(each) for each in found}) == proxy.calls == 1
    await lasting.close()


async def test_a_database_that_takes_no_calls_is_asked_once_for_all_who_wait(proxy: Proxy, database: str) -> None:
    lasting = Lasting(proxy.database_url(database), "lasting")
    await proxy.turn("silent")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await asyncio.gather(*(lasting.live() for _ in range(20)))
    assert proxy.calls == 1
    await proxy.turn("open")
    assert await backend(await lasting.live())
    await lasting.close()


async def test_who_waits_for_a_connection_that_is_closed_meanwhile_is_told_so(proxy: Proxy, database: str) -> None:
    """As while the database is away, and not as if their own work had been stopped."""
    lasting = Lasting(proxy.database_url(database), "lasting")
    await proxy.turn("silent")
    waiting, stopped = asyncio.ensure_future(lasting.live()), asyncio.ensure_future(lasting.live())
    await asyncio.sleep(0.05)
    stopped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopped
    await lasting.close()
    with pytest.raises(psycopg.OperationalError):
        await waiting


async def test_a_server_that_may_only_be_read_is_left_for_the_next_one(lasting: Lasting) -> None:
    """After a failover a connection may still lead to what was the primary."""
    live = await lasting.live()
    first = await backend(live)
    await live.execute("SET default_transaction_read_only = on")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await live.execute("CREATE TABLE nowhere ()")
    assert await backend(await lasting.live()) != first


async def test_the_server_lets_go_of_what_a_node_that_vanished_had_locked(database: str) -> None:
    """It is told to find out, on each connection: a frozen node may hold the row of a budget that everybody needs."""
    async with await connect(database, name="told") as connection:
        row = await (await connection.execute("SHOW idle_in_transaction_session_timeout")).fetchone()
        assert row == ("30s",)


def test_the_system_watches_over_tcp_unless_the_url_says_otherwise() -> None:
    plain = conninfo_to_dict(with_keepalives("postgresql://t@db/t"))
    assert (plain["keepalives_idle"], plain["tcp_user_timeout"]) == ("10", "20000")
    own = conninfo_to_dict(with_keepalives("postgresql://t@db/t?keepalives_idle=99"))
    assert (own["keepalives_idle"], own["keepalives_count"]) == ("99", "3")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (psycopg.errors.DiskFull("could not extend file"), "the database's disk is full"),
        (psycopg.errors.CannotConnectNow("starting"), "the database is starting, stopping or recovering"),
        (psycopg.errors.ReadOnlySqlTransaction("INSERT"), "the database may only be read: is it a standby?"),
        (psycopg.errors.UndefinedTable("of a name"), "UndefinedTable (42P01)"),
        (NoAnswer("x"), "the database does not answer"),
        (psycopg.OperationalError("refused"), "the database cannot be reached"),
    ],
)
def test_an_error_of_the_database_is_said_in_words(error: psycopg.Error, words: str) -> None:
    assert in_words(error) == words


async def test_a_log_says_why_the_database_did_not_answer_and_quotes_nobody(database: str) -> None:
    with pytest.raises(psycopg.OperationalError) as away:
        await connect("postgresql://nobody@/nothing?host=/nonexistent", name="test")
    assert for_the_log(away.value).startswith("the database cannot be reached: ")
    assert "/nonexistent" in for_the_log(away.value)
    connection = await connect(database, name="test")
    with pytest.raises(psycopg.DataError) as bad:
        await connection.execute("SELECT 'what ann wrote'::int")
    await connection.close()
    assert for_the_log(bad.value) == "InvalidTextRepresentation (22P02)"
    full = psycopg.errors.DiskFull('could not extend file "base/16384/16402"')
    assert for_the_log(full) == 'the database\'s disk is full: could not extend file "base/16384/16402"'
