"""What a provider of text messages has to do. Pure: neither Django nor a network library is imported here."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from tidings.channels.contract import (
    Acknowledged,
    Budget,
    Call,
    Code,
    Example,
    Field,
    Outcome,
    Parcel,
    Shown,
    Values,
    Wire,
)


class Provider(ABC):
    """One vendor. As a channel, it carries no state; its `fields` exist only where it is the chosen provider."""

    name: ClassVar[str]
    endpoint: ClassVar[str]
    """The vendor's own host, where the settings name no other."""
    fields: ClassVar[tuple[Field, ...]]

    example: ClassVar[Example]
    """Without its name."""

    @abstractmethod
    def account(self, settings: Values) -> str:
        """As `Channel.account`."""

    @abstractmethod
    def preview(self, parcel: Parcel) -> Shown:
        """As `Channel.preview`; the note counts the segments."""

    @abstractmethod
    async def send(self, parcel: Parcel, wire: Wire) -> Outcome: ...

    @abstractmethod
    async def send_code(self, code: Code, wire: Wire) -> Outcome: ...

    @abstractmethod
    def acknowledge(self, call: Call, settings: Values) -> Acknowledged:
        """As `Channel.acknowledge`; the key in the address was right."""

    def budgets(self, parcel: Parcel) -> Sequence[Budget]:
        return ()

    def code_budgets(self, code: Code) -> Sequence[Budget]:
        return ()

    def base(self, settings: Values) -> str:
        return str(settings.get("endpoint") or self.endpoint).rstrip("/")


def named(*parts: str) -> str:
    """A key of these: the same for the same, and none of them can be read in it."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
