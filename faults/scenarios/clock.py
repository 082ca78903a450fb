"""A node's clock is wrong, and jumps while it runs. The database's is right: leases and due times are its."""

import asyncio
from pathlib import Path

from faults.scenario import Run, scenario

_LIBRARIES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1")
HOUR, MINUTES = 3600, 240
"""Seconds. A webhook's receiver takes a signature that is five minutes off, and none that is an hour off."""
JUMPS = (MINUTES, HOUR, 0, -MINUTES, -HOUR, 0)
STAYS = 6.0


def _library() -> str:
    found = [str(path) for each in _LIBRARIES for path in Path("/").glob(each[1:])]
    return found[0] if found else ""


def no_faketime() -> str:
    return "" if _library() else "libfaketime is needed (apt-get install faketime)"


@scenario(own_database=True, lacks=no_faketime)
async def clock_jumps(run: Run) -> None:
    """The clock of a `serve` jumps minutes and an hour ahead and back under load; a worker's is right. While it is an
    hour off, receivers refuse what is signed with it, and get it later. Leases hold; nothing is due early or never."""
    clock = run.stage.folder / "clock"
    clock.write_text("+0\n")
    right = dict(run.stage.environment)
    run.stage.environment |= {
        "LD_PRELOAD": _library(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    serve, *_ = await run.start("serve")
    run.stage.environment.clear()
    run.stage.environment |= right
    await run.start("worker")
    async with run.load():
        await asyncio.sleep(2)
        while True:
            for seconds in JUMPS:
                clock.write_text(f"{seconds:+d}\n")
                run.stage.faults["jumps"] += 1
                await asyncio.sleep(STAYS)
            if not run.going_on():
                break
    refused = [each for each in run.stage.receiver.complaints if "timestamp" in each.lower()]
    run.stage.receiver.complaints = [each for each in run.stage.receiver.complaints if each not in refused]
    run.stage.faults["messages refused for their time"] += len(refused)
    assert refused, "no clock was ever seen to be wrong"
    assert "the lease was lost" not in run.stage.log(serve)
