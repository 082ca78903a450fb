"""Deliveries that somebody may see, and those of them that are asked for, newest first.

There is no index on (tenant, id): it would have to be written with every delivery. A tenant's deliveries are found by
the state that has an index, or by walking its events, or one person's recipient rows, whose keys they continue.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from tidings.accounts.permissions import SEE_ALL, Caller
from tidings.delivery.waits import COUNTED_AT_MOST, WAITS_FOR, WAITS_WITH, WaitsFor
from tidings.kernel.ids import event_of, first_at, last_of
from tidings.kernel.pages import Asked, Page, cursor_of, cut_page, write_cursor
from tidings.kernel.problems import not_found

# Where it starts and what it asks of a delivery, of events and of recipients. OFFSET 0 keeps the planner, which cannot
# know how few deliveries an event has, from reading a tenant's whole table instead.
#
# Index: delivery_failed, delivery_due or delivery_open; then the primary key of events.
_BY_STATE = """
FROM delivery_delivery d JOIN events_event e ON e.id = (left(d.id::text, 31) || '00000')::uuid
WHERE d.tenant_id = %(tenant)s {of_deliveries} {of_others}
"""
# Index: the primary keys.
_BY_KEY = """
FROM delivery_delivery d JOIN events_event e ON e.id = (left(d.id::text, 31) || '00000')::uuid
WHERE d.tenant_id = %(tenant)s AND d.id = ANY(%(ids)s) {of_deliveries} {of_others}
  AND (%(recipient)s::text IS NULL OR d.person_id = (
      SELECT id FROM accounts_person WHERE tenant_id = %(tenant)s AND login = %(recipient)s))
"""
# Index: event_latest; then a range of the primary key of deliveries for each event.
_BY_EVENT = """
FROM events_event e CROSS JOIN LATERAL (
    SELECT * FROM delivery_delivery d WHERE d.id BETWEEN e.id AND (left(e.id::text, 31) || 'fffff')::uuid
    AND d.tenant_id = %(tenant)s {of_deliveries} OFFSET 0
) d WHERE e.tenant_id = %(tenant)s {of_others}
"""
# Index: person_login, recipient_inbox; then the primary keys.
_BY_PERSON = """
FROM events_recipient r CROSS JOIN LATERAL (
    SELECT * FROM delivery_delivery d WHERE d.id BETWEEN r.id AND (left(r.id::text, 31) || 'fffff')::uuid
    AND d.tenant_id = %(tenant)s AND d.person_id = r.person_id {of_deliveries} OFFSET 0
) d JOIN events_event e ON e.id = (left(r.id::text, 31) || '00000')::uuid
WHERE r.person_id = (SELECT id FROM accounts_person WHERE tenant_id = %(tenant)s AND login = %(recipient)s)
  AND r.tenant_id = %(tenant)s {of_others}
"""
_SHOWN = """
WITH page AS MATERIALIZED (SELECT d.*, e.type {chosen} LIMIT %(limit)s)
SELECT d.id, d.type, s.kind, s.key, s.title, s.url, p.login, p.name, d.channel, d.state, d.due_at,
       coalesce(d.reason, ''), coalesce(d.provider_id, ''), {waits_for}, p.departed_at IS NOT NULL,
       coalesce(d.attempts, '[]')::text
FROM page d JOIN events_subject s ON s.id = d.subject_id JOIN accounts_person p ON p.id = d.person_id
ORDER BY d.id DESC
"""
# Index: delivery_due.
_MANY_PENDING = """
SELECT 1 FROM delivery_delivery WHERE tenant_id = %s AND state = 'pending' ORDER BY due_at OFFSET %s LIMIT 1
"""
_COUNT = "SELECT count(*) FROM (SELECT {chosen} LIMIT %(limit)s) counted"
# Index: event_latest.
_FLOOR = """
SELECT id FROM events_event WHERE tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR id < %(after)s)
ORDER BY id DESC OFFSET %(look)s LIMIT 1
"""
LOOKED_AT = 10_000
"""Events whose deliveries are looked at for one page of what has no index of its own."""
INDEXED_STATES = ("failed", "pending", "sending")


@dataclass(frozen=True, slots=True)
class Which:
    """`recipient` is a login; `since` (included) and `until` (not included) are about when the event was accepted."""

    state: str | None = None
    channel: str | None = None
    recipient: str | None = None
    event_type: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: Sequence[UUID] | None = None
    """Only these."""


@dataclass(frozen=True, slots=True)
class Shown:
    id: UUID
    event_type: str
    subject_kind: str
    subject_id: str
    subject_title: str
    subject_url: str
    recipient: str
    name: str
    channel: str
    state: str
    due_at: datetime
    reason: str
    provider_id: str
    waits_for: WaitsFor
    departed: bool
    """Whether its recipient is gone, and has no page any more."""
    attempts: Sequence[dict[str, Any]]

    @property
    def event_id(self) -> UUID:
        return event_of(self.id)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rest of a statement, from its FROM on: which deliveries `d`, with their event `e`, newest first."""

    sql: str
    parameters: Mapping[str, Any]


