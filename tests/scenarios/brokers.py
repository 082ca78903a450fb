"""Real brokers, as processes of their own on free ports with their data in a temporary folder: started, published to,
restarted with what they hold, stopped.

Kafka is not among Debian's packages: in its place stands the broker that librdkafka has for its own tests. It speaks the
protocol, members of groups and committed offsets included, and forgets everything when it ends.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

UP_WITHIN = 60.0
_numbers = count(1)
Headers = Mapping[str, str]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Broker:
    """`queue` is the topic, the stream, the queue: there and, once it was made anew, empty."""

    kind = ""
    program = ""
    package = ""

    def __init__(self) -> None:
        self.queue, self.port = "tickets", free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"tidings-buses-{self.kind}-", dir="/tmp"))
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def missing(cls) -> str:
        there = shutil.which(cls.program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        return "" if there else f"{cls.program} is not installed (Debian: {cls.package})"

    async def start(self) -> None:
        """Also again, with what it held."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdout=log,
                stderr=log,
                env=os.environ | self.environment(),
                start_new_session=True,
                cwd=self.folder,
            )
        async with asyncio.timeout(UP_WITHIN):
            while True:
                try:
                    return await self.make_queue()
                except Exception:
                    assert self.process.poll() is None, (self.folder / "log").read_text()[-2_000:]
                    await asyncio.sleep(0.1)

    async def another_queue(self) -> None:
        self.queue = f"tickets-{next(_numbers)}"
        await self.make_queue()

    async def stop(self) -> None:
        if self.process is None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            await asyncio.to_thread(self.process.wait, 15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    async def end(self) -> None:
        await self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self) -> dict[str, str]:
        return {}

    def command(self) -> list[str]:
        raise NotImplementedError

    async def make_queue(self) -> None:
        raise NotImplementedError

    async def publish(self, *bodies: bytes, headers: Headers | None = None) -> None:
        raise NotImplementedError

    async def open(self) -> int:
        """Messages that nobody has said to be done."""
        raise NotImplementedError

    def entry(self, source: str, tenant: str, **more: Any) -> str:
        """What stands in the file of buses."""
        given = {"name": "tickets", "kind": self.kind, "url": self.url, "source": source, "tenant": tenant}
        lines = [f"{name} = {json.dumps(value)}" for name, value in (given | self.named() | more).items()]
        return "\n".join(["[[bus]]", *lines, ""])

    def named(self) -> dict[str, Any]:
        return {"stream": self.queue, "taken_over_after": 1.5}

    @property
    def url(self) -> str:
        raise NotImplementedError


class RedisBroker(Broker):
    kind, program, package = "redis", "redis-server", "redis-server"

    def command(self) -> list[str]:
        return [
            self.program,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(self.folder),
            "--appendonly",
            "yes",
        ]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _client(self) -> Any:
        from redis.asyncio import Redis

        return Redis.from_url(self.url, protocol=2)

    async def make_queue(self) -> None:
        async with self._client() as client:
            await client.ping()
            try:
                await client.xgroup_create(self.queue, "tidings", id="0", mkstream=True)
            except Exception as error:
                assert "BUSYGROUP" in str(error), error

    async def publish(self, *bodies: bytes, headers: Headers | None = None) -> None:
        async with self._client() as client, client.pipeline() as pipe:
            for body in bodies:
                pipe.xadd(self.queue, {"data": body, **(headers or {})})
            await pipe.execute()

    async def open(self) -> int:
        async with self._client() as client:
            [group] = await client.xinfo_groups(self.queue)
            return int(group["pending"]) + int(group["lag"] or 0)


class NatsBroker(Broker):
    kind, program, package = "nats", "nats-server", "nats-server"

    def command(self) -> list[str]:
        return [self.program, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.folder)]

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def _client(self) -> Any:
        import nats

        return await nats.connect(self.url, allow_reconnect=False, connect_timeout=2)

    async def make_queue(self) -> None:
        client = await self._client()
        try:
            await client.jetstream().add_stream(name=self.queue, subjects=[f"{self.queue}.*"])
        finally:
            await client.close()

    async def publish(self, *bodies: bytes, headers: Headers | None = None) -> None:
        client = await self._client()
        stream = client.jetstream()
        sent = dict(headers) if headers else None
        await asyncio.gather(*(stream.publish(f"{self.queue}.new", body, headers=sent) for body in bodies))
        await client.close()

    async def open(self) -> int:
        client = await self._client()
        info = await client.jetstream().consumer_info(self.queue, "tidings")
        await client.close()
        return int(info.num_pending + info.num_ack_pending)


