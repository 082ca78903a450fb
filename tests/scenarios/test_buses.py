"""Events out of message buses: durable before they are done with there, told once however often they come, and nothing
that cannot be read keeps what is behind it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.conftest import Server
from tests.delivery.given import event
from tests.scenarios.brokers import BROKERS, Broker, broker_of
from tests.scenarios.stage import SERVE, WEB, Running, Stage, in_django

from tidings.events.sources import park
from tidings.node import buses, metrics

LONG = 20.0
"""Seconds for what takes another connection to a broker, or a member of a group that is gone."""


def raw(**changes: Any) -> bytes:
    return json.dumps(event(**changes)).encode()


@dataclass
class Line:
    """A broker, and a stage whose nodes take events from it."""

    broker: Broker
    stage: Stage
    folder: Path
    is_done: bool = False

    async def start(self, duties: Any = SERVE, **more: Any) -> Running:
        return await self.stage.start(duties, buses=self.file(**more))

    def file(self, **more: Any) -> Path:
        path = self.folder / "buses.toml"
        path.write_text(self.broker.entry("dms", self.stage.organisation.tenant.name, **more))
        return path

    async def kept(self, count: int, within: float = LONG) -> None:
        async def there() -> bool:
            return int(await self.stage.value("SELECT count(*) FROM events_event")) >= count

        await self.until(there, within, f"{count} events")
        assert await self.stage.value("SELECT count(*) FROM events_event") == count

    async def all_done(self, within: float = LONG) -> None:
        async def nothing() -> bool:
            return await self.broker.open() == 0

        await self.until(nothing, within, "the broker to have nothing open")
        self.is_done = True

    async def parked(self, count: int = 1) -> list[dict[str, Any]]:
        async def there() -> bool:
            return len(await self._parked()) >= count

        await self.until(there, LONG, f"{count} parked")
        return await self._parked()

    async def _parked(self) -> list[dict[str, Any]]:
        rows = await self.stage.rows(
            "SELECT reason, detail, body FROM events_parked WHERE resolved_at IS NULL ORDER BY id"
        )
        return [dict(zip(("reason", "detail", "body"), row, strict=True)) for row in rows]

    async def until(self, true: Callable[[], Any], within: float, what: str) -> None:
        async with asyncio.timeout(within):
            while not await true():
                try:
                    await asyncio.sleep(0.05)
                except asyncio.CancelledError:
                    raise AssertionError(f"waited in vain for {what}") from None


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: Any) -> Iterator[Broker]:
    """One for all, with a queue for each: RabbitMQ takes seconds to start."""
    broker = broker_of(request.param)
    try:
        asyncio.run(broker.start())
        yield broker
    finally:
        asyncio.run(broker.end())


@pytest.fixture
async def line(broker: Broker, empty_stage: Stage, tmp_path: Path) -> AsyncIterator[Line]:
    await broker.another_queue()
    await empty_stage.reachable("ann", "bo")
    line = Line(broker, empty_stage, tmp_path)
    yield line
    for running in empty_stage.nodes:
        await running.stop()
    empty_stage.nodes.clear()
    if line.is_done:
        # RabbitMQ counts what is in somebody's hands only now.
        assert await broker.open() == 0


def counted(result: str) -> float:
    return metrics.BUS_MESSAGES.labels("tickets", result)._value.get()


# delivered


async def test_what_is_published_is_told_and_done_with(line: Line) -> None:
    before = counted("accepted")
    await line.broker.publish(raw(id="before-the-node"))
    await line.start()
    await line.broker.publish(*(raw() for _ in range(20)))
    await line.stage.messages("ann", 21, within=LONG)
    await line.all_done()
    assert counted("accepted") - before == 21
    assert metrics.BUS_CONNECTED.labels("tickets")._value.get() == 1
    await line.stage.over()
    await line.stage.ledger()


async def test_a_cloudevent_is_read_by_its_headers(line: Line) -> None:
    await line.start()
    ours = event()
    prefix = {"kafka": "ce_", "rabbitmq": "cloudEvents_"}.get(line.broker.kind, "ce-")
    said = {"specversion": "1.0", "id": "50%-7", "source": "dms", "type": ours["type"]}
    if prefix == "ce-":
        said["id"] = "50%25-7"
    headers = {f"{prefix}{name}": value for name, value in said.items()}
    await line.broker.publish(
        json.dumps({name: ours[name] for name in ("subject", "people")}).encode(), headers=headers
    )
    await line.kept(1)
    assert await line.stage.value("SELECT source_id FROM events_event") == "50%-7"


# once


async def test_what_is_published_twice_is_told_once(line: Line) -> None:
    await line.start()
    twice = raw()
    await line.broker.publish(twice)
    await line.stage.messages("ann", within=LONG)
    before = counted("duplicate")
    await line.broker.publish(twice)
    await line.until(lambda: done(line, before + 1), LONG, "the second to be a duplicate")
    await line.all_done()
    await line.kept(1)
    assert len(line.stage.arrived("ann")) == 1


DIES = """
import os, sys
from tidings.events.buses import opened
from tidings.cli.main import main

