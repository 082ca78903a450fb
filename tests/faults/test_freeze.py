"""A process stands still for longer than its lease and goes on as if nothing had happened: a machine that was suspended.
Others have taken over what it held; it must not send what it still has in its hands, nor keep anything for ever."""

from faults.scenario import all_scenarios, play


async def test_a_node_that_was_suspended_does_no_harm_when_it_goes_on() -> None:
    [row] = await play(all_scenarios()["suspended-serve"], seed=1, seconds=0)
    assert row.faults == []
    assert row.delivered == row.accepted > 100
