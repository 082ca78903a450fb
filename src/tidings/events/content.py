"""What a source sent, for as long as it is kept."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import connection

from tidings.events.event import Event, stored_event

# Index: each day's primary key; there are about ten days.
_BODY = "SELECT body FROM events_body WHERE id = %s LIMIT 1"
# `coalesce`: what a source left out is not in the body either.
_OUTLINES = """
SELECT b.id, json_build_object(
    'id', j -> 'id', 'type', j -> 'type', 'subject', j -> 'subject', 'actor', j -> 'actor',
    'people', json_build_object('submitter', j -> 'people' -> 'submitter'),
    'resources', coalesce(j -> 'resources', '[]'),
    'details', coalesce((
        SELECT json_object_agg(name, j -> 'details' -> name) FROM unnest(%s::text[]) AS name
        WHERE j -> 'details' -> name IS NOT NULL
    ), '{}')
)::text
FROM events_body b CROSS JOIN LATERAL (SELECT b.body::json AS j OFFSET 0) parsed WHERE b.id = ANY(%s)
"""


def content_of(event_id: UUID) -> Event | None:
    """None once it is no longer kept."""
    with connection.cursor() as cursor:
        cursor.execute(_BODY, [event_id])
        row = cursor.fetchone()
    return stored_event(row[0].encode()) if row else None


def outlines_of(event_ids: Iterable[UUID], details: Sequence[str]) -> dict[UUID, Event]:
    """Only of events whose content is kept: subject, submitter, actor, resources and these of the details. The rest,
    which may be large, stays in the database."""
    with connection.cursor() as cursor:
        cursor.execute(_OUTLINES, [list(details), list(event_ids)])
        rows = cursor.fetchall()
    return {key: stored_event(outline.encode()) for key, outline in rows}
