"""The database's disk is full, or was when its server stopped: senders, the log and /readyz say so."""

import asyncio
import threading

import psycopg
import pytest
from tests.delivery.given import event
from tests.scenarios.stage import SERVE, WEB, Stage

from tidings.kernel.postgres import EmbeddedPostgresError
from tidings.kernel.settings import settings
from tidings.node.engine import Node
from tidings.node.pulse import LOOKS, StandsStill
from tidings.node.ready import why_not_ready


async def test_a_full_disk_is_called_one_and_the_node_is_not_ready_while_it_lasts(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.start(WEB)
    await stage.database.execute(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'could not extend file: No space left on device';"
        " END $$"
    )
    await stage.database.execute("CREATE TRIGGER no_room BEFORE INSERT ON events_event EXECUTE FUNCTION no_room()")
    one = event(to="ann")
    try:
        assert (await stage.send("GET", "/readyz")).status == 200
        answer = await stage.send("POST", "/api/v1/events", one)
        assert (answer.status, answer.body["code"]) == (503, "unavailable")
        assert answer.body["detail"] == "The database's disk is full; nothing was kept. Send again."
        assert int(answer.headers["retry-after"]) > 0
        ready = await stage.send("GET", "/readyz")
        assert ready.status == 503
        assert ready.body["detail"] == "Events could not be kept: the database's disk is full."
    finally:
        await stage.database.execute("DROP FUNCTION no_room CASCADE")
    await stage.post(one)
    assert (await stage.send("GET", "/readyz")).status == 200


async def test_an_embedded_server_that_cannot_start_is_not_tried_by_all_who_miss_it_at_once() -> None:
    tries: list[int] = []

    def start() -> None:
        tries.append(1)
        raise EmbeddedPostgresError(
            "PostgreSQL ended while it started. It said:\nNo space left on device", "Free some."
        )

    node = Node(settings(), "postgresql://nobody@/none?host=/nonexistent", WEB, start)
    for name in ("ingest", "lease", "claim"):
        with pytest.raises(psycopg.errors.DiskFull):
            await node.connection(name).live()
    assert len(tries) == 1
    assert await why_not_ready(node) == "The database's disk is full."


async def test_a_node_does_not_end_itself_while_its_embedded_server_recovers() -> None:
    recovered = threading.Event()

    def start() -> None:
        recovered.wait(30)

    node = Node(settings(), "postgresql://nobody@/none?host=/nonexistent", SERVE, start)
    waiting = asyncio.ensure_future(node.connection("claim").live())
    try:
        while not node._starts_database():
            await asyncio.sleep(0.01)
        for _ in range(2 * LOOKS):
            node.pulse.look()
    finally:
        recovered.set()
    with pytest.raises(psycopg.OperationalError):
        await waiting
    with pytest.raises(StandsStill):
        for _ in range(2 * LOOKS):
            node.pulse.look()
