"""NATS JetStream, by a durable pull consumer with explicit acknowledgement: what is not acknowledged in time is handed
out again, to whoever asks.

https://docs.nats.io/nats-concepts/jetstream/consumers
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, NoServersError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from tidings.events.buses.contract import Bus, Taken, plain
from tidings.events.buses.file import Nats

IN_HANDS = 5_000
"""Messages that all nodes together may hold."""


class NatsBus(Bus):
    def __init__(self, entry: Nats) -> None:
        self._entry = entry
        self._client = Client()
        self._jetstream: JetStreamContext
        self._pull: JetStreamContext.PullSubscription
        self._heard: Exception | None = None

    async def open(self) -> None:
        stream, durable = self._entry.stream, self._entry.group
        # Its own reconnecting would hide that it is away, and gives up for good after two minutes; so would its trying
        # for as long to connect at all, which `allow_reconnect` does not end.
        try:
            await self._client.connect(
                self._entry.url,
                name="tidings",
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=1,
                connect_timeout=5,
                error_cb=self._hear,
            )
        except NoServersError as error:
            raise self._heard or error from None
        self._jetstream = self._client.jetstream(timeout=10)
        try:
            await self._jetstream.consumer_info(stream, durable)
        except NotFoundError:
            subject = None if self._entry.subject == ">" else self._entry.subject
            config = ConsumerConfig(
                durable_name=durable,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=self._entry.taken_over_after,
                max_ack_pending=IN_HANDS,
                filter_subject=subject,
            )
            await self._jetstream.add_consumer(stream, config)
        self._pull = await self._jetstream.pull_subscribe_bind(durable, stream)

    async def take(self, at_most: int, within: float) -> Sequence[Taken]:
        if not self._client.is_connected:
            raise ConnectionClosedError
        try:
            found = await self._pull.fetch(at_most, timeout=within)
        except TimeoutError:
            return ()
        return [_taken(each) for each in found]

    async def done(self, taken: Sequence[Taken]) -> None:
        for one in taken:
            await one.tag.ack()
        await self._client.flush(10)

    async def aside(self, taken: Sequence[Taken]) -> None:
        """Without being acknowledged, and never again: the server tells who listens to its advisories."""
        for one in taken:
            await one.tag.term()
        await self._client.flush(10)

    async def hold(self, taken: Sequence[Taken]) -> None:
        for one in taken:
            await one.tag.in_progress()
        await self._client.flush(10)

    async def look(self) -> int:
        info = await self._jetstream.consumer_info(self._entry.stream, self._entry.group)
        return info.num_pending or 0

    async def _hear(self, error: Exception) -> None:
        """Whoever asks next hears of it."""
        self._heard = error

    async def close(self) -> None:
        # Else it is gone already.
        with suppress(Exception):
            async with asyncio.timeout(2):
                await self._client.close()


def _taken(message: Msg) -> Taken:
    told = message.metadata
    headers = {plain(name): value for name, value in (message.headers or {}).items()}
    again = told.num_delivered > 1
    place = f"{told.stream} {told.sequence.stream}"
    return Taken(message.data, headers, told.timestamp.astimezone(UTC), place, message, again)
