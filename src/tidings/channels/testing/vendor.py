"""How the contract suite (`tests/contracts`) drives a channel's vendor: what every double must be able to show."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Self

from tidings.channels.contract import Outcome, Parcel, Value

PARTS = frozenset({"headline", "todo", "why", "facts", "url", "earlier"})
"""Of a message. Whatever a medium has no room for, the subject's id and status, as much of the title as fits, and the
current status of a message that was overtaken are always there."""


@dataclass(frozen=True, slots=True)
class Row:
    """A documented answer, in the double's own terms, and the outcome it must become (`said` aside). `source`: where
    it is documented; tags are those of docs/reference/channels."""

    name: str
    answer: Any
    outcome: Outcome
    source: str


@dataclass(frozen=True, slots=True)
class Received:
    """What reached one person: `names` are those of the headers or members around the text, which no text may change;
    `size` is in bytes as sent. `live`: what its reader gets besides text, which no text may change either: links and
    where they lead, pictures, tags, headings, mentions. Empty where the medium is plain text; never None."""

    identity: str
    to: str
    text: str
    names: Sequence[str]
    size: int
    live: Sequence[str] | None = None


class Vendor(ABC):
    """A channel's vendor on this machine, running while entered."""

    rows: ClassVar[Sequence[Row]]
    secrets: ClassVar[Sequence[str]]
    """Every secret in the settings and the contact: none may be seen in an outcome, an error or a log."""
    most_bytes: ClassVar[int]
    forms: ClassVar[Mapping[str, "type[Vendor]"]] = {}
    """Vendors of the other forms this channel can speak in, where it has any."""
    carries: ClassVar[frozenset[str]] = PARTS
    """Which parts of a message its medium has room for."""
    cut_mark: ClassVar[str] = "…"
    longest_link: ClassVar[int] = 1_974
    """Of a link that a message of any length has in it."""

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @abstractmethod
    def settings(self) -> dict[str, Value]:
        """As an administrator would enter them."""

    @abstractmethod
    def contact(self) -> dict[str, Value]:
        """As a person would enter it."""

    @abstractmethod
    def answer(self, answer: Any) -> None:
        """Answer so from now on."""

    @abstractmethod
    def received(self) -> Sequence[Received]:
        """What was taken, oldest first. Raises AssertionError for what a strict vendor would not have taken."""

    @abstractmethod
    def payload(self, parcel: Parcel) -> str:
        """What the channel hands to the network, readable, for the golden files. Nothing is sent."""

    def identity_of(self, parcel: Parcel) -> str:
        """What `Received.identity` has in it: the same over the tries of a delivery, and in no other event's."""
        return parcel.identity.hex

    @abstractmethod
    def nowhere(self) -> Mapping[str, dict[str, Value]]:
        """Changes to "settings" and "contact" with which no connection can be made."""
