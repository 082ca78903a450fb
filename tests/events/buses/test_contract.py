"""What a message says, whichever bus it came from."""

import asyncio
from datetime import UTC, datetime

import pytest

from tidings.events.buses.contract import as_in_http, plain
from tidings.events.buses.file import Entry, Kafka, Nats, RabbitMQ, Redis
from tidings.events.buses.kafka import _connection
from tidings.events.buses.opened import opened
from tidings.events.buses.redis import RedisBus
from tidings.node.buses import _without_secrets


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("ce_id", "ce-id"),
        ("ce-id", "ce-id"),
        ("cloudEvents:id", "ce-id"),
        ("cloudEvents_specversion", "ce-specversion"),
        ("Content-Type", "content-type"),
        ("x-ce_id", "x-ce_id"),
    ],
)
def test_attributes_of_cloudevents_have_one_name(name: str, means: str) -> None:
    assert plain(name) == means


def test_a_percent_sign_stays_one() -> None:
    assert as_in_http("50%25") == "50%2525"


def redis(**more: str) -> RedisBus:
    return RedisBus(Redis(name="x", url="redis://127.0.0.1", source="x", stream="lake", **more))


def test_an_entry_of_redis_is_its_field_and_the_others_are_headers() -> None:
    taken = redis()._taken(b"1795704767514-3", {b"data": b"{}", b"ce_id": b"7"}, again=False)
    assert (taken.body, taken.headers, taken.place) == (b"{}", {"ce-id": "7"}, "lake 1795704767514-3")
    assert taken.sent == datetime(2026, 11, 26, 14, 52, 47, 514_000, UTC)
    assert redis(field="Event")._taken(b"1-1", {b"Event": b"{}"}, again=True).body == b"{}"


def test_an_entry_of_redis_without_it_is_itself_the_payload() -> None:
    taken = redis()._taken(b"1-1", {b"id": b"7", b"newStatus": b"done"}, again=False)
    assert (taken.body, taken.headers) == (b'{"id":"7","newStatus":"done"}', {})


def test_how_kafka_is_reached_stands_in_the_url() -> None:
    plainly = _connection("kafka://k1:9092,k2:9092")
    assert (plainly["bootstrap_servers"], plainly["security_protocol"]) == (["k1:9092", "k2:9092"], "PLAINTEXT")
    safely = _connection("kafkas://tidings:p%40ss@k1:9093?sasl=SCRAM-SHA-512")
    assert (safely["security_protocol"], safely["sasl_mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (safely["sasl_plain_username"], safely["sasl_plain_password"]) == ("tidings", "p@ss")
    assert safely["ssl_context"].check_hostname


def test_what_a_library_says_is_told_without_the_password() -> None:
    entry = Kafka(name="x", url="kafka://tidings:hunter2@k1:9092", source="x", topic="x")
    for said in ("cannot reach kafka://tidings:hunter2@k1:9092", "tidings:hunter2 refused", "wrong password hunter2"):
        assert "hunter2" not in _without_secrets(said, entry.url)


@pytest.mark.parametrize(
    "entry",
    [
        Kafka(name="x", url="kafka://127.0.0.1:9", source="x", topic="x"),
        RabbitMQ(name="x", url="amqp://127.0.0.1:9", source="x", queue="x"),
        Nats(name="x", url="nats://127.0.0.1:9", source="x", stream="x"),
        Redis(name="x", url="redis://127.0.0.1:9", source="x", stream="x"),
    ],
    ids=lambda entry: type(entry).__name__,
)
async def test_a_bus_that_is_away_is_told_within_seconds(entry: Entry) -> None:
    """Whoever started the node looks at its log then, and not two minutes later."""
    with pytest.raises(Exception, match=r"127\.0\.0\.1|refused|Connect call failed"):
        async with asyncio.timeout(10), opened(entry):
            pass
