"""What a source sent, for as long as it is kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import msgspec
from django.db import connection

from tidings.events.event import Event, stored_event

# Index: each day's primary key; there are about ten days.
_BODY = "SELECT body FROM events_body WHERE id = %s LIMIT 1"
_TITLES = "SELECT id, (body::json -> 'subject')::text FROM events_body WHERE id = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Titled:
    """How the event named its subject."""

    title: str
    url: str


def content_of(event_id: UUID) -> Event | None:
    """None once it is no longer kept."""
    with connection.cursor() as cursor:
        cursor.execute(_BODY, [event_id])
        row = cursor.fetchone()
    return stored_event(row[0].encode()) if row else None


def titles_of(event_ids: Iterable[UUID]) -> dict[UUID, Titled]:
    """Only of events whose content is kept; the rest of it stays in the database."""
    with connection.cursor() as cursor:
        cursor.execute(_TITLES, [list(event_ids)])
        rows = cursor.fetchall()
    subjects = {key: msgspec.json.decode(subject, type=dict[str, str]) for key, subject in rows}
    return {
        key: Titled(subject.get("title") or subject["id"], subject.get("url", "")) for key, subject in subjects.items()
    }
