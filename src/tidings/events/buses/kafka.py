"""Kafka, as a member of a consumer group. A partition has one reader of the group, and one offset, up to which all is
done: it is committed when everything before it is durable, never by itself.

https://kafka.apache.org/documentation/#consumerconfigs
"""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, UnknownTopicOrPartitionError

from tidings.events.buses.contract import Bus, Taken, as_in_http, plain, sent_at
from tidings.events.buses.file import Kafka

CALLS_WITHIN = 10.0
HOLDS_AT_MOST = 24 * 3_600_000


class KafkaBus(Bus):
    def __init__(self, entry: Kafka) -> None:
        self._entry = entry
        self._consumer: AIOKafkaConsumer | None = None
        self._held: dict[TopicPartition, list[int]] = {}
        """Offsets in our hands, in order."""
        self._ends: dict[TopicPartition, int] = {}
        """What comes after them."""

    async def open(self) -> None:
        self._consumer = AIOKafkaConsumer(
            self._entry.topic,
            group_id=self._entry.group,
            client_id="tidings",
            enable_auto_commit=False,
            # A group that is new begins with what there is: nothing that was published is passed over.
            auto_offset_reset="earliest",
            # It lives as long as its heart beats: while the database is away it asks for nothing, and keeps its place.
            max_poll_interval_ms=HOLDS_AT_MOST,
            **_connection(self._entry.url),
        )
        async with asyncio.timeout(CALLS_WITHIN * 3):
            await self._consumer.start()
        if not self._consumer.partitions_for_topic(self._entry.topic):
            raise UnknownTopicOrPartitionError(self._entry.topic)

    async def take(self, at_most: int, within: float) -> Sequence[Taken]:
        found = await self._there.getmany(timeout_ms=int(within * 1000), max_records=at_most)
        self._held = {partition: [record.offset for record in records] for partition, records in found.items()}
        self._ends = {partition: records[-1].offset + 1 for partition, records in found.items()}
        return [_taken(partition, record) for partition, records in found.items() for record in records]

    async def done(self, taken: Sequence[Taken]) -> None:
        for one in taken:
            partition, offset = one.tag
            self._held[partition].remove(offset)
        # Up to the first that is not done: what is done beyond it is read once more, should we end before that is.
        offsets = {
            each: self._held[each][0] if self._held[each] else self._ends[each]
            for each in {one.tag[0] for one in taken}
        }
        # If not: the partition is another member's by now, who reads these once more; then they are duplicates.
        with suppress(CommitFailedError, IllegalStateError):
            await self._there.commit(offsets)

    async def look(self) -> int:
        """Also that it can be reached: the library goes on trying by itself, and tells nobody."""
        partitions = self._there.assignment()
        async with asyncio.timeout(CALLS_WITHIN):
            if not partitions:
                await self._there.topics()
                return 0
            ends = await self._there.end_offsets(partitions)
            return sum([max(ends[each] - await self._there.position(each), 0) for each in partitions])

    async def close(self) -> None:
        if self._consumer is None:
            return
        # Else it is gone already.
        with suppress(Exception):
            async with asyncio.timeout(5):
                await self._consumer.stop()

    @property
    def _there(self) -> AIOKafkaConsumer:
        assert self._consumer is not None
        return self._consumer


def _taken(partition: TopicPartition, record: "ConsumerRecord[Any, Any]") -> Taken:
    headers = {plain(name): as_in_http((value or b"").decode(errors="replace")) for name, value in record.headers}
    place = f"{record.topic} {record.partition}:{record.offset}"
    # A tombstone has no value at all.
    return Taken(record.value or b"", headers, sent_at(record.timestamp), place, (partition, record.offset))


def _connection(url: str) -> dict[str, Any]:
    """`kafka://` or, with TLS, `kafkas://`; `USER:PASSWORD@` for SASL; brokers separated by commas; `?sasl=` for
    another mechanism than PLAIN."""
    parts = urlsplit(url)
    who, _, brokers = parts.netloc.rpartition("@")
    user, _, password = who.partition(":")
    secure = parts.scheme == "kafkas"
    given: dict[str, Any] = {
        "bootstrap_servers": brokers.split(","),
        "security_protocol": f"{'SASL_' if who else ''}{'SSL' if secure else 'PLAINTEXT'}",
        "request_timeout_ms": int(CALLS_WITHIN * 1000),
    }
    if secure:
        given["ssl_context"] = ssl.create_default_context()
    if who:
        given |= {
            "sasl_mechanism": parse_qs(parts.query).get("sasl", ["PLAIN"])[0],
            "sasl_plain_username": unquote(user),
            "sasl_plain_password": unquote(password),
        }
    return given
