"""The database goes away and comes back: whoever posts meanwhile gets an answer, and whatever was accepted arrives."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.delivery.given import event
from tests.scenarios.stage import Stage, in_django

from tidings.channels.testing.webhook_receiver import Reply
from tidings.kernel.postgres import Running, start


@pytest.fixture
def postgres(database: str) -> Iterator[Running]:
    """A hold of our own on the server, as each node has one."""
    with start(Path(os.environ["TIDINGS_DATA_DIR"])) as running:
        yield running
        running.revive()
    from django.db import connections

    connections.close_all()


def postmaster() -> int:
    """Of our own server: its process works in the cluster of this test run."""
    cluster = Path(os.environ["TIDINGS_DATA_DIR"]) / "postgres" / "cluster"
    pid = int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
    assert psutil.Process(pid).cwd() == str(cluster.resolve())
    return pid


async def stubborn(stage: Stage, events: list[dict[str, Any]]) -> int:
    """A sender that sends each again until it is kept; how often it was asked to."""
    again = 0
    for one in events:
        while True:
            answer = await stage.send("POST", "/api/v1/events", one)
            if answer.status == 202:
                break
            assert answer.status == 503, answer
            assert answer.headers["retry-after"]
            again += 1
            await asyncio.sleep(0.05)
    return again


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["restarted", "killed"])
async def test_the_database_is_gone_in_the_middle_and_nothing_is_lost(
    empty_stage: Stage, postgres: Running, how: signal.Signals
) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    stage.answers("ann", Reply(after=0.02))
    await stage.start(revive=lambda: postgres.revive())
    events = [event(to="ann", id=f"{how}-{number}") for number in range(120)]
    # when: it goes while events come in and messages go out
    posting = [asyncio.create_task(stubborn(stage, events[start::4])) for start in range(4)]
    await stage.until(lambda: len(stage.receiver.arrivals) > 20)
    os.kill(postmaster(), how)
    async with asyncio.timeout(40):
        await asyncio.gather(*posting)
    # then
    from tidings.kernel.database import connect

    stage.database = await connect(stage.url, name="stage")
    assert await stage.value("SELECT count(*) FROM events_event") == len(events)
    # A commit whose answer never came leaves deliveries that two looks, five seconds apart, find.
    await stage.over(20)
    assert await stage.states() == ["sent"] * len(events)
    assert {one.payload["data"]["event_id"] for one in stage.receiver.arrivals} == {
        str(row[0]) for row in await stage.rows("SELECT id FROM events_event")
    }
    await stage.ledger()


async def test_without_a_database_a_node_says_so_and_recovers(empty_stage: Stage, postgres: Running) -> None:
    """Nobody starts this server for the node: as one of the installation's own."""
    stage = empty_stage
    await stage.reachable("ann")
    await stage.start()
    await stage.post(event(to="ann"))
    await stage.over()
    os.kill(postmaster(), signal.SIGKILL)
    await asyncio.sleep(0.3)
    answer = await stage.send("POST", "/api/v1/events", event(to="ann"))
    assert (answer.status, answer.body["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    assert (await stage.send("GET", "/readyz")).status == 503
    assert (await stage.send("GET", "/healthz")).status == 200
    batch = await stage.post_batch(event(), event())
    assert batch.status == 503
    # when
    await asyncio.to_thread(postgres.revive)
    await stubborn(stage, [event(to="ann")])
    await stage.messages("ann", 2)

    async def ready() -> bool:
        return (await stage.send("GET", "/readyz")).status == 200

    async with asyncio.timeout(10):
        while not await ready():
            await asyncio.sleep(0.1)
    from tidings.kernel.database import connect

    stage.database = await connect(stage.url, name="stage")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["restarted", "killed"])
async def test_after_a_restart_every_idle_connection_works_at_its_first_use(
    empty_stage: Stage, postgres: Running, how: signal.Signals
) -> None:
    stage = empty_stage
    await stage.start()
    root = await in_django(lambda: stage.organisation.token("root"))
    fresh = await in_django(lambda: stage.organisation.source_token("fresh"))

    async def each_once(source: str, secret: str) -> list[int]:
        """Each of them has a connection of its own."""
        return [
            (await stage.send(method, path, body, token=token)).status
            for method, path, body, token in (
                ("GET", "/readyz", None, root),
                ("POST", "/api/v1/preview", event(source=source), secret),
                ("POST", "/api/v1/events", event(source=source), secret),
                ("GET", "/api/v1/rules", None, root),
            )
        ]

    assert await each_once("dms", stage.token) == [200, 200, 202, 200]
    os.kill(postmaster(), how)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(postgres.revive)
    assert await each_once("fresh", fresh) == [200, 200, 202, 200]
    from tidings.kernel.database import connect

    stage.database = await connect(stage.url, name="stage")


async def test_an_embedded_server_that_cannot_be_started_is_an_answer_and_not_the_end(
    empty_stage: Stage, postgres: Running
) -> None:
    from tidings.kernel.prepare_cluster import EmbeddedPostgresError

    stage = empty_stage
    broken = True

    def revive() -> None:
        if broken:
            raise EmbeddedPostgresError("The disk is full.", "Make room.")
        postgres.revive()

    await stage.start(revive=revive)
    await stage.post(event())
    os.kill(postmaster(), signal.SIGKILL)
    await asyncio.sleep(0.3)
    assert (await stage.send("POST", "/api/v1/events", event())).status == 503
    await asyncio.sleep(1.2)
    broken = False
    await stubborn(stage, [event()])
    from tidings.kernel.database import connect

    stage.database = await connect(stage.url, name="stage")
