"""What a channel is, and what may come of one try. Pure: neither Django nor a network library is imported here.

A channel declares its settings and its contact point as data, from which checks, forms, masking and docs are derived,
and has one act: `send`. The engine around it carries retries, timeouts, records, limits and secrets.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Literal, Protocol
from uuid import UUID

from msgspec import Struct

from tidings.channels.field_words import Words
from tidings.messages.document import Document

type_of_field = Literal["text", "secret", "number", "choice", "url"]
Value = str | int | bool | None
Values = Mapping[str, Value]


class InvalidField(ValueError):
    """A value that cannot be used; the text says what to do about it and never repeats a secret."""


@dataclass(frozen=True, slots=True)
class Field:
    """One setting or part of a contact point, with the `words` in which people read of it (`field_words.py`). `check`
    returns the normalised value or raises `InvalidField`; so does `check_with`, for what depends on the fields declared
    before it: it sees their values, and a value that is kept too. `generate` makes one where none is given and none is
    stored. `when` (another field, its value): the field exists only then; of a provider's own settings, say.

    `goes_to`, of a secret that is sent and not only used to sign: the fields that say where to. When one of them
    changes it must be given anew, or who may change settings could have a secret they never knew sent to themselves.

    `known_at`, of a secret that signs: the URL whose host knows it. Another host gets another one.

    `shown`, of a text that is as good as a secret (a URL with a token in it): what may be shown of it. As with a
    secret, who leaves it out or gives back what is shown keeps it.
    """

    name: str
    kind: type_of_field
    words: Words
    required: bool = False
    default: Value = None
    choices: tuple[str, ...] = ()
    check: Callable[[str], str] | None = None
    check_with: Callable[[str, Values], str] | None = None
    generate: Callable[[], str] | None = None
    when: tuple[str, str] | None = None
    goes_to: tuple[str, ...] = ()
    known_at: str = ""
    shown: Callable[[str], str] | None = None

    @property
    def help(self) -> str:
        """What to enter, in English: for errors and the API."""
        return self.words.help.get("en", "")


class Sent(Struct, frozen=True):
    """The provider took it. `provider_id` is what a later receipt will name; `said` its own words."""

    provider_id: str = ""
    said: str = ""


class TryLater(Struct, frozen=True):
    """Not now. `after` is how long the provider asked us to wait; `technical` when the cause is ours (credentials,
    configuration): retried all the same, and administrators are told."""

    reason: str
    said: str = ""
    after: timedelta | None = None
    technical: bool = False


class Refused(Struct, frozen=True):
    """Never. Of the message: this message alone fails. Of the address: the contact point is disabled and its owner
    told."""

    reason: str
    of: Literal["message", "address"]
    said: str = ""


Outcome = Sent | TryLater | Refused


class Ended(Exception):
    """A try is over with this outcome: for what a channel finds out deep inside, when it fetches a token, say. The
    engine answers it like an outcome that was returned."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(type(outcome).__name__)
        self.outcome = outcome


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


class Remembered(Struct, frozen=True):
    value: str
    lasts: timedelta


