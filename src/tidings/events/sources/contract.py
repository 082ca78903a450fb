"""What an adapter is: another system's payload becomes events, or is parked with a reason. Pure: neither Django nor a
network library is imported here.

Adding one: a folder beside this file with `adapter.py`, `mapping.toml`, `steps.toml`, `sample.http`, and `words.toml`
where it has options; `docs/sources/<folder>.md`; its samples in `tests/events/sources/`.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import Struct

from tidings.channels.contract import Field, Values
from tidings.events.event import MAX_EVENT_BYTES, Event
from tidings.events.sources.mapping import WordMap

Reason = Literal["unmapped", "not_understood", "incomplete", "invalid_event", "unknown_event_type", "test_message"]
"""Why a payload is parked. unmapped: its words are new to us. not_understood: it has another shape than the system
documents. incomplete: what an event cannot do without is missing. invalid_event: the event made of it was refused.
unknown_event_type: it is mapped to a type that this organisation does not have. test_message: somebody pressed Test."""

_encoder = msgspec.json.Encoder(order="deterministic")


Group = Literal["tickets", "flows", "warehouses", "anything"]
"""What sort of system it is: a ticket platform, a scheduler of task flows, a warehouse and what is built in it, any."""


class Sample(Struct, frozen=True):
    """A call as a system makes it. Names of headers are in lower case."""

    headers: Mapping[str, str]
    body: bytes


class Push(Struct, frozen=True):
    """One call, as it came. Names of headers are in lower case. `urls` are the ones its sender may have been given, for
    signatures that cover the address; `received` stands in where a payload has no time."""

    headers: Mapping[str, str]
    body: bytes
    received: datetime
    urls: Sequence[str] = ()


class Known(Struct, frozen=True):
    """What a payload is read by: what its words mean, the source's own rows first; and what the source says of the
    system it is, by the names of the adapter's `options`."""

    words: WordMap
    options: Values = {}

    def option(self, name: str) -> str:
        """As a text; empty where the source does not say."""
        return str(self.options.get(name) or "")


class Parked(Struct, frozen=True):
    """Kept until somebody knows what it means. `words` are those a mapping would have to name; no control characters in
    any of these texts."""

    reason: Reason
    detail: str
    words: Mapping[str, str] = {}


Reading = Sequence[Event] | Parked
"""No event at all: the mapping says that nobody wants to know."""


class Adapter(ABC):
    """Instances carry no state. An event's `source` is filled in by who calls."""

    code: ClassVar[str]
    label: ClassVar[str]
    mapping: ClassVar[WordMap]
    """What is known of this system's words; a source may have rows of its own, which come first."""
    steps: ClassVar[Mapping[str, Sequence[str]]]
    """By language: what to do on the other side, one thing after the other. `{url}` is where it is to send, with the
    token in it; `{base}` and `{token}` are Tidings' address and the token by themselves. Code stands in backticks."""
    labels: ClassVar[Mapping[str, str]] = {}
    """By language, where it is called otherwise than `label`."""
    group: ClassVar[Group] = "anything"
    about: ClassVar[Mapping[str, str]] = {}
    """By language: what it is and how it connects, in a line, for those who look for theirs."""
    sample: ClassVar[Sample | None] = None
    """What it sends, as its page in docs/sources shows it first: read by a source that nobody has set up, it becomes
    events. It is what a test from the console sends."""
    options: ClassVar[tuple[Field, ...]] = ()
    """What a source may say of the system it is, beside words: where its pages are, in which zone its times are. As a
    channel declares its settings; none is a secret."""
    status: ClassVar[int] = 202
    answer: ClassVar[Mapping[str, Any]] = {}
    """What the system takes for success, where that is neither any 2xx nor any body: the status, and members of the
    answer beside ours."""
    first_holds: ClassVar[bool] = False
    """This system tells one change more than once, in other words each time. The first under an id holds; what comes
    later under it is no event. Elsewhere an id that comes with other content is somebody's mistake."""
    kept_headers: ClassVar[tuple[str, ...]] = ()
    """What of the headers `read` looks at: parked with the body, so that it can be read again."""
    at_most: ClassVar[int] = MAX_EVENT_BYTES
    """Bytes of a push. More where a system sends what nobody here wants, the SQL of a ticket for one."""

    @property
    def signs(self) -> bool:
        """Whether its system can: what else has a secret, nobody could send."""
        return type(self).signed is not Adapter.signed

    @abstractmethod
    def read(self, push: Push, known: Known) -> Reading:
        """Never raises, whatever the bytes are. The same push makes the same events, their ids included."""

    def parked_body(self, body: bytes) -> bytes:
        """What of a body is parked: enough to read it again, and nothing that people may not see. Never raises."""
        return body

    def parked_headers(self, headers: Mapping[str, str], options: Values) -> Mapping[str, str]:
        """What of the headers is parked with the body: all that `read` looks at, and nothing secret."""
        return {name: headers[name] for name in self.kept_headers if name in headers}

    def signed(self, push: Push, secret: str) -> bool:
        """Whether whoever sent it knows the source's secret. A system that cannot sign has none."""
        return False

    def signed_as(self, push: Push, secret: str, options: Values) -> bool:
        """As `signed`, where the source says how its system signs."""
        return self.signed(push, secret)


def with_made_up_id(event: Event) -> Event:
    """For a system that sends no id: one made of all that the event says, so that the same push again is the same event
    and any other change of status is another."""
    content = _encoder.encode(msgspec.structs.replace(event, id=""))
    return msgspec.structs.replace(event, id=hashlib.blake2b(content, digest_size=16).hexdigest())
