"""`/readyz` is believed by load balancers: it says ready only of a node that would keep an event and send what is due."""

import asyncio
import os
import signal
import threading
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.error import URLError

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.conftest import Server
from tests.delivery.given import event
from tests.scenarios.stage import SERVE, WEB, WORKER, Answer, Stage

from tidings.delivery import lease
from tidings.events import group
from tidings.node import ready, watch


async def said(stage: Stage) -> str:
    """Why it is not ready; empty: it is."""
    answer = await stage.send("GET", "/readyz")
    if answer.status == 200:
        assert answer.body["status"] == "ready"
        return ""
    assert (answer.status, answer.body["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    return str(answer.body["detail"])


async def comes(stage: Stage, words: str, within: float = 8.0) -> None:
    """Wait until it says so; empty: until it is ready."""
    heard, until = "", time.monotonic() + within
    while time.monotonic() < until:
        heard = await said(stage)
        if (words in heard) if words else not heard:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{words!r} was not said, but {heard!r}")


@asynccontextmanager
async def locked(url: str, *statements: str) -> AsyncIterator[None]:
    """What these take is not given back meanwhile."""
    connection = await psycopg.AsyncConnection.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
        yield
    finally:
        await connection.rollback()
        await connection.close()


@pytest.mark.parametrize("duties", [SERVE, WEB, WORKER], ids=["serve", "web", "worker"])
async def test_not_while_the_database_is_away(
    empty_stage: Stage, server: Server, database: str, duties: object
) -> None:
    stage = empty_stage
    await stage.start(duties, watched=True)  # type: ignore[arg-type]
    assert await said(stage) == ""
    name = str(conninfo_to_dict(database)["dbname"])
    server.run("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
    try:
        server.run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            " AND application_name LIKE 'tidings %' AND application_name <> 'tidings stage'"
        )
        assert "The database " in await said(stage)
    finally:
        server.run("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)
    await comes(stage, "")


async def test_not_while_the_database_stands_still_and_says_so_within_seconds(
    empty_stage: Stage, server: Server, database: str
) -> None:
    stage = empty_stage
    await stage.start(WEB)
    assert await said(stage) == ""
    name = str(conninfo_to_dict(database)["dbname"])
    with psycopg.connect(server.url) as connection:
        pids = [
            pid
            for (pid,) in connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = 'tidings checks'", (name,)
            )
        ]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert "The database " in await said(stage)
        assert time.monotonic() - began < 5  # two, and what a busy machine adds
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    await comes(stage, "")


@pytest.mark.parametrize("duties", [SERVE, WORKER], ids=["serve", "worker"])
async def test_not_while_the_database_is_read_only(empty_stage: Stage, server: Server, duties: object) -> None:
    stage = empty_stage
    await stage.start(duties, watched=True)  # type: ignore[arg-type]
    server.run("ALTER SYSTEM SET default_transaction_read_only = on")
    server.run("SELECT pg_reload_conf()")
    try:
        await comes(stage, "read-only")
    finally:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")
    await comes(stage, "")


async def test_not_while_migrations_are_missing_and_says_what_to_do(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.start(WEB)
    [(app, name)] = await stage.rows(
        "SELECT app, name FROM django_migrations WHERE app = 'delivery' ORDER BY id DESC LIMIT 1"
    )
    await stage.database.execute("DELETE FROM django_migrations WHERE app = %s AND name = %s", (app, name))
    try:
        heard = await said(stage)
        assert "tidings migrate" in heard and f"{app}.{name}" in heard
    finally:
        await stage.database.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())", (app, name)
        )
    assert await said(stage) == ""
    # What a newer node has added is no reason.
    await stage.database.execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('delivery', '9999_x', now())"
    )
    assert await said(stage) == ""
    await stage.database.execute("DELETE FROM django_migrations WHERE name = '9999_x'")
    # Nor does a table that is not there pass for a database that is away.
    await stage.database.execute("ALTER TABLE delivery_node RENAME TO delivery_elsewhere")
    try:
        assert "tidings migrate" in await said(stage)
    finally:
        await stage.database.execute("ALTER TABLE delivery_elsewhere RENAME TO delivery_node")


