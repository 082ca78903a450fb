"""How a channel is doing: counted by minute."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.delivery.given import Desk, in_django

from tidings.delivery.tally import Tallies, forget, lately, write

NOW = datetime.now(UTC)


@pytest.fixture
def counted(desk: Desk) -> Tallies:
    tallies = Tallies()
    for _ in range(3):
        tallies.count(desk.tenant_id, "webhook", "sent", seconds=0.1)
    tallies.count(desk.tenant_id, "webhook", "try_later", "receiver_busy", 0.2, "503 not now")
    tallies.count(desk.tenant_id, "email", "sent")
    return tallies


async def found(desk: Desk, since: datetime) -> list[tuple[str, str, int, int]]:
    rows = await in_django(lambda: lately(desk.tenant_id, ["webhook"], since))
    return [(row.what, row.reason, row.count, row.ms) for row in rows]


async def test_tries_are_counted_by_what_came_of_them_and_how_long_they_took(desk: Desk, counted: Tallies) -> None:
    await write(desk.connection, counted.take(), NOW)
    expected = [("sent", "", 3, 300), ("try_later", "receiver_busy", 1, 200)]
    assert await found(desk, NOW - timedelta(minutes=2)) == expected
    assert counted.take() == {}


async def test_what_another_node_counts_in_the_same_minute_is_added(desk: Desk, counted: Tallies) -> None:
    counts = counted.take()
    await write(desk.connection, counts, NOW)
    await write(desk.connection, counts, NOW)
    assert (await found(desk, NOW - timedelta(minutes=2)))[0] == ("sent", "", 6, 600)


async def test_what_could_not_be_written_is_counted_with_the_next(desk: Desk, counted: Tallies) -> None:
    counts = counted.take()
    counted.count(desk.tenant_id, "webhook", "sent", seconds=0.1)
    counted.give_back(counts)
    await write(desk.connection, counted.take(), NOW)
    assert (await found(desk, NOW - timedelta(minutes=2)))[0] == ("sent", "", 4, 400)


async def test_old_counts_are_passed_over_and_then_forgotten(desk: Desk, counted: Tallies) -> None:
    await write(desk.connection, counted.take(), NOW - timedelta(days=31))
    assert await found(desk, NOW - timedelta(hours=1)) == []
    await forget(desk.connection)
    assert await desk.value("SELECT count(*) FROM delivery_tally WHERE tenant_id = %s", desk.tenant_id) == 0


async def test_the_last_that_a_vendor_said_is_kept_with_the_reason(desk: Desk, counted: Tallies) -> None:
    since = NOW - timedelta(minutes=10)
    await write(desk.connection, counted.take(), NOW - timedelta(minutes=5))
    counted.count(desk.tenant_id, "webhook", "try_later", "receiver_busy", 0.2, "429 slow down")
    counted.count(desk.tenant_id, "webhook", "try_later", "receiver_busy", 0.2)
    await write(desk.connection, counted.take(), NOW)
    rows = await in_django(lambda: lately(desk.tenant_id, ["webhook"], since))
    assert [(row.what, row.said) for row in rows] == [("sent", ""), ("try_later", "429 slow down")]
