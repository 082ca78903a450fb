"""The steps at which `make faults` lets a node die are in the flow still; here it dies at the most delicate of them."""

import subprocess
import sys

from faults.scenario import Run, Scenario, play
from faults.scenarios.steps import at_each_step
from faults.stage import ROOT
from faults.steps import FLOW

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


async def test_a_node_that_dies_at_any_step_loses_nothing() -> None:
    async def some(run: Run) -> None:
        await at_each_step(run, {name: FLOW[name] for name in DELICATE}, "die")

    *parts, row = await play(Scenario(some), seed=1, seconds=0)
    assert [part.name for part in parts] == list(DELICATE)
    assert [fault for each in (*parts, row) for fault in each.faults] == []