def deliveries_of(
    caller: Caller, which: Which, *, limit: int, after: UUID | None = None, floor: UUID | None = None
) -> list[Shown]:
    """`floor`: the key of an event, of which and of older ones nothing is looked for. Others than those who see
    all are shown their own. Raises 403 for a token without the scope `read`."""
    caller.require_scope("read")
    mine = None if caller.sees_all else caller.as_person().login
    if mine is not None and which.recipient not in (None, mine):
        return []
    recipient = mine or which.recipient
    walk = recipient is None and which.state == "pending" and _many_pending(caller.tenant_id)
    chosen = choose(caller.tenant_id, which, recipient=recipient, after=after, walk=walk, floor=floor)
    with connection.cursor() as cursor:
        cursor.execute(shown(chosen.sql), {**chosen.parameters, **WAITS_WITH, "limit": limit})
        return [_shown(row) for row in cursor.fetchall()]


def deliveries_page(caller: Caller, which: Which, paging: Asked) -> Page[Shown]:
    """As `deliveries_of`. Of what has no index so many events are looked at and no more: a page may be short, or empty,
    and lead on all the same."""
    after = cursor_of(paging.cursor, UUID)
    floor = _floor(caller.tenant_id, after) if caller.sees_all and _walks(which) else None
    found = deliveries_of(caller, which, limit=paging.limit + 1, after=after, floor=floor)
    page = cut_page(found, paging, lambda one: one.id)
    if floor is None or page.next_cursor is not None:
        return page
    return Page(page.rows, write_cursor(UUID(int=last_of(floor).int + 1)))


def _walks(which: Which) -> bool:
    if which.ids is not None or which.recipient is not None or which.state in INDEXED_STATES:
        return False
    return not (which.state is which.channel is which.event_type is None)


def _floor(tenant_id: UUID, after: UUID | None) -> UUID | None:
    """The event before which a walk ends."""
    with connection.cursor() as cursor:
        cursor.execute(_FLOOR, {"tenant": tenant_id, "after": after, "look": LOOKED_AT})
        row = cursor.fetchone()
    return row[0] if row else None


def delivery_of(caller: Caller, delivery_id: UUID) -> Shown:
    """Raises 403, 404."""
    caller.require_scope("read")
    only = "" if caller.sees_all else "AND d.person_id = %(person)s"
    parameters: dict[str, Any] = {**WAITS_WITH, "tenant": caller.tenant_id, "id": delivery_id, "limit": 1}
    if only:
        parameters["person"] = caller.as_person().id
    with connection.cursor() as cursor:
        chosen = _BY_STATE.format(of_deliveries=f"AND d.id = %(id)s {only}", of_others="")
        cursor.execute(shown(chosen), parameters)
        row = cursor.fetchone()
    if row is None:
        raise not_found("delivery")
    return _shown(row)


def count_deliveries(caller: Caller, which: Which, *, at_most: int = COUNTED_AT_MOST) -> int:
    """How many there are, as far as `at_most`. For those who see all of their tenant; raises 403."""
    caller.require(*SEE_ALL, to_write=False)
    chosen = choose(caller.tenant_id, which, recipient=which.recipient)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(chosen=chosen.sql), {**chosen.parameters, "limit": at_most})
        return int(cursor.fetchone()[0])


def _many_pending(tenant_id: UUID) -> bool:
    """Then it is quicker to meet some among the latest events than to sort all of them by their age."""
    with connection.cursor() as cursor:
        cursor.execute(_MANY_PENDING, [tenant_id, COUNTED_AT_MOST])
        return cursor.fetchone() is not None


def choose(
    tenant_id: UUID,
    which: Which,
    *,
    recipient: str | None,
    after: UUID | None = None,
    walk: bool = False,
    floor: UUID | None = None,
) -> Chosen:
    """`walk`: by the tenant's events, whatever index the state has."""
    if which.ids is not None:
        start, first = _BY_KEY, "d"
    elif recipient is not None:
        start, first = _BY_PERSON, "r"
    elif which.state in INDEXED_STATES and not walk:
        start, first = _BY_STATE, "d"
    else:
        start, first = _BY_EVENT, "e"
    of_deliveries = {
        "state": ("d.state = %(state)s", which.state),
        "channel": ("d.channel = %(channel)s", which.channel),
        "before": ("d.id < %(before)s", after),
    }
    # A delivery's key is greater than its recipient's and its event's.
    of_others = {
        "type": ("e.type = %(type)s", which.event_type),
        "since": (f"{first}.id >= %(since)s", which.since and first_at(which.since)),
        "until": (f"{first}.id < %(until)s", which.until and first_at(which.until)),
        "after": (f"{first}.id < %(after)s", after),
        "floor": (f"{first}.id > %(floor)s", floor),
    }
    asked = {name: value for name, (_, value) in (of_deliveries | of_others).items() if value is not None}
    chosen = start.format(of_deliveries=_all(of_deliveries, asked), of_others=_all(of_others, asked))
    return Chosen(
        f"{chosen.strip()}\nORDER BY {first}.id DESC, d.id DESC",
        {"tenant": tenant_id, "recipient": recipient, "ids": list(which.ids or ()), **asked},
    )


def shown(chosen: str) -> str:
    """The statement that reads them; it wants `WAITS_WITH` and a limit too."""
    return _SHOWN.format(chosen=chosen, waits_for=WAITS_FOR)


def _all(conditions: Mapping[str, tuple[str, Any]], asked: Collection[str]) -> str:
    return " ".join(f"AND {condition}" for name, (condition, _) in conditions.items() if name in asked)


def _shown(row: tuple[Any, ...]) -> Shown:
    return Shown(*[*row[:-1], msgspec.json.decode(row[-1])])
