"""PostgreSQL goes away, in every way it can, and comes back."""

import asyncio
import signal

from faults.scenario import Run, scenario

WAYS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)


@scenario()
async def embedded_database_restarts(run: Run) -> None:
    """The embedded PostgreSQL is stopped (fast, immediate) or killed every 5 to 15 s; the nodes start it again."""
    await run.start("serve", "web", "worker")
    async with run.load():
        while True:
            await asyncio.sleep(run.chance.uniform(5, 15))
            run.stage.stop_database(run.chance.choice(WAYS))
            # Whoever asks waits until a node has started it again.
            await run.stage.rows("SELECT 1")
            if not run.going_on():
                break


@scenario(own_database=True)
async def database_restarts(run: Run) -> None:
    """A PostgreSQL of its own, which the nodes cannot start, is stopped (fast, immediate) or killed every 5 to 40 s and
    is away for up to 3 s each time."""
    await run.start("web", "web", "worker", "worker")
    async with run.load():
        while True:
            await asyncio.sleep(run.chance.uniform(5, 40))
            run.stage.stop_database(run.chance.choice(WAYS))
            await asyncio.sleep(run.chance.uniform(0, 3))
            await run.stage.start_database()
            if not run.going_on():
                break


@scenario(own_database=True)
async def long_outage(run: Run) -> None:
    """PostgreSQL is away for half a minute, which is longer than a lease: no node may take another for dead for what
    the database did, so nothing is repeated."""
    await run.start("web", "worker", "worker")
    async with run.load():
        await asyncio.sleep(2.0)
        run.stage.stop_database(signal.SIGKILL)
        await asyncio.sleep(30.0)
        await run.stage.start_database()
        await asyncio.sleep(5.0)