async def test_not_while_the_lease_cannot_be_renewed(
    empty_stage: Stage, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_EVERY", timedelta(seconds=0.1))
    monkeypatch.setattr(lease, "STOP_AFTER", timedelta(seconds=0.8))
    stage = empty_stage
    await stage.start(SERVE)
    async with locked(database, "LOCK TABLE delivery_node IN SHARE ROW EXCLUSIVE MODE"):
        await comes(stage, "The lease was not renewed for ")
    await comes(stage, "")


async def test_not_while_events_wait_for_a_commit_that_does_not_come(
    empty_stage: Stage, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready, "KEEPS_WITHIN", 1.5)
    monkeypatch.setattr(ready, "FAILURE_SHOWS", 1.5, raising=False)
    monkeypatch.setattr("tidings.node.engine.KEEP_WITHIN", 4.0)
    stage = empty_stage
    await stage.reachable("ann")
    await stage.start(WEB)
    async with locked(database, "LOCK TABLE events_event IN SHARE ROW EXCLUSIVE MODE"):
        posting = asyncio.create_task(stage.send("POST", "/api/v1/events", event(to="ann")))
        await comes(stage, "Events have not been kept for ")
        answer: Answer = await posting
        assert answer.status == 503
        assert "could not be kept" in await said(stage)
    # It is tried again: whoever asks has sent it elsewhere meanwhile, and nobody else shows that it works.
    await comes(stage, "")
    await stage.post(event(to="ann"))
    assert await said(stage) == ""


async def test_a_bad_event_does_not_make_a_node_unready(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.start(WEB)
    await stage.database.execute("ALTER TABLE events_event ADD CONSTRAINT odd CHECK (source_id <> 'odd')")
    try:
        assert (await stage.send("POST", "/api/v1/events", event(id="odd"))).status == 422
    finally:
        await stage.database.execute("ALTER TABLE events_event DROP CONSTRAINT odd")
    assert await said(stage) == ""


async def test_not_while_no_more_events_are_taken(
    empty_stage: Stage, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "WAITING_AT_MOST", 3)
    stage = empty_stage
    await stage.reachable("ann")
    await stage.start(WEB)
    async with locked(database, "LOCK TABLE events_event IN SHARE ROW EXCLUSIVE MODE"):
        first = asyncio.create_task(stage.post(event(to="ann")))
        await stage.until(lambda: stage.nodes[0].node.keeping.stuck())
        more = [asyncio.create_task(stage.post(event(to="ann"))) for _ in range(3)]
        await stage.until(lambda: stage.nodes[0].node.groups.waiting == 3)
        assert (await stage.send("POST", "/api/v1/events", event(to="ann"))).status == 503
        assert await said(stage) == "3 events wait to be kept, and no more are taken just now."
    await asyncio.gather(first, *more)
    assert await said(stage) == ""


async def test_not_while_it_stops_and_prometheus_is_told_the_same(
    empty_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "BACKLOG_EVERY", 0.0)
    stage = empty_stage
    await stage.start(WEB)
    assert b"\ntidings_ready 1.0\n" in (await stage.send("GET", "/metrics")).body
    stage.nodes[0].node.groups.closed = True
    assert await said(stage) == "This node is stopping."
    assert b"\ntidings_ready 0.0\n" in (await stage.send("GET", "/metrics")).body


async def test_a_node_whose_loop_is_blocked_gives_no_answer(empty_stage: Stage) -> None:
    stage = empty_stage
    port = (await stage.start(SERVE)).port
    heard: list[object] = []

    def ask() -> None:
        time.sleep(0.2)
        try:
            heard.append(urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=0.5).status)
        except (URLError, TimeoutError) as error:
            heard.append(type(error))

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(1.2)  # on the loop
    asking.join()
    assert heard in ([TimeoutError], [URLError])
    assert await said(stage) == ""
