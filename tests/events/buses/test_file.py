"""The file of buses: what may stand there, and what is said of what may not, with no secret in it."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tidings.events.buses.file import Entry, Kafka, Nats, RabbitMQ, Redis, kind_of, read_buses
from tidings.kernel.settings import SettingsError

ALL = """
[[bus]]
name = "tickets"
kind = "kafka"
url = "kafkas://tidings:${KAFKA_PASSWORD}@k1.example.com:9093,k2.example.com:9093?sasl=SCRAM-SHA-512"
topic = "tickets"
source = "dms-prod"
tenant = "acme"
adapter = "dms"
batch = 100

[[bus]]
name = "orders"
kind = "rabbitmq"
url = "${AMQP_URL}"
queue = "orders"
source = "orders"

[[bus]]
name = "flows"
kind = "nats"
url = "nats://nats.example.com:4222"
stream = "FLOWS"
subject = "flows.*.status"
source = "flows"

[[bus]]
name = "lake"
kind = "redis"
url = "redis://redis.example.com:6379/0"
stream = "lake"
source = "lake"
taken_over_after = 30
"""


def read(tmp_path: Path, text: str, **environment: str) -> Sequence[Entry]:
    path = tmp_path / "buses.toml"
    path.write_text(text)
    return read_buses(path, environment)


def test_every_kind_is_read_with_its_defaults(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("p@ss/word\n")
    buses = read(tmp_path, ALL, KAFKA_PASSWORD_FILE=str(secret), AMQP_URL="amqp://u:p%2F@mq.example.com/")
    kafka, rabbitmq, nats, redis = buses
    assert [kind_of(each) for each in buses] == ["kafka", "rabbitmq", "nats", "redis"]
    assert isinstance(kafka, Kafka)
    assert kafka.url.startswith("kafkas://tidings:p%40ss%2Fword@k1.example.com")
    assert (kafka.adapter, kafka.batch, kafka.group, kafka.tenant) == ("dms", 100, "tidings", "acme")
    assert isinstance(rabbitmq, RabbitMQ)
    assert rabbitmq.url == "amqp://u:p%2F@mq.example.com/"
    assert (rabbitmq.adapter, rabbitmq.batch, rabbitmq.tenant) == ("tidings", 500, "")
    assert isinstance(nats, Nats)
    assert (nats.group, nats.subject, nats.taken_over_after) == ("tidings", "flows.*.status", 60)
    assert isinstance(redis, Redis)
    assert (redis.field, redis.taken_over_after) == ("data", 30)


def test_the_file_on_the_page_is_read_as_it_stands(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "sources" / "buses.md").read_text()
    [text] = re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    environment = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "secret")
    assert [kind_of(each) for each in read(tmp_path, text, **environment)] == ["kafka", "rabbitmq", "nats", "redis"]
    assert all(name in page for name in ("taken_over_after", "batch", "group", "field", "subject", "adapter", "tenant"))


def test_without_a_file_there_are_none() -> None:
    assert read_buses(None, {}) == ()


ONE = '[[bus]]\nname = "a"\nkind = "redis"\nurl = "redis://h"\nstream = "s"\nsource = "x"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[bus", "no TOML"),
        ("[[buses]]", "unknown field `buses`"),
        ("[[bus]]", "bus[0]"),
        (ONE.replace("redis", "pulsar", 1), "kind`, which is kafka, rabbitmq, nats or redis"),
        (f"{ONE}topic = 'x'", "unknown field `topic`"),
        (ONE.replace('source = "x"', ""), "`source`"),
        (f"{ONE}batch = 0", "bus[0].batch"),
        (f"{ONE}adapter = 'nobody'", "The adapters are: "),
        (ONE.replace("redis://", "http://"), "redis://USER@HOST:PORT"),
        (ONE.replace("redis://h", "redis://:${SECRET}@h"), "${SECRET}"),
        (ONE + ONE, "two buses called 'a'"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert says in str(caught.value)
    assert str(caught.value).startswith("TIDINGS_BUSES: ")


@pytest.mark.parametrize("where", ["", "/0", ":6379", "u:p@", "h:99999", "h:0", "h:x", "h:-1", "[::1", ":hunt/er2@h"])
def test_a_url_that_leads_nowhere_is_named(tmp_path: Path, where: str) -> None:
    with pytest.raises(SettingsError, match="the url of a has no host, or an impossible port") as caught:
        read(tmp_path, ONE.replace("redis://h", f"redis://{where}"))
    assert "hunt" not in str(caught.value)


@pytest.mark.parametrize("where", ["redis://h:6379/0", "rediss://u:p@h", "redis://[::1]:6379", "unix:///run/redis"])
def test_a_url_that_leads_somewhere_is_taken(tmp_path: Path, where: str) -> None:
    assert read(tmp_path, ONE.replace("redis://h", where))[0].url == where


def test_every_broker_of_kafka_has_a_host_and_a_port(tmp_path: Path) -> None:
    kafka = ONE.replace('"redis"', '"kafka"').replace("stream", "topic")
    assert read(tmp_path, kafka.replace("redis://h", "kafka://u:p@a:1,[::1]:2,c"))
    for brokers in ("a:1,", "a:1,b:70000", "a,:9092"):
        with pytest.raises(SettingsError, match="impossible port"):
            read(tmp_path, kafka.replace("redis://h", f"kafka://{brokers}"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_buses(tmp_path / "none.toml", {})


def test_no_secret_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, ONE.replace("redis://h", "${URL}"), URL="http://user:hunter2@h")
    assert "hunter2" not in str(caught.value)
