"""Nodes are killed, suspended and stopped."""

import asyncio
import signal

from faults.scenario import Run, scenario
from faults.stage import Process

LONGER_THAN_A_LEASE = 25.0


@scenario()
async def random_kills(run: Run) -> None:
    """Whatever chance picks is killed (-9) every few seconds, of a `serve`, two `web`, two `worker` and the embedded
    PostgreSQL; the nodes are started again a moment later."""
    nodes = await run.start("serve", "web", "web", "worker", "worker")
    async with run.load():
        while run.going_on():
            await asyncio.sleep(run.chance.uniform(0.3, 2.0))
            victim = run.chance.choice([*nodes, None])
            if victim is None:
                run.stage.stop_database(signal.SIGKILL)
                # Whoever asks waits until a node has started it again.
                await run.stage.rows("SELECT 1")
            else:
                await run.stage.kill(victim)
                await run.again(victim, after=run.chance.uniform(0.0, 1.0))


@scenario()
async def suspended_worker(run: Run) -> None:
    """A worker with its hands full stands still for longer than its lease, then goes on as if nothing had happened:
    what it still has in its hands is others' by then, and it must not send it."""
    _, worker, _ = await run.start("web", "worker", "worker")
    await _suspend(run, worker)


@scenario()
async def suspended_serve(run: Run) -> None:
    """The same with a `serve`, which is also posted to while it stands still; a worker is beside it."""
    serve, _ = await run.start("serve", "worker")
    await _suspend(run, serve)


async def _suspend(run: Run, node: Process) -> None:
    async with run.load():
        await asyncio.sleep(2.0)
        held = await run.stage.freeze(node)
        await asyncio.sleep(LONGER_THAN_A_LEASE)
        run.stage.thaw(node)
        await asyncio.sleep(3.0)
    assert held, "its hands were empty"


@scenario()
async def stopped_and_started(run: Run) -> None:
    """Each node in turn is asked to stop (SIGTERM) under load, and started again, as an upgrade does: nothing may come
    twice."""
    nodes = await run.start("serve", "web", "worker", "worker")
    async with run.load():
        while run.going_on():
            for node in nodes:
                await asyncio.sleep(run.chance.uniform(0.3, 1.0))
                await run.stage.stop(node)
                await run.again(node)


@scenario(own_database=True)
async def many_nodes(run: Run) -> None:
    """Of three `web` and three `worker` on a PostgreSQL of its own, one is killed, stopped or suspended for a moment
    every second or two, while the others go on."""
    nodes = await run.start("web", "web", "web", "worker", "worker", "worker")
    async with run.load():
        while run.going_on():
            await asyncio.sleep(run.chance.uniform(0.5, 2.0))
            victim = run.chance.choice(nodes)
            match run.chance.choice(("kill", "stop", "suspend")):
                case "kill":
                    await run.stage.kill(victim)
                    await run.again(victim, after=run.chance.uniform(0.0, 1.0))
                case "stop":
                    await run.stage.stop(victim)
                    await run.again(victim)
                case "suspend":
                    await run.stage.freeze(victim)
                    await asyncio.sleep(run.chance.uniform(0.5, 5.0))
                    run.stage.thaw(victim)
