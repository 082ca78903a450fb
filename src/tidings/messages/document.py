"""What one person reads, before any channel gives it a shape. Pure data."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

Tone = Literal["action", "info", "success", "failure"]
SOMEBODY = "?"
"""Named for a person of whom nothing is known but an address, which never goes out: `compose` says it in words."""


class Occasion(Struct, frozen=True):
    """What happened, as far as a message may speak of it: the same for every reader."""

    event_id: str
    event_type: str
    tone: Tone
    time: datetime
    subject_kind: str
    subject_id: str
    title: str
    url: str = ""
    submitter: str = ""
    submitter_uid: str = ""
    """What other systems know the submitter by: their external id, else the login."""
    actor: str = ""
    approvers: tuple[str, ...] = ()
    """People by their names; whom nobody knows by the login or the external id that was given, or `SOMEBODY`."""
    resources: tuple[str, ...] = ()
    """`instance`, `instance/database` or `instance/database/table`."""
    details: Mapping[str, str | int | float | bool | None] = {}
    feature_labels: Mapping[str, str] = {}
    event_labels: Mapping[str, str] = {}
    """By language; every built-in and custom event type has both."""


class Newer(Struct, frozen=True):
    """A later status of the same subject that overtook this message."""

    time: datetime
    event_labels: Mapping[str, str]


class Reader(Struct, frozen=True):
    login: str
    name: str
    language: str
    timezone: str
    because: Sequence[tuple[str, str | None]]
    """(role, of) pairs."""
    uid: str = ""
    """What other systems know them by; empty: the login."""


class Fact(Struct, frozen=True, gc=False):
    """One labelled line: `key` is stable, `label` and `value` are in the reader's language."""

    key: str
    label: str
    value: str


class Document(Struct, frozen=True):
    """A message in one reader's language and time zone; each channel makes its own shape of it."""

    occasion: Occasion
    reader: Reader
    language: str
    headline: str
    facts: tuple[Fact, ...]
    todo: str
    why: str
    link_label: str = ""
    earlier: str = ""
    """Set when a newer status overtook this message: "Earlier status, 10:00; now: Approved"."""

    @property
    def tone(self) -> Tone:
        return self.occasion.tone

    @property
    def url(self) -> str:
        return self.occasion.url


def document_json(document: Document) -> dict[str, Any]:
    """As a preview answers it."""
    return {
        "language": document.language,
        "headline": document.headline,
        "facts": [{"label": fact.label, "value": fact.value} for fact in document.facts],
        "todo": document.todo,
        "why": document.why,
        "link": {"label": document.link_label, "url": document.url} if document.url else None,
    }
