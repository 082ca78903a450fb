"""What would wait for ever without anything being wrong with it: each kind is planted, found, and put right."""

from datetime import timedelta

from tests.delivery.given import Desk, event

from tidings.delivery import lease, stuck
from tidings.delivery.policy import longest_wait

SCHEDULE = (timedelta(seconds=5), timedelta(hours=10))
LONGEST = longest_wait(SCHEDULE)


async def due_in(desk: Desk, wait: timedelta, *ids: object) -> None:
    await desk.run("UPDATE delivery_delivery SET due_at = now() + %s WHERE id = ANY(%s)", wait, list(ids))


async def test_a_time_that_no_wait_leads_to_was_set_by_a_clock_that_was_ahead(desk: Desk) -> None:
    mine = await desk.register()
    await desk.keep(*(event() for _ in range(3)), lease=mine, room=lambda *_: False)
    late, longest, soon = await desk.deliveries("id")
    await due_in(desk, timedelta(days=400), late)
    await due_in(desk, LONGEST - timedelta(minutes=1), longest)
    assert await stuck.bring_forward(desk.connection, LONGEST) == [late]
    assert await stuck.bring_forward(desk.connection, LONGEST) == []
    assert {job.id for job in await desk.claim(mine)} == {late, soon}


async def test_what_is_in_somebodys_hands_or_has_ended_is_left_alone(desk: Desk) -> None:
    mine = await desk.register()
    [sent, held] = (await desk.keep(event(), event(), lease=mine)).jobs
    await due_in(desk, timedelta(days=400), sent.id, held.id)
    await desk.finish(sent)
    assert await stuck.bring_forward(desk.connection, LONGEST) == []


async def test_a_node_that_died_before_the_clock_was_set_back_does_not_live_until_then(desk: Desk) -> None:
    dead, alive = await desk.register(), await desk.register()
    [held] = (await desk.keep(event(), lease=dead)).jobs
    await desk.run("UPDATE delivery_node SET renewed_at = clock_timestamp() + interval '1 day'")
    # It may be alive and about to renew it: seen once is nothing.
    seen, buried = await stuck.bury_ahead(desk.connection, {})
    assert (seen.keys(), buried) == ({dead, alive}, [])
    await lease.renew(desk.connection, alive)
    assert await lease.free_dead(desk.connection) == []
    seen, buried = await stuck.bury_ahead(desk.connection, seen)
    assert (seen, buried) == ({}, [dead])
    assert await lease.free_dead(desk.connection) == [held.id]
    assert await lease.renew(desk.connection, alive)


async def test_what_has_been_due_for_long_is_named_the_oldest_of_all(desk: Desk) -> None:
    await desk.keep(event(), event(), event(), room=lambda *_: False)
    first, second, _ = await desk.deliveries("id")
    assert await stuck.overdue(desk.connection) is None
    await due_in(desk, -timedelta(minutes=11), first)
    await due_in(desk, -timedelta(minutes=12), second)
    found = await stuck.overdue(desk.connection)
    assert found is not None
    assert found[0] == second