def dies(entry, real=opened.bus_of):
    bus = real(entry)

    async def done(taken):
        os.kill(os.getpid(), 9)

    bus.done = done
    return bus

import tidings.node.buses
tidings.node.buses.Buses.__init__.__defaults__ = (dies,)
sys.argv = ["tidings", "consume"]
main()
"""


async def test_a_node_that_is_killed_between_durable_and_done_tells_nobody_twice(line: Line) -> None:
    await line.broker.publish(*(raw() for _ in range(3)))
    environment = os.environ | {
        "TIDINGS_BUSES": str(line.file()),
        "TIDINGS_DATABASE_URL": line.stage.url,
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, env=environment)
    assert await asyncio.wait_for(process.wait(), 40) == -signal.SIGKILL
    durable = await line.stage.value("SELECT count(*) FROM events_event")
    assert durable > 0
    before = counted("duplicate")
    await line.start()
    await line.stage.messages("ann", 3, within=60)
    await line.until(lambda: done(line, before + durable), 60, "them to come again")
    await line.all_done()
    await line.stage.over()
    await line.kept(3)
    assert len(line.stage.arrived("ann")) == 3
    await line.stage.ledger()


async def done(line: Line, duplicates: float) -> bool:
    return counted("duplicate") >= duplicates


# poison


async def test_what_cannot_be_read_is_parked_and_the_next_goes_on(line: Line) -> None:
    await line.start(WEB)
    before = counted("parked")
    await line.broker.publish(
        b"{", b"\xff\xfe\x00binary", b'{"a": "\x00"}', raw(type="no.such_type"), b"x" * 300_000, raw(id="after-them")
    )
    await line.kept(1)
    reasons = [(each["reason"], each["detail"]) for each in await line.parked(5)]
    assert counted("parked") - before == 5
    assert [reason for reason, _ in sorted(reasons)] == ["not_understood"] * 4 + ["unknown_event_type"]
    said = " ".join(detail for _, detail in reasons)
    for words in ("This is not JSON", "0xff", "U+0000", "300,000 bytes", "no.such_type", line.broker.queue):
        assert words in said
    await line.all_done()
    if isinstance(line.broker, BROKERS["rabbitmq"]):
        # What is not kept whole goes to the queue's dead letters.
        assert await line.broker.count(f"{line.broker.queue}-dead") == 1  # type: ignore[attr-defined]


async def test_what_was_parked_is_replayed_once_it_is_said_what_it_means(line: Line) -> None:
    await line.start()
    await line.broker.publish(raw(type="they.call_it_so"))
    await line.parked()
    secret = await in_django(lambda: line.stage.organisation.token("root"))
    rows = {"adapter": "tidings", "rows": [{"event": "they.call_it_so", "type": "data_change.successful"}]}
    await line.stage.send("PUT", "/api/v1/sources/dms/mapping", rows, token=secret)
    answer = await line.stage.send("POST", "/api/v1/sources/dms/parked/replay", token=secret)
    assert answer.body["replayed"] == 1
    await line.stage.messages("ann")


# what goes away and comes back


async def test_while_the_database_is_away_nothing_is_lost(line: Line, server: Server, database: str) -> None:
    await line.start()
    await line.broker.publish(raw())
    await line.stage.messages("ann", within=LONG)
    before = redelivered()
    async with away(server, database):
        await line.broker.publish(*(raw() for _ in range(5)))
        await line.until(lambda: held(True), LONG, "them to be held")
        await asyncio.sleep(4)  # longer than a node that is dead has before others take them over
        assert len(line.stage.arrived("ann")) == 1
    await line.stage.messages("ann", 6, within=LONG)
    await line.all_done()
    await line.until(lambda: held(False), LONG, "nothing to be held")
    assert len(line.stage.arrived("ann")) == 6
    # They stayed in its hands.
    assert redelivered() == before


@asynccontextmanager
async def away(server: Server, url: str) -> AsyncIterator[None]:
    """For nodes: their connections are cut, and they get no new ones."""
    name = str(conninfo_to_dict(url)["dbname"])
    server.run("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
    try:
        server.run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            " AND application_name LIKE 'tidings %' AND application_name <> 'tidings stage'"
        )
        yield
    finally:
        server.run("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)


def redelivered() -> float:
    return metrics.BUS_REDELIVERED.labels("tickets")._value.get()


async def held(some: bool) -> bool:
    return bool(metrics.BUS_HELD.labels("tickets")._value.get()) == some


async def test_a_broker_that_is_restarted_is_found_again(line: Line) -> None:
    if line.broker.kind == "kafka":
        pytest.skip("librdkafka's broker ends with what it holds")
    await line.start()
    await line.broker.publish(raw())
    await line.stage.messages("ann", within=LONG)
    await line.broker.stop()
    await line.until(lambda: connected(0), LONG, "the node to notice")
    await line.broker.start()
    await line.broker.publish(raw())
    await line.stage.messages("ann", 2, within=30)
    await line.all_done()


async def connected(value: int) -> bool:
    return metrics.BUS_CONNECTED.labels("tickets")._value.get() == value


async def test_what_a_node_that_stopped_left_is_taken_by_another(line: Line) -> None:
    first = await line.start(WEB)
    await line.broker.publish(raw())
    await line.kept(1)
    await first.stop()
    line.stage.nodes.remove(first)
    await line.broker.publish(raw(), raw())
    await line.start()
    await line.kept(3)
    await line.all_done()


async def test_two_nodes_share_what_there_is(line: Line) -> None:
    if line.broker.kind == "kafka":
        pytest.skip("librdkafka's broker refuses for a minute what a group's leader says while another member joins")
    await line.start()
    await line.start(WEB)
    for _ in range(10):
        await line.broker.publish(*(raw() for _ in range(10)))
    await line.kept(100)
    await line.all_done()
    await line.stage.messages("ann", 100, within=LONG)
    assert len(line.stage.arrived("ann")) == 100


# what is in the way of a single one


REFUSES = """
CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'not now' USING ERRCODE = '58030';
END $$;
CREATE TRIGGER refuses BEFORE INSERT ON events_event EXECUTE FUNCTION refuses();
"""


async def test_what_cannot_be_kept_for_long_though_it_can_be_parked_is_parked_as_it_is(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buses, "GIVE_UP_AFTER", 2.0)
    await line.stage.database.execute(REFUSES, prepare=False)
    try:
        await line.start()
        await line.broker.publish(raw())
        await line.until(lambda: held(True), LONG, "it to be held")
        [parked] = await line.parked()
        assert parked["detail"].startswith("It could not be kept, and can be read again:")
        await line.until(lambda: held(False), LONG, "nothing to be held")
        await line.all_done()
    finally:
        await line.stage.database.execute("DROP FUNCTION refuses CASCADE", prepare=False)
    secret = await in_django(lambda: line.stage.organisation.token("root"))
    await line.stage.send("POST", "/api/v1/sources/dms/parked/replay", token=secret)
    await line.stage.messages("ann")


async def test_when_no_more_can_be_parked_the_message_waits_and_is_not_lost(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(park, "WAITING_AT_MOST", 1)
    await line.start()
    await line.broker.publish(b"[1", b"[2", raw())
    await line.kept(1)
    await line.until(lambda: held(True), LONG, "it to be held")
    assert len(await line.parked()) == 1
    # Somebody says what the first means; then there is room.
    await line.stage.database.execute("UPDATE events_parked SET resolved_at = now()")
    await line.until(lambda: held(False), LONG, "nothing to be held")
    assert len(await line.parked()) == 1
    await line.all_done()
