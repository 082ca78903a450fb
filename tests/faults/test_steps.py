"""The steps at which `make faults` lets a node die are in the flow still; here it dies at the most delicate of them."""

import subprocess
import sys
from typing import Any

import pytest
from faults.scenario import Run, Scenario, play
from faults.scenarios.steps import BEFORE, OLD_EVENTS, at_each_step
from faults.stage import ROOT
from faults.steps import FLOW
from tests.delivery.given import reach

from tidings.delivery.retention import keep_house
from tidings.kernel.database import Connection, connect

DELICATE = ("committed", "claimed", "taken", "recorded", "freeing", "old-day")
# A process of its own for each, as a node is: where somebody who uses the function is loaded with it, they would go on
# with the bare one.
LOOK = """
import os, sys
from faults.steps import FLOW, START, arm, armed, place
for step in (FLOW | START).values():
    if os.fork():
        if os.wait()[1]:
            sys.exit(f"{step.name}: {step.at} is gone, or in use before it can be wrapped")
        continue
    arm(armed(step, "die", 10**6))
    owner, name = place(step)
    bare = getattr(owner, name).__wrapped__
    loaded = [module for name, module in sys.modules.items() if name.startswith("tidings")]
    os._exit(any(each is bare for module in loaded for each in vars(module).values()))
"""


def test_each_step_is_still_there_and_wrapped_before_anybody_uses_it() -> None:
    looked = subprocess.run([sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (looked.returncode, looked.stderr) == (0, "")


@pytest.fixture
def reachable(organisation: Any) -> Any:
    reach(organisation, "ann")
    return organisation


async def test_housekeeping_finds_what_it_is_to_die_over(reachable: Any, database: str) -> None:
    connection = await connect(database, name="test")
    await keep_house(connection)
    days = await partitions(connection)
    for statements in BEFORE.values():
        for statement in statements:
            await connection.execute(statement)
    assert await partitions(connection) != days
    assert await count(connection) == OLD_EVENTS
    await keep_house(connection)
    assert (await partitions(connection), await count(connection)) == (days, 0)
    await connection.close()


async def partitions(connection: Connection) -> list[str]:
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events_body'::regclass ORDER BY 1"
    return [row[0] for row in await (await connection.execute(query)).fetchall()]


async def count(connection: Connection) -> int:
    [[found]] = await (await connection.execute("SELECT count(*) FROM events_event")).fetchall()
    return int(found)


async def test_a_node_that_dies_at_any_step_loses_nothing() -> None:
    async def some(run: Run) -> None:
        await at_each_step(run, {name: FLOW[name] for name in DELICATE}, "die")

    *parts, row = await play(Scenario(some), seed=1, seconds=0)
    assert [part.name for part in parts] == list(DELICATE)
    assert [fault for each in (*parts, row) for fault in each.faults] == []
