"""A commit whose answer never came leaves deliveries under our lease that we do not hold; they are found and freed."""

from tests.delivery.given import Desk, event

from tidings.delivery import orphans


async def test_what_is_under_our_lease_and_not_in_our_hands_is_found(desk: Desk) -> None:
    mine, other = await desk.register(), await desk.register()
    [held, lost] = (await desk.keep(event(), event(), lease=mine)).jobs
    await desk.keep(event(), lease=other)
    assert await orphans.unheld(desk.connection, mine, {held.id}) == {lost.id}
    assert await orphans.unheld(desk.connection, mine, {held.id, lost.id}) == set()


async def test_what_has_ended_or_waits_is_no_orphan(desk: Desk) -> None:
    mine = await desk.register()
    [sent] = (await desk.keep(event(), lease=mine)).jobs
    await desk.keep(event(), lease=mine, room=lambda *_: False)
    await desk.finish(sent)
    assert await orphans.unheld(desk.connection, mine, set()) == set()


async def test_an_orphan_that_is_freed_is_due_at_once(desk: Desk) -> None:
    mine = await desk.register()
    [lost] = (await desk.keep(event(), lease=mine)).jobs
    assert await orphans.free(desk.connection, mine, {lost.id}) == 1
    assert [job.id for job in await desk.claim(mine)] == [lost.id]


async def test_what_ended_or_changed_hands_meanwhile_is_left_alone(desk: Desk) -> None:
    mine, other = await desk.register(), await desk.register()
    [ended, taken] = (await desk.keep(event(), event(), lease=mine)).jobs
    await desk.finish(ended)
    await desk.run("UPDATE delivery_delivery SET lease = %s WHERE id = %s", other, taken.id)
    assert await orphans.free(desk.connection, mine, {ended.id, taken.id}) == 0
    assert await desk.deliveries("state", "lease") == [("sent", None), ("sending", other)]


async def test_nothing_to_free_is_no_error(desk: Desk) -> None:
    assert await orphans.free(desk.connection, 1, set()) == 0
