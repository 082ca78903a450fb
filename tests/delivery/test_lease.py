"""A node that is silent is taken for dead, and whatever is held by nobody alive is pending again."""

import asyncio

from tests.delivery.given import Desk, event

from tidings.delivery import lease


async def silent_for(desk: Desk, seconds: float, mine: int) -> None:
    await desk.run(
        "UPDATE delivery_node SET renewed_at = clock_timestamp() - %s * interval '1 second' WHERE id = %s",
        seconds,
        mine,
    )


async def test_each_life_of_a_node_has_a_lease_of_its_own(desk: Desk) -> None:
    assert await desk.register() < await desk.register()


async def test_what_is_renewed_lives_on(desk: Desk) -> None:
    mine = await desk.register()
    await silent_for(desk, 19, mine)
    assert await lease.renew(desk.connection, mine)
    await desk.keep(event(), lease=mine)
    assert len(await lease.free_dead(desk.connection)) == 0
    assert await desk.deliveries() == ["sending"]


async def test_after_twenty_seconds_of_silence_all_it_held_is_pending(desk: Desk) -> None:
    mine, other = await desk.register(), await desk.register()
    await desk.keep(event(), event(), lease=mine)
    await desk.keep(event(), lease=other)
    await silent_for(desk, 19, mine)
    assert len(await lease.free_dead(desk.connection)) == 0
    await silent_for(desk, 21, mine)
    assert len(await lease.free_dead(desk.connection)) == 2
    assert await desk.deliveries("state", "lease") == [("pending", None), ("pending", None), ("sending", other)]
    assert not await lease.renew(desk.connection, mine)


async def test_what_has_ended_stays_ended(desk: Desk) -> None:
    mine = await desk.register()
    [sent, _] = (await desk.keep(event(), event(), lease=mine)).jobs
    await desk.finish(sent)
    await silent_for(desk, 21, mine)
    assert len(await lease.free_dead(desk.connection)) == 1
    assert await desk.deliveries() == ["sent", "pending"]


async def test_a_group_that_is_committed_after_its_node_was_taken_for_dead_is_not_held_by_nobody_for_ever(
    desk: Desk,
) -> None:
    """It had chosen its lease, and then stood still: a machine that was suspended, a stall of the network."""
    mine, other = await desk.register(), await desk.register()
    await silent_for(desk, 21, mine)
    await lease.free_dead(desk.connection)
    await desk.keep(event(), lease=mine)
    assert await desk.deliveries("state", "lease") == [("sending", mine)]
    await lease.renew(desk.connection, other)
    assert len(await lease.free_dead(desk.connection)) == 1
    assert await desk.deliveries("state", "lease") == [("pending", None)]


async def test_what_is_held_without_a_lease_is_freed_and_named(desk: Desk) -> None:
    """As somebody leaves it who repairs a state by hand."""
    mine = await desk.register()
    [broken, _] = (await desk.keep(event(), event(), lease=mine)).jobs
    await desk.run("UPDATE delivery_delivery SET lease = NULL WHERE id = %s", broken.id)
    assert await lease.free_dead(desk.connection) == [broken.id]
    assert await desk.deliveries("state", "lease") == [("pending", None), ("sending", mine)]


async def test_what_a_node_claims_after_it_signed_off_is_free_again(desk: Desk) -> None:
    mine = await desk.register()
    await desk.keep(event(), room=lambda *_: False)
    await lease.sign_off(desk.connection, mine)
    assert len(await desk.claim(mine)) == 1
    await desk.register()
    assert len(await lease.free_dead(desk.connection)) == 1


async def test_two_nodes_that_bury_the_same_free_each_delivery_once(desk: Desk) -> None:
    mine = await desk.register()
    await desk.keep(*(event() for _ in range(50)), lease=mine)
    await silent_for(desk, 21, mine)
    other = await desk.another()
    async with asyncio.timeout(10):
        freed = await asyncio.gather(lease.free_dead(desk.connection), lease.free_dead(other.connection))
    assert sum(map(len, freed)) == 50
    await other.close()


async def test_a_node_that_signs_off_gives_back_what_it_held(desk: Desk) -> None:
    mine, other = await desk.register(), await desk.register()
    [sent, *_] = (await desk.keep(event(), event(), event(), lease=mine)).jobs
    await desk.keep(event(), lease=other)
    await desk.finish(sent)
    assert await lease.sign_off(desk.connection, mine) == 2
    assert await desk.deliveries() == ["sent", "pending", "pending", "sending"]
    assert await desk.rows("SELECT id FROM delivery_node") == [(other,)]


async def test_what_was_freed_is_due_at_once(desk: Desk) -> None:
    mine = await desk.register()
    await desk.keep(event(), lease=mine)
    await lease.sign_off(desk.connection, mine)
    assert len(await desk.claim(await desk.register())) == 1
