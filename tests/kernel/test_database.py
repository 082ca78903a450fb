"""A lasting connection is there again after the server has ended it, before anybody has to hear of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import psycopg
import pytest

from tidings.kernel import database as module
from tidings.kernel.database import Connection, Lasting, connect, in_words

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


async def test_a_log_says_why_the_database_did_not_answer_and_quotes_nobody(database: str) -> None:
    with pytest.raises(psycopg.OperationalError) as away:
        await connect("postgresql://nobody@/nothing?host=/nonexistent", name="test")
    assert in_words(away.value).startswith("OperationalError: ")
    assert "/nonexistent" in in_words(away.value)
    connection = await connect(database, name="test")
    with pytest.raises(psycopg.DataError) as bad:
        await connection.execute("SELECT 'what ann wrote'::int")
    await connection.close()
    assert in_words(bad.value) == "InvalidTextRepresentation"