class RabbitMQBroker(Broker):
    kind, program, package = "rabbitmq", "rabbitmq-server", "rabbitmq-server"
    server = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

    @classmethod
    def missing(cls) -> str:
        return "" if cls.server.exists() else f"{cls.program} is not installed (Debian: {cls.package})"

    def __init__(self) -> None:
        super().__init__()
        self.distribution, self.epmd = free_port(), free_port()

    async def end(self) -> None:
        await super().end()
        # Erlang's register of names, which is started beside it and stays.
        subprocess.run(["epmd", "-kill"], env=os.environ | self.environment(), capture_output=True, check=False)

    def command(self) -> list[str]:
        # Debian's own script becomes the user rabbitmq, for the service; this one is what that calls.
        return [str(self.server)]

    def environment(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            "HOME": folder,
            "RABBITMQ_NODENAME": f"tidings{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.distribution),
            "RABBITMQ_BASE": folder,
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log.d",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none",
            "RABBITMQ_CONFIG_FILE": f"{folder}/none",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.epmd),
        }

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    async def _connected(self) -> Any:
        import aio_pika

        return await aio_pika.connect(self.url, timeout=5)

    async def make_queue(self) -> None:
        async with await self._connected() as connection:
            channel = await connection.channel()
            await channel.declare_queue(f"{self.queue}-dead", durable=True)
            dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{self.queue}-dead"}
            await channel.declare_queue(self.queue, durable=True, arguments=dead)

    async def publish(self, *bodies: bytes, headers: Headers | None = None) -> None:
        import aio_pika

        async with await self._connected() as connection:
            channel = await connection.channel()
            for body in bodies:
                message = aio_pika.Message(body, headers=dict(headers or {}), delivery_mode=2)
                await channel.default_exchange.publish(message, self.queue)

    async def open(self) -> int:
        """Those in somebody's hands are counted by the management's tools alone: none left means that they are done
        with once the consumer is gone."""
        return await self.count(self.queue)

    async def count(self, queue: str) -> int:
        async with await self._connected() as connection:
            channel = await connection.channel()
            declared = await channel.declare_queue(queue, passive=True)
            return int(declared.declaration_result.message_count or 0)

    def named(self) -> dict[str, Any]:
        return {"queue": self.queue}


class KafkaBroker(Broker):
    """Lives in the client that made it."""

    kind = "kafka"

    def __init__(self) -> None:
        super().__init__()
        self._mock: Any = None
        self._url = ""

    @classmethod
    def missing(cls) -> str:
        return ""

    async def start(self) -> None:
        await asyncio.to_thread(self._start)
        await self.make_queue()

    def _start(self) -> None:
        from confluent_kafka import Producer

        self._mock = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
        [broker] = self._mock.list_topics(timeout=10).brokers.values()
        self._url = f"kafka://{broker.host}:{broker.port}"

    async def make_queue(self) -> None:
        """It has four partitions."""
        await asyncio.to_thread(self._mock.list_topics, self.queue, 10)

    async def stop(self) -> None:
        self._mock = None

    @property
    def url(self) -> str:
        return self._url

    def named(self) -> dict[str, Any]:
        return {"topic": self.queue}

    async def publish(self, *bodies: bytes, headers: Headers | None = None) -> None:
        sent = [(name, value.encode()) for name, value in (headers or {}).items()]
        for body in bodies:
            self._mock.produce(self.queue, body, key=b"one", headers=sent)
        await asyncio.to_thread(self._mock.flush, 10)

    async def open(self) -> int:
        return await asyncio.to_thread(self._open)

    def _open(self) -> int:
        from confluent_kafka import Consumer, TopicPartition

        given = {"bootstrap.servers": self.url.removeprefix("kafka://"), "group.id": "tidings"}
        consumer = Consumer(given)
        try:
            left = 0
            partitions = consumer.list_topics(self.queue, timeout=10).topics[self.queue].partitions
            for one in consumer.committed([TopicPartition(self.queue, each) for each in partitions], timeout=10):
                low, high = consumer.get_watermark_offsets(one, timeout=10)
                left += high - (one.offset if one.offset >= 0 else low)
            return left
        finally:
            consumer.close()


BROKERS = {each.kind: each for each in (RedisBroker, NatsBroker, RabbitMQBroker, KafkaBroker)}
assert all(re.fullmatch("[a-z]+", kind) for kind in BROKERS)


def broker_of(kind: str) -> Broker:
    if missing := BROKERS[kind].missing():
        pytest.skip(missing)
    return BROKERS[kind]()
