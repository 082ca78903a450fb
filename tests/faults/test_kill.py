"""Processes are killed under load, in short: `make faults` does it for minutes and in every way."""

import pytest
from faults.scenario import all_scenarios, play


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_accepted_is_lost_and_little_is_repeated(seed: int) -> None:
    [row] = await play(all_scenarios()["random-kills"], seed=seed, seconds=15)
    assert row.faults == []
    assert row.delivered == row.accepted > 100
