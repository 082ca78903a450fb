"""The network between a node and its database, and between a node and those it sends to, fails; both sides are well."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from faults.cable import cable_to_database, no_cable
from faults.proxy import Proxy, Way
from faults.scenario import Run, scenario
from faults.stage import SECRET, Process

LONGER_THAN_A_LEASE = 30.0
NOTICED_WITHIN = 25.0
"""Seconds in which a node has to find out that a connection is dead, and make another: 20 of patience, and a little."""
PULLED_FOR, HEARD_WITHIN = 40.0, 30.0
IN_FLIGHT = timedelta(seconds=1)
WAYS: Sequence[tuple[Way, float]] = (("cut", 5.0), ("no_answers", 5.0), ("silent", 20.0))
"""How the network to receivers fails, and for how many seconds at most."""


async def _behind(run: Run) -> Proxy:
    """Nodes that are started from now on reach the database through this."""
    proxy = await run.lasts.enter_async_context(Proxy.to_database(run.stage.postgres.url))
    run.stage.environment["TIDINGS_DATABASE_URL"] = proxy.database_url(run.stage.postgres.url)
    return proxy


async def _ready_again(run: Run, node: Process, within: float) -> None:
    """Raises AssertionError when it is not."""
    began = time.monotonic()
    await run.stage.ready(node, within)
    run.stage.faults[f"ready again {time.monotonic() - began:.0f} s later"] += 1


@scenario(own_database=True)
async def database_connections_cut(run: Run) -> None:
    """Every few seconds all connections between the nodes and PostgreSQL are reset, and new ones refused for up to 5
    s."""
    proxy = await _behind(run)
    await run.start("serve", "web", "worker")
    async with run.load():
        while True:
            await asyncio.sleep(run.chance.uniform(1, 6))
            await proxy.turn("cut")
            run.stage.faults["connections cut"] += 1
            await asyncio.sleep(run.chance.uniform(0, 5))
            await proxy.turn("open")
            if not run.going_on():
                break
        await asyncio.sleep(3)


@scenario(own_database=True)
async def database_connections_forgotten(run: Run) -> None:
    """What stands between forgets all connections to PostgreSQL, as a firewall does that is restarted: nothing passes
    any more, and neither side is told. New connections are well. Every node is at work again within 25 s."""
    proxy = await _behind(run)
    nodes = await run.start("serve", "worker")
    async with run.load():
        while True:
            await asyncio.sleep(3)
            assert proxy.forget()
            run.stage.faults["all connections forgotten"] += 1
            held = [await run.stage.note_what_it_held(node) for node in nodes]
            await asyncio.sleep(NOTICED_WITHIN)
            await _ready_again(run, nodes[0], 5)
            await _sends(run, 5)
            assert any(held), "their hands were empty"
            if not run.going_on():
                break


@scenario(own_database=True)
async def database_silent(run: Run) -> None:
    """Nothing passes between a `serve` and PostgreSQL for 30 s, which is longer than its lease: a worker that is well
    takes over what it held. Then all that was said meanwhile arrives at once."""
    proxy = await _behind(run)
    serve, *_ = await run.start("serve")
    run.stage.environment["TIDINGS_DATABASE_URL"] = run.stage.postgres.url
    await run.start("worker")
    async with run.load():
        await asyncio.sleep(3)
        await proxy.turn("silent")
        run.stage.faults["silence"] += 1
        await run.stage.note_what_it_held(serve)
        await asyncio.sleep(1)
        status, answer = await run.stage.call(serve, "GET", "/readyz")
        assert status == 503, answer
        await asyncio.sleep(LONGER_THAN_A_LEASE)
        await proxy.turn("open")
        await _ready_again(run, serve, 15)
        await asyncio.sleep(3)


@scenario(own_database=True)
async def database_answers_lost(run: Run) -> None:
    """What a `serve` says to PostgreSQL arrives, and the answers do not, for 3 to 12 s at a time: what was kept,
    claimed or recorded without its knowing is found, and nothing is done twice."""
    proxy = await _behind(run)
    serve, _ = await run.start("serve", "worker")
    async with run.load():
        while True:
            await asyncio.sleep(run.chance.uniform(2, 4))
            await proxy.turn("no_answers")
            run.stage.faults["answers lost"] += 1
            await asyncio.sleep(run.chance.uniform(3, 12))
            # The answers themselves never come: the connections are reset under who waits for them.
            proxy.reset()
            await proxy.turn("open")
            if not run.going_on():
                break
        await _ready_again(run, serve, 15)


@scenario(own_database=True)
async def database_far_away(run: Run) -> None:
    """Each packet between the nodes and PostgreSQL takes 40 ms, in either direction: slower, and nothing else."""
    proxy = await _behind(run)
    proxy.delay = 0.04
    await run.start("serve", "worker")
    async with run.load():
        while True:
            await asyncio.sleep(5)
            if not run.going_on():
                break


@scenario(own_database=True, lacks=no_cable)
async def database_cable_pulled(run: Run) -> None:
    """No packet comes back from PostgreSQL for 40 s, not even an acknowledgement. Whoever asks the REST API hears of it
    within 30 s; when packets come again, all goes on."""
    cable = await run.lasts.enter_async_context(cable_to_database(run.stage.postgres.url))
    run.stage.environment["TIDINGS_DATABASE_URL"] = cable.url
    serve, _ = await run.start("serve", "worker")
    async with run.load():
        await run.stage.must(serve, "GET", "/rules")
        await asyncio.sleep(3)
        cable.pull()
        run.stage.faults["cable pulled"] += 1
        began = time.monotonic()
        status, answer = await run.stage.call(serve, "GET", "/api/v1/rules", seconds=60)
        waited = time.monotonic() - began
        assert (status, waited < HEARD_WITHIN) == (503, True), (status, answer, waited)
        run.stage.faults[f"503 after {waited:.0f} s"] += 1
        await asyncio.sleep(max(0.0, PULLED_FOR - waited))
        cable.mend()
        await _ready_again(run, serve, 30)
        await _sends(run, 10)


async def _sends(run: Run, within: float) -> None:
    """Raises AssertionError unless something arrives at a receiver in that time."""
    before = len(run.stage.receiver.arrivals)
    async with asyncio.timeout(within):
        while len(run.stage.receiver.arrivals) == before:
            await asyncio.sleep(0.1)


# between a node and those it sends to


async def _receivers_behind(run: Run, through: Process, people: Sequence[str]) -> Proxy:
    """The webhooks of these people, from now on."""
    proxy = await run.lasts.enter_async_context(Proxy.to("127.0.0.1", run.stage.receiver.port))
    for login in people:
        webhook = {"url": f"http://127.0.0.1:{proxy.port}/{login}", "secret": SECRET}
        methods = {"methods": ["webhook"], "webhook": webhook}
        await run.stage.must(through, "PUT", f"/users/{login}/notification-settings", methods)
    return proxy


def _unheard(run: Run, people: Sequence[str], since: datetime) -> None:
    """What these people's receivers took since then they could not say, so it may rightly come again."""
    paths = {f"/{login}" for login in people}
    for one in run.stage.receiver.arrivals:
        if one.path in paths and one.at >= since - IN_FLIGHT:
            run.stage.may_repeat[one.identity.removeprefix("msg_")] += 1


@scenario()
async def receivers_cut_off(run: Run) -> None:
    """The network between the nodes and two of four receivers is cut, silent or loses their answers for up to 20 s at
    a time. A receiver that took a message and could not say so gets it again, with the same id."""
    serve, _ = await run.start("serve", "worker")
    people = run.people[:2]
    proxy = await _receivers_behind(run, serve, people)
    async with run.load():
        while True:
            for way, most in WAYS:
                await asyncio.sleep(run.chance.uniform(1, 3))
                since = datetime.now(UTC)
                await proxy.turn(way)
                run.stage.faults[f"network {way.replace('_', ' ')}"] += 1
                await asyncio.sleep(run.chance.uniform(1, most))
                if way == "no_answers":
                    proxy.reset()
                await proxy.turn("open")
                _unheard(run, people, since)
            if not run.going_on():
                break
        await asyncio.sleep(2)
