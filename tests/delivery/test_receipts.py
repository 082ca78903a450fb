"""What became of messages after they were sent: the first receipt that ends a delivery counts."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.delivery.given import Desk, event

from tidings.channels.contract import Receipt
from tidings.delivery import receipts
from tidings.delivery.policy import Next
from tidings.delivery.record import Result, held, record
from tidings.kernel.ids import uuid7

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


async def sent(desk: Desk, *, wait: timedelta | None = None, provider_id: str = "p1") -> UUID:
    """A delivery that its provider took; `wait`: until it is asked."""
    lease = await desk.register()
    await desk.keep(event(), lease=lease)
    [job] = await desk.rows(
        "SELECT id FROM delivery_delivery WHERE tenant_id = %s AND state = 'sending'", desk.tenant_id
    )
    attempt = '[{"at":"2026-11-26T11:59:00+00:00","outcome":"sent"}]'
    assert await record(desk.connection, [Result(job[0], lease, Next("sent", wait=wait), provider_id, attempt)]) == 1
    return UUID(str(job[0]))


async def state_of(desk: Desk, delivery: UUID) -> tuple[str, str | None]:
    [row] = await desk.rows("SELECT state, reason FROM delivery_delivery WHERE id = %s", delivery)
    return row[0], row[1]


async def applied(desk: Desk, *found: Receipt, tenant_id: UUID | None = None) -> list[receipts.Ended]:
    return await receipts.apply(desk.connection, tenant_id or desk.tenant_id, "webhook", found, now=NOW)


async def test_a_receipt_ends_what_was_sent_and_stands_in_the_record(desk: Desk) -> None:
    delivery = await sent(desk)
    await applied(desk, Receipt("delivered", delivery, said="DELIVERED"))
    assert await state_of(desk, delivery) == ("delivered", None)
    attempts = await desk.value("SELECT attempts FROM delivery_delivery WHERE id = %s", delivery)
    assert [each["outcome"] for each in attempts] == ["sent", "delivered"]
    assert attempts[1]["said"] == "DELIVERED"


async def test_the_first_one_counts_and_repeats_change_nothing(desk: Desk) -> None:
    delivery = await sent(desk)
    both = Receipt("failed", delivery, reason="unreachable"), Receipt("delivered", delivery)
    assert [one.reason for one in await applied(desk, *both)] == ["unreachable"]
    assert await applied(desk, *both) == []
    assert await state_of(desk, delivery) == ("failed", "unreachable")


async def test_a_receipt_of_another_message_by_the_providers_own_id_changes_nothing(desk: Desk) -> None:
    """Who guesses our id of it, or saw it in a message, does not know the provider's."""
    delivery = await sent(desk)
    other, ours = Receipt("failed", delivery, "p2", reason="x"), Receipt("delivered", delivery, "p1")
    assert await applied(desk, other) == []
    assert (await state_of(desk, delivery))[0] == "sent"
    assert await receipts.of_others(desk.connection, desk.tenant_id, "webhook", [other, ours]) == [delivery]
    [ended] = await applied(desk, other, ours)
    assert ended.receipt == ours
    assert await state_of(desk, delivery) == ("delivered", None)
    assert await receipts.of_others(desk.connection, uuid7(), "webhook", [other]) == []


async def test_a_dead_address_is_told_apart(desk: Desk) -> None:
    delivery = await sent(desk)
    [ended] = await applied(desk, Receipt("failed", delivery, reason="no_such_number", of="address"))
    assert ended.dead
    point = await desk.value("SELECT contact_point_id FROM delivery_delivery WHERE id = %s", delivery)
    assert ended.contact_point_id == point


async def test_nobody_ends_another_tenants_deliveries(desk: Desk) -> None:
    delivery = await sent(desk)
    assert await applied(desk, Receipt("failed", delivery, reason="x"), tenant_id=uuid7()) == []
    assert await applied(desk, Receipt("failed", uuid7(), reason="x")) == []
    assert (await state_of(desk, delivery))[0] == "sent"


async def test_what_is_not_recorded_yet_is_said_to_be_on_its_way(desk: Desk) -> None:
    await desk.keep(event(), lease=await desk.register())
    [delivery] = await desk.deliveries("id")
    receipt = Receipt("delivered", delivery)
    assert await applied(desk, receipt) == []
    assert await receipts.on_their_way(desk.connection, desk.tenant_id, "webhook", [receipt]) == 1


async def test_a_provider_is_asked_when_it_is_time_and_once_by_all_nodes(desk: Desk) -> None:
    soon, later = await sent(desk, wait=timedelta(seconds=1)), await sent(desk, wait=timedelta(hours=1))
    assert await receipts.due(desk.connection) == []
    await desk.run("UPDATE delivery_delivery SET ask_at = now() - interval '1 second' WHERE id = %s", soon)
    [asked] = await receipts.due(desk.connection)
    assert (asked.id, asked.channel, asked.provider_id) == (soon, "webhook", "p1")
    assert asked.sent_at == datetime(2026, 11, 26, 11, 59, tzinfo=UTC)
    assert await receipts.due(desk.connection) == []
    assert later != soon


async def test_a_provider_that_does_not_know_yet_is_asked_again_and_at_last_no_more(desk: Desk) -> None:
    again, never = await sent(desk, wait=timedelta(seconds=1)), await sent(desk, wait=timedelta(seconds=1))
    await receipts.ask_again(desk.connection, [(again, 60.0), (never, None)])
    waits = "SELECT ask_at > now() + interval '50 seconds' FROM delivery_delivery WHERE id = %s"
    assert await desk.value(waits, again) is True
    assert await desk.value(waits, never) is None


async def test_what_a_receipt_ended_is_not_asked_about(desk: Desk) -> None:
    delivery = await sent(desk, wait=timedelta(seconds=1))
    await applied(desk, Receipt("delivered", delivery))
    assert await desk.value("SELECT ask_at FROM delivery_delivery WHERE id = %s", delivery) is None


async def test_what_was_held_is_pending_with_its_reason_and_no_try(desk: Desk) -> None:
    lease = await desk.register()
    await desk.keep(event(), lease=lease)
    [delivery] = await desk.deliveries("id")
    await record(desk.connection, [held(delivery, lease, Next("pending", "robot_budget", wait=timedelta(seconds=40)))])
    [row] = await desk.rows(
        "SELECT state, reason, attempts, due_at > now() + interval '30 seconds' FROM delivery_delivery WHERE id = %s",
        delivery,
    )
    assert row == ("pending", "robot_budget", None, True)
