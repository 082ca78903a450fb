"""A bus by its kind. The library is loaded when one of its kind is opened: who uses none need not have any."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tidings.events.buses.contract import Bus
from tidings.events.buses.file import Entry, Kafka, Nats, RabbitMQ, Redis

Opener = Callable[[Entry], Bus]


def bus_of(entry: Entry) -> Bus:
    match entry:
        case Kafka():
            from tidings.events.buses.kafka import KafkaBus

            return KafkaBus(entry)
        case RabbitMQ():
            from tidings.events.buses.rabbitmq import RabbitMQBus

            return RabbitMQBus(entry)
        case Nats():
            from tidings.events.buses.nats import NatsBus

            return NatsBus(entry)
        case Redis():
            from tidings.events.buses.redis import RedisBus

            return RedisBus(entry)
    raise AssertionError(entry)


@asynccontextmanager
async def opened(entry: Entry, of: Opener = bus_of) -> AsyncIterator[Bus]:
    """Closed whatever happens."""
    bus = of(entry)
    try:
        await bus.open()
        yield bus
    finally:
        await bus.close()
