"""A node takes others for dead only when it knows that they could have said that they live."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.delivery.given import Desk, event, reach

from tidings.kernel.database import Lasting, connect
from tidings.node.life import Life


@pytest.fixture
def reachable(organisation: Any) -> Any:
    reach(organisation, "ann")
    return organisation


@pytest.fixture
async def desk(reachable: Any, database: str) -> AsyncIterator[Desk]:
    connection = await connect(database, name="test")
    await connection.execute("TRUNCATE delivery_delivery, delivery_node")
    yield Desk(reachable, connection, database)
    await connection.close()


@pytest.fixture
async def life(desk: Desk) -> AsyncIterator[Callable[[float], Any]]:
    """A node's; called with seconds, it renews its lease when so many have passed."""
    now, connection = 1_000.0, Lasting(desk.url, "lease")
    one = Life(connection, set, dict, lambda: None, lambda: None, clock=lambda: now)
    await one.begin()

    async def renew_after(seconds: float) -> None:
        nonlocal now
        now += seconds
        await one.renew()

    yield renew_after
    await connection.close()


async def hold_and_be_silent(desk: Desk) -> None:
    other = await desk.register()
    await desk.keep(event(), lease=other)
    await desk.run("UPDATE delivery_node SET renewed_at = now() - interval '21 seconds' WHERE id = %s", other)


async def test_what_the_dead_held_is_freed_by_whoever_was_on_time(desk: Desk, life: Callable[[float], Any]) -> None:
    await hold_and_be_silent(desk)
    await life(5)
    assert await desk.deliveries() == ["pending"]


async def test_after_the_database_was_away_others_get_the_time_to_say_that_they_live(
    desk: Desk, life: Callable[[float], Any]
) -> None:
    await hold_and_be_silent(desk)
    await life(31)
    assert await desk.deliveries() == ["sending"]
    await life(5)
    assert await desk.deliveries() == ["pending"]


async def test_a_node_that_is_always_late_frees_what_the_dead_held_all_the_same(
    desk: Desk, life: Callable[[float], Any]
) -> None:
    await hold_and_be_silent(desk)
    await life(12)
    await life(12)
    assert await desk.deliveries() == ["pending"]
