"""What a channel is, and what may come of one try. Pure: neither Django nor a network library is imported here.

A channel declares its settings and its contact point as data, from which checks, forms, masking and docs are derived,
and has one act: `send`. The engine around it carries retries, timeouts, records, limits and secrets.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Literal, Protocol
from uuid import UUID

from tidings.messages.document import Document

type_of_field = Literal["text", "secret", "number", "choice", "url"]
Value = str | int | bool | None
Values = Mapping[str, Value]


class InvalidField(ValueError):
    """A value that cannot be used; the text says what to do about it and never repeats a secret."""


@dataclass(frozen=True, slots=True)
class Field:
    """One setting or part of a contact point. `check` returns the normalised value or raises `InvalidField`;
    `generate` makes one where none is given and none is stored.

    `goes_to`, of a secret that is sent and not only used to sign: the fields that say where to. When one of them
    changes it must be given anew, or who may change settings could have a secret they never knew sent to themselves.
    """

    name: str
    kind: type_of_field
    help: str
    required: bool = False
    default: Value = None
    choices: tuple[str, ...] = ()
    check: Callable[[str], str] | None = None
    generate: Callable[[], str] | None = None
    goes_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it. `provider_id` is what a later receipt will name; `said` its own words."""

    provider_id: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class TryLater:
    """Not now. `after` is how long the provider asked us to wait; `technical` when the cause is ours (credentials,
    configuration): retried all the same, and administrators are told."""

    reason: str
    said: str = ""
    after: timedelta | None = None
    technical: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Never. Of the message: this message alone fails. Of the address: the contact point is disabled and its owner
    told."""

    reason: str
    of: Literal["message", "address"]
    said: str = ""


Outcome = Sent | TryLater | Refused


class Answer(Protocol):
    """What came back over HTTP. Header names are in lower case."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def body(self) -> bytes: ...


class Checked(Protocol):
    """A host whose every address passed the address policy: connect to `address`, verify TLS by `host`."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def address(self) -> str: ...


class Wire(Protocol):
    """The only way out. It raises `tidings.kernel.http.HttpError`, which the engine turns into an outcome once."""

    async def request(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer: ...

    async def resolve(self, host: str, port: int) -> Checked: ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message for one contact point, ready to go.

    `identity` is derived from the delivery's id and is the same over retries, crashes and retries by hand
    (`webhook-id`, Message-ID, OutId). `settings` are the tenant's for this channel and `contact` is the person's, both
    decrypted; neither may appear in an outcome. `now` is the time of this try.
    """

    identity: UUID
    document: Document
    contact: Values
    settings: Values
    now: datetime
    settings_url: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


class Channel(ABC):
    """One way to reach a person. Instances carry no state: it lives in the settings, the contact point and the wire."""

    code: ClassVar[str]
    label: ClassVar[Mapping[str, str]]
    settings: ClassVar[tuple[Field, ...]] = ()
    contact: ClassVar[tuple[Field, ...]]
    verified_by: ClassVar[Literal["code", "test"]]
    gives_up_after: ClassVar[timedelta | None] = None
    """How old a message may get before it is worth nothing; None: the retry schedule decides."""

    @abstractmethod
    def destination(self, contact: Values, settings: Values) -> str:
        """The host (and port) this goes to: the key under which a slow one is kept from delaying others."""

    @abstractmethod
    def address(self, contact: Values) -> str:
        """What may be shown of the contact point: enough to recognise, nothing that lets another send to it."""

    @abstractmethod
    async def send(self, parcel: Parcel, wire: Wire) -> Outcome:
        """One try. Every answer a provider documents becomes an outcome; an unknown one raises nothing silent: it is
        `TryLater("unexpected_answer")`."""

    def together(self, parcel: Parcel) -> str | None:
        """Parcels of one event with the same key may go in one call; None: each goes alone."""
        return None

    async def send_together(self, parcels: Sequence[Parcel], wire: Wire) -> Sequence[Outcome]:
        """One call for several; an outcome for each, in their order."""
        return [await self.send(parcel, wire) for parcel in parcels]

    async def close(self) -> None:  # noqa: B027 - most channels keep nothing open
        """Let go of what was kept for the next message; for a node that stops."""
