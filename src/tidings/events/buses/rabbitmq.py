"""RabbitMQ, from a queue that is there. What is not acknowledged when the connection ends goes back to its place in the
queue at once, and to the next consumer.

https://www.rabbitmq.com/docs/confirms
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from tidings.events.buses.contract import Bus, Taken, as_in_http, plain
from tidings.events.buses.file import RabbitMQ

OPEN_WITHIN = 10.0


class RabbitMQBus(Bus):
    def __init__(self, entry: RabbitMQ) -> None:
        self._entry = entry
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel
        self._arrived: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        """None: the connection or the channel has ended."""
        self._held = 0

    async def open(self) -> None:
        # Not its robust one: that brings back a connection, but not always its consumer, and nobody is told.
        self._connection = await aio_pika.connect(self._entry.url, timeout=OPEN_WITHIN)
        self._channel = await self._connection.channel()
        self._channel.close_callbacks.add(self._ended)
        await self._channel.set_qos(prefetch_count=self._entry.batch)
        queue = await self._channel.get_queue(self._entry.queue)
        await queue.consume(self._arrived.put)

    def _ended(self, *_: Any) -> None:
        self._arrived.put_nowait(None)

    async def take(self, at_most: int, within: float) -> Sequence[Taken]:
        found: list[Taken] = []
        try:
            async with asyncio.timeout(within):
                found.append(self._taken(await self._arrived.get()))
        except TimeoutError:
            return found
        while len(found) < at_most and not self._arrived.empty():
            found.append(self._taken(self._arrived.get_nowait()))
        self._held = len(found)
        return found

    async def done(self, taken: Sequence[Taken]) -> None:
        if len(taken) == self._held:
            # All that we were handed up to the last of them, in one frame.
            await taken[-1].tag.ack(multiple=True)
        else:
            for one in taken:
                await one.tag.ack()
        self._held -= len(taken)

    async def aside(self, taken: Sequence[Taken]) -> None:
        """To the queue's dead-letter exchange, where it has one."""
        for one in taken:
            await one.tag.reject(requeue=False)
        self._held -= len(taken)

    async def look(self) -> int:
        queue = await self._channel.declare_queue(self._entry.queue, passive=True, timeout=OPEN_WITHIN)
        if not queue.declaration_result.consumer_count:
            raise ConnectionError(f"the queue {self._entry.queue} was deleted, and made anew")
        return queue.declaration_result.message_count or 0

    async def close(self) -> None:
        if self._connection is None:
            return
        # Else it is gone already.
        with suppress(Exception):
            async with asyncio.timeout(2):
                await self._connection.close()

    def _taken(self, message: AbstractIncomingMessage | None) -> Taken:
        if message is None:
            raise ConnectionError("RabbitMQ has closed the connection or the channel")
        headers = _headers(message.headers)
        if message.content_type:
            headers["content-type"] = message.content_type
        sent = message.timestamp.replace(tzinfo=UTC) if isinstance(message.timestamp, datetime) else None
        place = f"{self._entry.queue} {message.message_id or message.delivery_tag}"
        return Taken(message.body, headers, sent, place, message, bool(message.redelivered))


def _headers(said: Mapping[str, Any]) -> dict[str, str]:
    """Of all types that AMQP knows, those a text can stand for."""
    found: dict[str, str] = {}
    for name, value in said.items():
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        if isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat()
        if isinstance(value, str | int | float):
            found[plain(name)] = as_in_http(str(value))
    return found