class Wire(Protocol):
    """The only way out, and what is remembered of the other side. `request` and `resolve` raise
    `tidings.kernel.http.HttpError`, which the engine turns into an outcome once."""

    async def request(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer: ...

    async def resolve(self, host: str, port: int) -> Checked: ...

    async def recall(self, key: str, make: Callable[[], Awaitable[Remembered]], *, instead_of: str = "") -> str:
        """What all nodes remember under `key` for this tenant and channel, sealed at rest: an access token, a vendor's
        own id of a person. Where there is nothing, it has expired, or it is `instead_of` (the vendor refused it),
        `make` is awaited: by one caller on one node at a time, the others wait for what it makes. What `make` raises
        is raised here, and nothing is remembered."""
        ...


class Parcel(Struct, frozen=True):
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
    unsubscribe_url: str = ""
    """Where the reader stops this channel; set for channels whose messages say so (`unsubscribes`)."""
    receipts_url: str = ""
    """Where the provider may report what became of it; the channel adds what shows that it is the provider."""
    extra: Mapping[str, str] = {}


class Budget(Struct, frozen=True):
    """What a vendor takes at most, in any span of time, of whatever `key` names. Keys are one space for all tenants
    (two may use the same robot) and hold no secret: hash a token. `amount` is what one call uses; `reason` says what
    a delivery waits for; `of`: of everything that is sent with these settings, or to this contact point."""

    key: str
    most: int
    per: timedelta
    reason: str
    amount: int = 1
    of: Literal["account", "address"] = "address"


class Code(Struct, frozen=True):
    """A verification code on its way to the address it verifies. As a parcel's, `settings` and `contact` are open."""

    identity: UUID
    digits: str
    minutes: int
    language: str
    contact: Values
    settings: Values
    now: datetime


class Call(Struct, frozen=True):
    """A provider that reports something: `url` is the whole address it called, as it sees it; header names are in lower
    case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Receipt(Struct, frozen=True):
    """What a provider says later of a message it took, which it names by our identity or by its own id; where by both,
    they must be of one message. Receipts repeat and overtake one another; the engine takes each once. `number`: to whom
    it went, where it says so, in its own spelling."""

    state: Literal["delivered", "failed"]
    identity: UUID | None = None
    provider_id: str = ""
    reason: str = ""
    said: str = ""
    of: Literal["message", "address"] = "message"
    """Of what a failure speaks, as in `Refused`."""
    number: str = ""


class Acknowledged(Struct, frozen=True):
    """The receipts of one call, how many more of it could not be read, and the answer its provider wants to hear."""

    receipts: Sequence[Receipt]
    unreadable: int = 0
    body: bytes = b"{}"
    content_type: str = "application/json"


class NotAuthentic(Exception):
    """This call does not come from the provider: a signature or a key is wrong or missing."""


class Shown(Struct, frozen=True):
    """A message as its reader finds it, for people who look at the wording: `title` is a mail's subject or a card's
    title, `note` says what the text does not ("2 segments"), `files` are other forms of it by the ending of their name.
    """

    text: str
    markup: Literal["text", "markdown", "json"] = "text"
    sender: str = ""
    title: str = ""
    button: str = ""
    link: str = ""
    note: str = ""
    files: Mapping[str, bytes] = {}


class Example(Struct, frozen=True):
    """Settings and a contact point that lead nowhere, as people would enter them."""

    settings: Values
    contact: Values


class Channel(ABC):
    """One way to reach a person. Instances carry no state: it lives in the settings, the contact point and the wire."""

    code: ClassVar[str]
    label: ClassVar[Mapping[str, str]]
    settings: ClassVar[tuple[Field, ...]] = ()
    contact: ClassVar[tuple[Field, ...]]
    verified_by: ClassVar[Literal["code", "test"]]
    unsubscribes: ClassVar[bool] = False
    """Its messages carry a link by which their reader stops them."""
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

    # For the gallery of messages (`tidings gallery`).

    examples: ClassVar[Mapping[str, Example]] = {}
    """By the form or provider in which it speaks; "" where there is one, or for the usual one."""

    def preview(self, parcel: Parcel) -> Shown | None:
        """What `send` would have the reader see; nothing is sent. None: it cannot be shown."""
        return None

    # For vendors with limits. A channel that overrides none of these is sent to without a look at them.

    most_together: ClassVar[int] = 1
    """Parcels one call can carry."""

    def together(self, parcel: Parcel) -> str | None:
        """Parcels with the same key may share a call, and the budget of one: a group robot's, say. None: alone."""
        return None

    async def send_together(self, parcels: Sequence[Parcel], wire: Wire) -> Sequence[Outcome]:
        """One call for several parcels of one key, in the order of urgency; an outcome for each, in their order. Those
        of one event become one message to all of them; those of several events, when the budget is short, one summary
        that names them all."""
        return [await self.send(parcel, wire) for parcel in parcels]

    def budgets(self, parcels: Sequence[Parcel]) -> Sequence[Budget]:
        """What one call with these parcels uses. Taken before the call, on all nodes together."""
        return ()

    def account(self, contact: Values, settings: Values) -> str | None:
        """The vendor account whose trouble is everyone's who uses it: the key of its circuit, without a secret. None:
        the other side is one person's own."""
        return None

    # For providers that say later what became of a message.

    asks_after: ClassVar[Sequence[timedelta]] = ()
    """How long after a message was sent its provider is asked; again after the next, while it has no answer."""

    async def ask(self, provider_ids: Sequence[str], settings: Values, wire: Wire) -> Sequence[Receipt]:
        """What became of these messages, as far as it is known."""
        return ()

    def acknowledge(self, call: Call, settings: Values) -> Acknowledged:
        """What a provider reports by itself. Raises `NotAuthentic`; ValueError for what cannot be read as a whole."""
        raise NotAuthentic

    def is_about(self, receipt: Receipt, contact: Values) -> bool:
        """Whether a receipt that speaks of the address can mean this one: it may have been changed since."""
        return True

    # For channels whose contact points are verified by a code.

    def code_budgets(self, code: Code) -> Sequence[Budget]:
        """As `budgets`, of the call that brings this code."""
        return ()

    async def send_code(self, code: Code, wire: Wire) -> Outcome:
        raise NotImplementedError

    async def close(self) -> None:  # noqa: B027 - most channels keep nothing open
        """Let go of what was kept for the next message; for a node that stops."""
