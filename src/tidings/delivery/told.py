"""Who was told of an event, why, how and with what success; and who was not, and why not. As it is kept: the same shape
as a plan's decision record, with what became of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models.expressions import RawSQL

from tidings.accounts.models import Person
from tidings.accounts.permissions import Caller
from tidings.delivery.waits import WAITS_FOR, WAITS_WITH
from tidings.events.content import content_of
from tidings.events.find import Which, events_page, subjects_by_id
from tidings.events.find import event_of as visible_event
from tidings.events.models import Event, Subject
from tidings.kernel.ids import event_of, last_of, made_at
from tidings.kernel.pages import Asked, Page
from tidings.planning.plan import Because, Skip
from tidings.planning.record import Json, content_json, recipient_json, send_json, skip_json, summary_json

# Index: the primary key, one range an event; OFFSET 0 keeps the planner, which cannot know how few rows such a range
# has, from reading a tenant's whole table instead. `only` narrows it down to one person.
_TOLD = """
SELECT r.id, r.person_id, p.login, p.name, r.because::text, coalesce(r.skips, '[]')::text
FROM unnest(%(first)s::uuid[], %(last)s::uuid[]) AS k(first, last)
CROSS JOIN LATERAL (SELECT * FROM events_recipient r WHERE r.id BETWEEN k.first AND k.last OFFSET 0) r
JOIN accounts_person p ON p.id = r.person_id
WHERE r.tenant_id = %(tenant)s AND (%(only)s::uuid IS NULL OR r.person_id = %(only)s) ORDER BY r.id
"""
_SENT = """
SELECT d.id, d.person_id, d.channel, d.state, d.due_at, d.reason, {waits_for}, coalesce(d.attempts, '[]')::text
FROM unnest(%(first)s::uuid[], %(last)s::uuid[]) AS k(first, last)
CROSS JOIN LATERAL (SELECT * FROM delivery_delivery d WHERE d.id BETWEEN k.first AND k.last OFFSET 0) d
WHERE d.tenant_id = %(tenant)s AND (%(only)s::uuid IS NULL OR d.person_id = %(only)s) ORDER BY d.id
"""
# Index: the primary keys, one range an event.
_SUMS = """
SELECT k.first, (
    SELECT count(*) FROM events_recipient r
    WHERE r.id BETWEEN k.first AND k.last AND (%(only)s::uuid IS NULL OR r.person_id = %(only)s)
), (
    SELECT coalesce(jsonb_object_agg(state, count), '{}')::text FROM (
        SELECT d.state, count(*) FROM delivery_delivery d
        WHERE d.id BETWEEN k.first AND k.last AND d.tenant_id = %(tenant)s
          AND (%(only)s::uuid IS NULL OR d.person_id = %(only)s) GROUP BY 1) states
) FROM unnest(%(first)s::uuid[], %(last)s::uuid[]) AS k(first, last)
"""
WITH_AT_MOST = 2_000
"""Deliveries whose events are looked for."""
# Index: delivery_failed, delivery_due.
_WITH: Mapping[str | None, str] = {
    "failed": """
    SELECT (left(id::text, 31) || '00000')::uuid FROM (
        SELECT id FROM delivery_delivery WHERE tenant_id = %s AND state = 'failed' ORDER BY id DESC LIMIT %s) failed
    """,
    "pending": """
    SELECT (left(id::text, 31) || '00000')::uuid FROM (
        SELECT id FROM delivery_delivery WHERE tenant_id = %s AND state = 'pending' ORDER BY due_at LIMIT %s) pending
    """,
}


@dataclass(frozen=True, slots=True)
class Told:
    """One event's part of a decision record."""

    recipients: Sequence[Json]
    skips: Sequence[Json]


def record_of(caller: Caller, event_id: UUID) -> Json:
    """The decision record of an event as it is kept. Who does not see all is shown their own part, and no content.
    Raises 404."""
    event = visible_event(caller, event_id)
    subject = subjects_by_id(caller.tenant_id, {event.subject_id})[event.subject_id]
    shown = summary(event, subject)
    if caller.sees_all:
        content = content_of(event.id)
        shown = {**content_json(content), **shown, "content_kept": content is not None, "fault": event.fault}
    told = told_of(caller, [event])[event.id]
    return {"event": shown, "recipients": told.recipients, "skips": told.skips}


