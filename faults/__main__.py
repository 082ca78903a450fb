"""`make faults`: every scenario on an installation of real processes of its own, counted, and docs/reliability.md.

Exit code 1 when anything that was accepted is lost, the ledger does not add up, or more is repeated than was in flight.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
import time
from dataclasses import asdict

from faults.count import Row
from faults.report import Report, in_markdown, line, write
from faults.scenario import Scenario, all_scenarios, play


def main() -> int:
    known = all_scenarios()
    options = argparse.ArgumentParser(prog="make faults", description=__doc__)
    options.add_argument(
        "--only", action="append", metavar="NAME", help="a scenario, or all of a module; more than once"
    )
    options.add_argument("--minutes", type=float, default=1.0, help="of load, where a scenario can go on (default 1)")
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options.add_argument("--at-once", type=int, default=2, help="scenarios beside each other (default 2)")
    options.add_argument("--json", action="store_true")
    options.add_argument("--list", action="store_true", help="say what there is, and play nothing")
    chosen = options.parse_args()
    wanted = {
        name: one for name, one in known.items() if not chosen.only or name in chosen.only or one.group in chosen.only
    }
    if not wanted:
        options.error(f"no such scenario; there are {', '.join(known)}")
    if chosen.list:
        print("\n".join(f"{name:<32} {one.says}" for name, one in wanted.items()))
        return 0
    report = asyncio.run(_play_all(wanted, chosen.seed, chosen.minutes * 60, chosen.at_once))
    if chosen.json:
        print(json.dumps([asdict(row) for row in report.rows], indent=1))
    elif chosen.only:
        print(in_markdown(report))
    else:
        write(report)
        print("\nwritten to docs/reliability.md")
    return 0 if report.good else 1


async def _play_all(wanted: dict[str, Scenario], seed: int, seconds: float, at_once: int) -> Report:
    """Whoever asks us to stop gets the report of what was played, and leaves no process behind."""
    print(f"seed {seed}", file=sys.stderr, flush=True)
    began, places = time.monotonic(), asyncio.Semaphore(at_once)
    rows: dict[str, list[Row]] = {}
    left_out = dict.fromkeys(wanted, "the run was stopped before it came to an end.")

    async def one(scenario: Scenario) -> None:
        async with places:
            if lacks := scenario.lacks():
                left_out[scenario.name] = lacks
                print(f"left out {scenario.name}: {lacks}", file=sys.stderr, flush=True)
                return
            rows[scenario.name] = await play(scenario, seed=seed, seconds=seconds)
        del left_out[scenario.name]
        for row in rows[scenario.name]:
            if row.faults or not row.part_of:
                print(line(row), file=sys.stderr, flush=True)

    playing = [asyncio.create_task(one(scenario)) for scenario in wanted.values()]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: [each.cancel() for each in playing])
    await asyncio.gather(*playing, return_exceptions=True)
    in_order = [row for name in wanted for row in rows.get(name, ())]
    return Report(in_order, left_out, seed, time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
