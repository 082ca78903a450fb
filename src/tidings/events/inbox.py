"""A person's inbox: every event they were told of, whatever became of its messages. The items are the recipient rows
themselves.

What is asked of all of them, how many are unread or which wait for an act, is asked of the latest 5,000: an
administrator may be told of a million events, and an index of what is unread would have to be written with every one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from tidings.accounts.models import Person
from tidings.kernel.ids import event_of, last_of

LATEST = 5_000
COUNTED_AT_MOST = 1_000
# Index: recipient_inbox; then the primary keys of events and subjects, one probe each an item. OFFSET 0 keeps the
# planner from reading these tables whole instead. The outer join answers even when nothing is found: whether there was
# more to look at, and how far it looked.
_PAGE = """
WITH looked AS MATERIALIZED (
    SELECT id, because, skips, read_at FROM events_recipient
    WHERE person_id = %(person)s AND tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR id < %(after)s::uuid)
    ORDER BY id DESC LIMIT %(look_at)s
), found AS (
    SELECT l.* FROM looked l {joined} WHERE {asked} ORDER BY l.id DESC LIMIT %(limit)s
)
SELECT s.many, s.last, f.id, f.because::text, coalesce(f.skips, '[]')::text, f.read_at IS NOT NULL
FROM (SELECT count(*) AS many, (SELECT id FROM looked ORDER BY id LIMIT 1) AS last FROM looked) s
LEFT JOIN found f ON true ORDER BY f.id DESC
"""
_EVENT = """
CROSS JOIN LATERAL (
    SELECT type, number, subject_id FROM events_event WHERE id = (left(l.id::text, 31) || '00000')::uuid OFFSET 0
) e
"""
_SUBJECT = "CROSS JOIN LATERAL (SELECT status_number FROM events_subject WHERE id = e.subject_id OFFSET 0) s"
# Who is asked to act is told in this role; once the subject has moved on, nothing waits for them any more.
_WAITING = """
EXISTS (
    SELECT 1 FROM unnest(%(types)s::text[], %(roles)s::text[]) AS a(type, role)
    WHERE a.type = e.type AND l.because @> jsonb_build_array(jsonb_build_array(a.role))
) AND s.status_number = e.number
"""
_UNREAD = """
SELECT count(*) FROM (
    SELECT 1 FROM (
        SELECT read_at FROM events_recipient WHERE person_id = %(person)s AND tenant_id = %(tenant)s
        ORDER BY id DESC LIMIT %(look_at)s
    ) l WHERE read_at IS NULL LIMIT %(most)s
) u
"""
# Index: recipient_inbox, one probe an item.
_READ = """
UPDATE events_recipient r SET read_at = now() FROM unnest(%s::uuid[], %s::uuid[]) AS k(first, last)
WHERE r.person_id = %s AND r.id BETWEEN k.first AND k.last AND r.tenant_id = %s AND r.read_at IS NULL
"""
# Index: recipient_inbox, then the primary key.
_READ_ALL = """
UPDATE events_recipient r SET read_at = now() FROM (
    SELECT id FROM events_recipient
    WHERE person_id = %(person)s AND tenant_id = %(tenant)s AND (%(until)s::uuid IS NULL OR id <= %(until)s::uuid)
    ORDER BY id DESC LIMIT %(look_at)s
) l WHERE r.id = l.id AND r.read_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Which:
    """`waiting`: of these event types, by the role that is asked to act, what its subject still waits in."""

    unread: bool = False
    feature: str | None = None
    waiting: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One person told of one event: `because` has (role, of), `skips` (reason, role, person, channel)."""

    id: UUID
    because: Sequence[tuple[str, str]]
    skips: Sequence[tuple[str, str, str, str]]
    read: bool

    @property
    def event_id(self) -> UUID:
        return event_of(self.id)


def inbox(person: Person, which: Which, *, limit: int, after: UUID | None = None) -> tuple[list[Row], UUID | None]:
    """Newest first, and the key that the next page is `after`. A page may have fewer than its limit, or nothing, and be
    followed by another: it looks at the next 5,000 items and no further."""
    joined, asked, parameters = _asked(which)
    parameters |= {"person": person.id, "tenant": person.tenant_id, "after": after, "limit": limit + 1}
    parameters["look_at"] = LATEST if asked else limit + 1
    statement = _PAGE.format(joined=joined, asked=" AND ".join(asked) or "true")
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows = cursor.fetchall()
    many, last = rows[0][:2]
    found = [
        Row(key, msgspec.json.decode(because), msgspec.json.decode(skips), read)
        for _, _, key, because, skips, read in rows
        if key is not None
    ]
    if len(found) > limit:
        return found[:limit], found[limit - 1].id
    return found, last if asked and many == LATEST else None


def _asked(which: Which) -> tuple[str, list[str], dict[str, Any]]:
    joined, asked = "", []
    parameters: dict[str, Any] = {}
    if which.unread:
        asked.append("l.read_at IS NULL")
    if which.feature is not None:
        asked.append("starts_with(e.type, %(feature)s)")
        joined = _EVENT
        parameters["feature"] = f"{which.feature}."
    if which.waiting is not None:
        asked.append(_WAITING)
        joined = _EVENT + _SUBJECT
        parameters |= {"types": list(which.waiting), "roles": list(which.waiting.values())}
    return joined, asked, parameters


def count_unread(person: Person) -> int:
    """Of the latest 5,000; 1,000 stands for more."""
    about: dict[str, Any] = {
        "person": person.id,
        "tenant": person.tenant_id,
        "look_at": LATEST,
        "most": COUNTED_AT_MOST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_UNREAD, about)
        [count] = cursor.fetchone()
    return int(count)


def mark_read(person: Person, event_ids: Iterable[UUID]) -> int:
    """How many became read."""
    events = sorted({event_of(key) for key in event_ids})
    with connection.cursor() as cursor:
        cursor.execute(_READ, [events, [last_of(event) for event in events], person.id, person.tenant_id])
        return int(cursor.rowcount)


def mark_all_read(person: Person, until: UUID | None = None) -> int:
    """The latest 5,000, or those up to the event that is the last one somebody has seen. How many became read."""
    upto = last_of(event_of(until)) if until else None
    with connection.cursor() as cursor:
        about: dict[str, Any] = {"person": person.id, "tenant": person.tenant_id, "until": upto, "look_at": LATEST}
        cursor.execute(_READ_ALL, about)
        return int(cursor.rowcount)