def summary(event: Event, subject: Subject) -> Json:
    """The subject is called as it is now."""
    return summary_json(
        id=event.id,
        source=event.source,
        source_id=event.source_id,
        type=event.type,
        time=event.time,
        accepted_at=made_at(event.id),
        number=event.number,
        planned=event.fault is None,
        subject={"kind": subject.kind, "id": subject.key, "title": subject.title, "url": subject.url},
    )


def told_of(caller: Caller, events: Sequence[Event]) -> dict[UUID, Told]:
    """Two queries, however many events. Who does not see all is shown their own row."""
    only = None if caller.sees_all else caller.as_person().id
    parameters = _of(caller.tenant_id, [event.id for event in events], only)
    sends = _sends(parameters)
    recipients: dict[UUID, list[Json]] = {}
    for key, person_id, login, name, because, skips in _rows(_TOLD, parameters):
        reasons = [Because(*each) for each in msgspec.json.decode(because)]
        own, silent = sends.get((event_of(key), person_id), []), stored_skips(msgspec.json.decode(skips))
        recipients.setdefault(event_of(key), []).append(recipient_json(login, name, reasons, own, silent))
    return {
        event.id: Told(recipients.get(event.id, []), stored_skips(event.skips or ()) if only is None else [])
        for event in events
    }


def sends_to(person: Person, event_ids: Sequence[UUID]) -> dict[UUID, list[Json]]:
    """By event: the deliveries to this person, and what became of each. One query."""
    found = _sends(_of(person.tenant_id, event_ids, person.id))
    return {event: sends for (event, _), sends in found.items()}


def _sends(parameters: Json) -> dict[tuple[UUID, UUID], list[Json]]:
    """By event and person."""
    sends: dict[tuple[UUID, UUID], list[Json]] = {}
    for key, person_id, channel, state, due_at, reason, waits_for, attempts in _rows(
        sent(), {**parameters, **WAITS_WITH}
    ):
        sends.setdefault((event_of(key), person_id), []).append(
            send_json(key, channel, state, due_at, reason or "", msgspec.json.decode(attempts), waits_for)
        )
    return sends


def _of(tenant_id: UUID, event_ids: Sequence[UUID], only: UUID | None) -> Json:
    return {"tenant": tenant_id, "only": only, "first": list(event_ids), "last": [last_of(key) for key in event_ids]}


def happened(caller: Caller, which: Which, paging: Asked, state: str | None = None) -> Page[Event]:
    """Events, newest first; `state` "failed" or "pending": with such a delivery, of the 2,000 newest of those."""
    if state not in _WITH:
        return events_page(caller, which, paging)
    with_such = RawSQL(_WITH[state], [caller.tenant_id, WITH_AT_MOST])  # noqa: S611 - it is ours
    return events_page(caller, which, paging, lambda events: events.filter(id__in=with_such))


@dataclass(frozen=True, slots=True)
class Sums:
    """How many people were told of an event, and how many of its deliveries are in which state."""

    told: int
    states: Mapping[str, int]


def sums_of(caller: Caller, events: Sequence[Event]) -> dict[UUID, Sums]:
    """One query, however many events. Who does not see all has their own row counted."""
    only = None if caller.sees_all else caller.as_person().id
    asked = _of(caller.tenant_id, [event.id for event in events], only)
    return {key: Sums(told, msgspec.json.decode(states)) for key, told, states in _rows(_SUMS, asked)}


def sent() -> str:
    """The statement that reads deliveries; it wants `WAITS_WITH` too."""
    return _SENT.format(waits_for=WAITS_FOR)


def stored_skips(rows: Iterable[Sequence[str]]) -> list[Json]:
    """Kept as [reason, role, person, channel]."""
    return [skip_json(Skip(reason, role, person, channel)) for reason, role, person, channel in rows]  # type: ignore[arg-type]


def _rows(query: str, parameters: Json) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
