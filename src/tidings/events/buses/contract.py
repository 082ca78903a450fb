"""What a bus is to us: messages are taken, held until what they say is durable, and only then done with.

At least once: what was taken and not said to be done comes again, to us or to another node. Adding one: a subclass
beside this file, its words in `file.py`, its case in `opened.py`, its extra in `pyproject.toml`, and a broker in
`tests/scenarios/brokers.py`, which `test_buses.py` tries all it must do with.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

_YEAR_10000 = 253_402_300_800_000


class Taken(Struct, frozen=True):
    """A message in our hands. `headers` have lower-case names; attributes of a CloudEvent are called `ce-<name>`, their
    values percent-encoded, as in HTTP. `sent`: when the bus got it, the same each time it comes. `place`: where it
    stands, as people who look after the bus would look it up. `tag`: what the client's library knows it by. `again`: it
    was handed out before."""

    body: bytes
    headers: Mapping[str, str]
    sent: datetime | None
    place: str
    tag: Any
    again: bool = False


class Bus(ABC):
    """A connection to one topic, queue or stream, used by one task. Whatever goes wrong is raised, as the library
    raises it: then the bus is closed, and another one opened. No library reconnects by itself behind it, or if it does,
    `look` tells that it could not."""

    @abstractmethod
    async def open(self) -> None:
        """It is there, and we may take from it."""

    @abstractmethod
    async def take(self, at_most: int, within: float) -> Sequence[Taken]:
        """What there is, in its order; waits up to so many seconds for the first."""

    @abstractmethod
    async def done(self, taken: Sequence[Taken]) -> None:
        """These are durable here. What was taken with them and is none of them stays in our hands."""

    async def aside(self, taken: Sequence[Taken]) -> None:
        """These are not kept whole here: where the bus has a place for such, they go there."""
        await self.done(taken)

    async def hold(self, taken: Sequence[Taken]) -> None:  # noqa: B027 - most brokers need not be told
        """We are still at these, and nobody else is to get them. Called every few seconds while something is in the
        way."""

    @abstractmethod
    async def look(self) -> int:
        """How many wait that nobody has taken, as far as the bus tells. Raises when it cannot be reached."""

    @abstractmethod
    async def close(self) -> None:
        """Never raises."""


def plain(name: str) -> str:
    """The name of a header as HTTP has it, whichever way a binding of CloudEvents writes its attributes.

    Kafka: `ce_id`; AMQP: `cloudEvents:id` or `cloudEvents_id`; NATS: `ce-id`.
    https://github.com/cloudevents/spec/tree/v1.0.2/cloudevents/bindings
    """
    name = name.lower()
    for prefix in ("ce_", "cloudevents:", "cloudevents_"):
        if name.startswith(prefix):
            return f"ce-{name.removeprefix(prefix)}"
    return name


def sent_at(milliseconds: int) -> datetime | None:
    """Since 1970, as a bus has it. None: it says nothing that could be a time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if 0 < milliseconds < _YEAR_10000 else None


def as_in_http(value: str) -> str:
    """Kafka and AMQP have attributes as they are, HTTP and NATS percent-encoded."""
    return value.replace("%", "%25")
