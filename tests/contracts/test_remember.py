"""What nodes remember of a vendor: one of them fetches a token, all of them use it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tidings.channels.contract import Ended, Remembered, TryLater
from tidings.channels.memory import LocalMemory
from tidings.channels.remember import SharedMemory, forget
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.database import Lasting
from tidings.kernel.http import Wire


class Vendor:
    """Hands out numbered tokens, as slowly as it is told."""

    def __init__(self, lasts: float = 7_000, takes: float = 0.0) -> None:
        self.asked, self.lasts, self.takes = 0, lasts, takes

    async def token(self) -> Remembered:
        self.asked += 1
        number = self.asked
        await asyncio.sleep(self.takes)
        return Remembered(f"token-{number}", timedelta(seconds=self.lasts))


@pytest.fixture
async def nodes(organisation: Any, database: str) -> AsyncIterator[list[SharedMemory]]:
    wire = Wire(AddressPolicy())
    lasting = [Lasting(database, f"test {number}") for number in range(3)]
    yield [SharedMemory(wire, one, UUID(str(organisation.id)), "dingtalk") for one in lasting]
    for one in lasting:
        await one.close()
    await wire.aclose()


async def test_one_node_fetches_and_all_use_it(nodes: list[SharedMemory]) -> None:
    vendor = Vendor(takes=0.3)
    values = await asyncio.gather(*(node.recall("token", vendor.token) for node in nodes for _ in range(5)))
    assert set(values) == {"token-1"}
    assert vendor.asked == 1


async def test_a_token_that_the_vendor_refuses_is_fetched_anew_once(nodes: list[SharedMemory]) -> None:
    vendor = Vendor(takes=0.1)
    old = await nodes[0].recall("token", vendor.token)
    await nodes[1].recall("token", vendor.token)
    fresh = await asyncio.gather(*(node.recall("token", vendor.token, instead_of=old) for node in nodes))
    assert set(fresh) == {"token-2"}
    assert await nodes[1].recall("token", vendor.token) == "token-2"
    assert vendor.asked == 2


async def test_what_has_expired_is_fetched_again(nodes: list[SharedMemory]) -> None:
    vendor = Vendor(lasts=0.2)
    assert await nodes[0].recall("token", vendor.token) == "token-1"
    await asyncio.sleep(0.3)
    assert await nodes[1].recall("token", vendor.token) == "token-2"


async def test_who_fails_to_fetch_says_so_and_lets_the_next_one_try(nodes: list[SharedMemory]) -> None:
    async def refuse() -> Remembered:
        raise Ended(TryLater("credentials_refused", technical=True))

    with pytest.raises(Ended):
        await nodes[0].recall("token", refuse)
    assert await nodes[1].recall("token", Vendor().token) == "token-1"


async def test_a_node_that_died_while_it_fetched_is_not_waited_for_for_ever(nodes: list[SharedMemory]) -> None:
    dead = asyncio.create_task(nodes[0].recall("token", Vendor(takes=60).token))
    await asyncio.sleep(0.2)
    connection = await nodes[1].lasting.live()
    await connection.execute("UPDATE channels_memory SET making_until = now() - interval '1 second'")
    assert await nodes[1].recall("token", Vendor().token) == "token-1"
    dead.cancel()


async def test_what_another_node_fetches_for_ever_is_fetched_here_too(
    nodes: list[SharedMemory], monkeypatch: Any
) -> None:
    """It may have been killed over it; a try has 15 seconds, and the vendor is not to blame."""
    monkeypatch.setattr("tidings.channels.remember.WAIT_AT_MOST", 0.5)
    dead = asyncio.create_task(nodes[0].recall("token", Vendor(takes=60).token))
    await asyncio.sleep(0.2)
    assert await nodes[1].recall("token", Vendor().token) == "token-1"
    dead.cancel()


async def test_nothing_readable_lies_in_the_table(nodes: list[SharedMemory]) -> None:
    await nodes[0].recall("token", Vendor().token)
    connection = await nodes[0].lasting.live()
    rows = await (await connection.execute("SELECT * FROM channels_memory")).fetchall()
    assert "token-1" not in repr(rows)


async def test_nothing_known_is_remembered_too(nodes: list[SharedMemory]) -> None:
    """That a mobile has no account with the vendor, say."""

    asked = 0

    async def nobody() -> Remembered:
        nonlocal asked
        asked += 1
        return Remembered("", timedelta(hours=1))

    assert [await node.recall("mobile", nobody) for node in nodes] == [""] * 3
    assert asked == 1


async def test_a_database_that_is_away_keeps_nobody_from_a_token_of_their_own(organisation: Any) -> None:
    wire = Wire(AddressPolicy())
    away = Lasting("postgresql://nobody@/nothing?host=/nonexistent", "test")
    node = SharedMemory(wire, away, UUID(str(organisation.id)), "dingtalk")
    vendor = Vendor()
    assert [await node.recall("token", vendor.token) for _ in range(3)] == ["token-1"] * 3
    await wire.aclose()


async def test_what_expired_is_forgotten(nodes: list[SharedMemory]) -> None:
    await nodes[0].recall("token", Vendor().token)
    connection = await nodes[0].lasting.live()
    await connection.execute("UPDATE channels_memory SET expires_at = now() - interval '2 hours'")
    await forget(connection)
    assert (await (await connection.execute("SELECT count(*) FROM channels_memory")).fetchone()) == (0,)


async def test_a_try_out_remembers_for_as_long_as_it_lives() -> None:
    wire = Wire(AddressPolicy())
    memory, vendor = LocalMemory(wire), Vendor(takes=0.05)
    assert set(await asyncio.gather(*(memory.recall("t", vendor.token) for _ in range(5)))) == {"token-1"}
    assert await memory.recall("t", vendor.token, instead_of="token-1") == "token-2"
    await wire.aclose()
