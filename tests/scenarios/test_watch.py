"""Whoever watches an installation sees what waits, what failed, and whether anybody delivers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.delivery.given import event
from tests.scenarios.stage import SERVE, WEB, WORKER, Running, Stage, in_django

from tidings.channels.testing.webhook_receiver import Reply
from tidings.check import Finding, findings
from tidings.node import watch


@pytest.fixture(autouse=True)
def looked_at_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "BACKLOG_EVERY", 0.0)


async def metrics(stage: Stage, at: Running) -> dict[str, float]:
    """By name and labels, as `name{value,value}`."""
    answer = await stage.send("GET", "/metrics", at=at)
    assert answer.status == 200
    return {
        f"{one.name}{{{','.join(one.labels.values())}}}" if one.labels else one.name: one.value
        for family in text_string_to_metric_families(answer.body.decode())
        for one in family.samples
    }


async def found() -> dict[str, Finding]:
    return {each.id: each for each in await in_django(lambda: list(findings()))}


async def test_a_node_that_only_delivers_can_be_watched_and_answers_nothing_else(empty_stage: Stage) -> None:
    stage = empty_stage
    worker = await stage.start(WORKER, watched=True)
    assert (await stage.send("GET", "/healthz")).body == {"status": "alive"}
    assert (await stage.send("GET", "/readyz")).body == {"status": "ready", "nodes_delivering": 1}
    assert (await metrics(stage, worker))["tidings_nodes_delivering"] == 1
    for method, path in (("POST", "/api/v1/events"), ("GET", "/api/v1/rules"), ("GET", "/")):
        answer = await stage.send(method, path, event())
        assert (answer.status, answer.body["code"]) == (404, "not_found")
        assert "/healthz, /readyz, /metrics" in answer.body["detail"]
    answer = await stage.send("POST", "/metrics", event())
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert (await stage.send("HEAD", "/readyz")).status == 200


async def test_a_node_that_only_accepts_says_when_nobody_delivers(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    web = await stage.start(WEB)
    # It takes events all the same: they are safe here, and would be lost at their senders if it were taken away.
    ready = await stage.send("GET", "/readyz")
    assert (ready.status, ready.body["status"], ready.body["nodes_delivering"]) == (200, "ready", 0)
    assert "tidings worker" in ready.body["detail"]
    assert (await found())["nodes.none_deliver"].level == "warning"
    # when
    await stage.post(event(to="ann"), event(to="ann"))
    await stage.database.execute(
        "UPDATE delivery_delivery SET due_at = now() + CASE WHEN id = (SELECT min(id::text)::uuid FROM delivery_delivery)"
        " THEN interval '1 hour' ELSE interval '-90 seconds' END"
    )
    # then
    seen = await metrics(stage, web)
    assert (seen["tidings_deliveries_pending{due}"], seen["tidings_deliveries_pending{later}"]) == (1, 1)
    assert 90 <= seen["tidings_oldest_due_seconds"] < 120
    assert (seen["tidings_nodes_delivering"], seen["tidings_database_up"]) == (0, 1)
    nobody = (await found())["deliveries.nobody_delivers"]
    assert (nobody.level, nobody.text) == ("error", "2 deliveries wait, and no node delivers.")
    # when
    await stage.start(WORKER)
    await stage.messages("ann")
    ready = await stage.send("GET", "/readyz")
    assert (ready.status, ready.body) == (200, {"status": "ready", "nodes_delivering": 1})
    assert not {"nodes.none_deliver", "deliveries.nobody_delivers"} & set(await found())


async def test_what_fails_for_good_is_counted_by_channel_and_reason(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.reachable("ann", "bo")
    node = await stage.start(SERVE)
    before = (await metrics(stage, node)).get("tidings_deliveries_failed_total{webhook,rejected}", 0)
    stage.answers("ann", Reply(400))
    await stage.post(event(to="ann"), event(to="bo"))
    await stage.over()
    seen = await metrics(stage, node)
    assert seen["tidings_deliveries_failed_total{webhook,rejected}"] == before + 1
    assert (seen["tidings_deliveries_pending{due}"], seen["tidings_oldest_due_seconds"]) == (0, 0)


async def test_the_database_is_asked_once_in_a_while_however_often_somebody_looks(
    empty_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "BACKLOG_EVERY", 60.0)
    stage = empty_stage
    await stage.reachable("ann")
    web = await stage.start(WEB)
    assert (await metrics(stage, web))["tidings_deliveries_pending{due}"] == 0
    await stage.post(event(to="ann"))
    assert (await metrics(stage, web))["tidings_deliveries_pending{due}"] == 0


async def test_what_came_in_adds_up_with_what_went_out(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.reachable("ann", "bo")
    node = await stage.start(SERVE)
    before = Counter(await metrics(stage, node))
    stage.answers("ann", Reply(503), Reply())
    one = event(to="ann")
    await stage.post(one, event(to="bo"))
    await stage.post(one)
    await stage.post_batch(event(to="ann"), event(to="eve"), event(type="data_change.unheard_of"))
    await stage.over()
    await stage.send("GET", "/api/v1/rules")
    seen = Counter(await metrics(stage, node))
    seen.subtract(before)
    rises = {name: value for name, value in seen.items() if value}
    # Ann, Bo and Ann again; Eve has chosen nothing.
    assert rises["tidings_events_total{accepted}"] == rises["tidings_events_planned_total"] == 4
    assert rises["tidings_events_total{duplicate}"] == 1
    assert rises["tidings_refused_total{unknown_event_type}"] == 1
    assert rises["tidings_skips_total{,no_method}"] == 1
    assert rises["tidings_deliveries_planned_total"] == rises["tidings_deliveries_sent_total{webhook}"] == 3
    assert rises["tidings_attempts_total{webhook,sent,}"] == 3
    assert rises["tidings_attempts_total{webhook,try_later,receiver_unavailable}"] == 1
    assert rises["tidings_vendor_call_seconds_count{webhook}"] == 4
    assert rises["tidings_accept_seconds_count"] == 6
    assert rises["tidings_requests_total{api,4xx}"] == rises["tidings_thread_wait_seconds_count"] == 1
    async with asyncio.timeout(5):
        while (
            not (await metrics(stage, node))["tidings_loop_lag_seconds_count"]
            > before["tidings_loop_lag_seconds_count"]
        ):
            await asyncio.sleep(0.1)
    assert not [name for name in rises if "_created" in name]
    # The database has the same, once.
    await node.node.counting.write(node.node._counts)
    assert await stage.rows(
        "SELECT what, sum(count)::int FROM delivery_hour WHERE tenant_id = %s GROUP BY 1 ORDER BY 1",
        stage.organisation.id,
    ) == [("accepted", 4), ("sent", 3), ("skipped", 1)]


@asynccontextmanager
async def clock_of_the_database(stage: Stage, seconds: int) -> AsyncIterator[None]:
    """It is that much ahead for all who connect from now on."""
    name = await stage.value("SELECT current_database()")
    await stage.database.execute("CREATE SCHEMA wrong")
    await stage.database.execute(
        "CREATE FUNCTION wrong.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS"
        f" $$ SELECT pg_catalog.clock_timestamp() + interval '{seconds} seconds' $$"
    )
    await stage.database.execute(f"ALTER DATABASE {name} SET search_path = wrong, pg_catalog, public")
    try:
        yield
    finally:
        await stage.database.execute(f"ALTER DATABASE {name} RESET search_path")
        await stage.database.execute("DROP SCHEMA wrong CASCADE")


async def test_a_clock_that_is_not_the_databases_shows(empty_stage: Stage) -> None:
    stage = empty_stage
    async with clock_of_the_database(stage, 600):
        node = await stage.start(SERVE)
        await stage.until(lambda: node.node.chores.clock_ahead)
        answer = await stage.send("GET", "/readyz")
        assert answer.status == 200
        assert answer.body["detail"].startswith("This node's clock is 600 s behind the database's")
        assert -601 < (await metrics(stage, node))["tidings_clock_ahead_seconds"] < -599
        assert (await found())["clock.apart"].text == "This machine's clock is 600 s behind the database's."
    assert "clock.apart" not in await found()


async def test_a_node_whose_clock_is_far_off_throws_nothing_away(empty_stage: Stage) -> None:
    """It is a year behind the database here; a year ahead, it would take all there is for old."""
    stage = empty_stage
    await stage.database.execute("INSERT INTO delivery_budget (key, uses, ends_at) VALUES ('old', '{}', '2020-01-01')")
    async with clock_of_the_database(stage, 365 * 86_400):
        node = await stage.start(WEB)
        await stage.until(lambda: node.node.chores.clock_ahead)
        await asyncio.sleep(1.5)
        assert await stage.value("SELECT count(*) FROM delivery_budget WHERE key = 'old'") == 1
    node = await stage.start(WEB)
    async with asyncio.timeout(5):
        while await stage.value("SELECT count(*) FROM delivery_budget WHERE key = 'old'"):
            await asyncio.sleep(0.05)
