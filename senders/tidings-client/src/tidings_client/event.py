"""An event as `POST /api/v1/events` takes it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from typing import Any, Union

PersonRef = Union[str, Mapping[str, str]]
"""A login, or one of `{"email": ...}`, `{"mobile": ...}`, `{"external_id": ...}`."""


@dataclass(frozen=True)
class Subject:
    """The ticket or task flow that it is about. `url` is the deep link."""

    kind: str
    id: str
    title: str = ""
    url: str = ""


@dataclass(frozen=True)
class People:
    submitter: PersonRef | None = None
    approvers: Sequence[PersonRef] = ()
    related: Sequence[PersonRef] = ()


@dataclass(frozen=True)
class Resource:
    instance: str
    database: str = ""
    table: str = ""


@dataclass(frozen=True)
class Event:
    """One change of status. `id` is what makes a repeat a repeat: your system's own id of the change where it has one;
    else one is made here, once, so that this event may be sent as often as need be. `time` is when it happened: now, if
    you do not say. `source` is needed only where a token does not speak for one source."""

    type: str
    subject: Subject
    people: People = People()
    resources: Sequence[Resource] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    actor: PersonRef | None = None
    source: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    time: datetime = field(default_factory=lambda: datetime.now(timezone.utc))


def encoded(event: Event | Mapping[str, Any]) -> bytes:
    """Raises ValueError or TypeError for what is no JSON."""
    return as_json(_members(event) if isinstance(event, Event) else _with_id(event))


def as_json(content: Any) -> bytes:
    """Half a character, as a file name or an error text may hold one, becomes `?`: all would be refused for it."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain).encode(
        "utf-8", "replace"
    )


def _members(event: Event) -> dict[str, Any]:
    """Without those that say nothing."""
    if event.time.tzinfo is None:
        raise ValueError("The time of an event needs a zone: datetime.now(timezone.utc).")
    people = {
        "submitter": event.people.submitter,
        "approvers": list(event.people.approvers),
        "related": list(event.people.related),
    }
    return {
        "id": event.id,
        "type": event.type,
        "time": event.time,
        "subject": _said(vars(event.subject)),
        **_said(
            {
                "source": event.source,
                "people": _said(people),
                "actor": event.actor,
                "resources": [_said(vars(each)) for each in event.resources],
                "details": dict(event.details),
            }
        ),
    }


def _with_id(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return event if event.get("id") else {**event, "id": str(uuid.uuid4())}


def _said(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value}


def _plain(value: object) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"A {type(value).__name__} is no JSON: {value!r:.80}")
