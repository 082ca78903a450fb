"""Take pending deliveries that are due, tenants in turn, and what their attempts need.

A delivery waits for an older open one of the same person, channel and subject, 30 s at most after it was due; then the
newer goes first, and the older says when it is sent that it is no longer the current status.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tidings.delivery.job import Job, Story
from tidings.directory.people import Member
from tidings.events.event import stored_event
from tidings.kernel.database import Connection, plain_array, text_array
from tidings.kernel.ids import event_of, last_of
from tidings.messages.document import Newer
from tidings.planning.facts import involve
from tidings.planning.plan import Because
from tidings.planning.view import View

log = logging.getLogger("tidings.delivery")

# Index: delivery_due, walked tenant by tenant (a loose index scan), then a share of each, in any order of the tenants,
# and of those that are due first: 50,000 that wait for a vendor or for each other took 20 to 350 ms to walk past;
# delivery_open for what is older; the primary key of contact points, while any destination is full. Rows another node
# is taking are passed over.
_CLAIM = """
WITH RECURSIVE tenants AS (
    (SELECT tenant_id FROM delivery_delivery WHERE state = 'pending' ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.tenant_id FROM delivery_delivery d
            WHERE d.state = 'pending' AND d.tenant_id > t.tenant_id ORDER BY d.tenant_id LIMIT 1)
    FROM tenants t WHERE t.tenant_id IS NOT NULL
), turns AS (
    SELECT tenant_id, greatest(%(limit)s / count(*) OVER (), 10) AS share, ARRAY(
        SELECT f.destination FROM unnest(%(full_for)s::uuid[], %(full)s::text[]) AS f(tenant_id, destination)
        WHERE f.tenant_id = tenants.tenant_id) AS closed, coalesce(CASE WHEN %(look)s > 0 THEN (
            SELECT d.due_at FROM delivery_delivery d
            WHERE d.state = 'pending' AND d.tenant_id = tenants.tenant_id AND d.due_at <= now()
            ORDER BY d.due_at OFFSET %(look)s LIMIT 1) END, now()) AS until
    FROM tenants WHERE tenant_id IS NOT NULL AND tenant_id <> ALL(%(passed_over)s::uuid[]) ORDER BY random()
), due AS (
    SELECT slice.id FROM turns t CROSS JOIN LATERAL (
        SELECT d.id FROM delivery_delivery d
        WHERE d.state = 'pending' AND d.tenant_id = t.tenant_id AND d.due_at <= t.until
          AND (t.closed = '{}' OR NOT EXISTS (
              SELECT FROM directory_contactpoint c
              WHERE c.id = d.contact_point_id AND c.destination = ANY(t.closed)))
          AND (d.due_at < now() - interval '30 seconds' OR NOT EXISTS (
              SELECT FROM delivery_delivery o
              WHERE o.subject_id = d.subject_id AND o.person_id = d.person_id AND o.channel = d.channel
                AND o.number < d.number AND o.state IN ('pending', 'sending')))
        ORDER BY d.due_at LIMIT t.share FOR UPDATE SKIP LOCKED
    ) slice LIMIT %(limit)s
)
UPDATE delivery_delivery d SET state = 'sending', lease = %(lease)s
FROM due WHERE d.id = due.id
RETURNING d.id, d.tenant_id, d.person_id, d.subject_id, d.number, d.contact_point_id, d.channel,
          CASE WHEN d.attempts IS NULL THEN 0 ELSE (
              SELECT count(*) FILTER (WHERE a.try ->> 'outcome' <> 'held') - coalesce(max(a.tries)
                  FILTER (WHERE a.try ->> 'outcome' IN ('retried_by', 'fallback_for')), 0)
              FROM (SELECT try, count(*) FILTER (WHERE try ->> 'outcome' <> 'held') OVER (ORDER BY place) AS tries
                    FROM jsonb_array_elements(d.attempts) WITH ORDINALITY AS e(try, place)) a) END,
          (SELECT max(a.try ->> 'at') FROM jsonb_array_elements(d.attempts) AS a(try)
           WHERE a.try ->> 'outcome' IN ('retried_by', 'fallback_for'))::timestamptz,
          coalesce(d.attempts -> 0 ->> 'outcome' = 'fallback_for', false),
          CASE WHEN d.attempts -> -1 ->> 'outcome' = 'held' THEN d.attempts -> -1 ->> 'reason' ELSE '' END
"""
# Index: the primary keys of events, bodies (of each day's partition), recipients and subjects.
_STORIES = """
SELECT e.id, e.type, e.time, e.number, b.body, s.status, s.status_time, s.status_number
FROM events_event e JOIN events_subject s ON s.id = e.subject_id LEFT JOIN events_body b ON b.id = e.id
WHERE e.id = ANY(%s::uuid[])
"""
# Index: recipient_inbox, one probe a delivery. OFFSET 0 says so: joined by person, and then filtered, it cost half a
# second where everything went to one person and nothing had been analysed yet.
_BECAUSE = """
SELECT r.id, r.person_id, r.because FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS k(first, last, person_id)
CROSS JOIN LATERAL (
    SELECT r.id, r.person_id, r.because FROM events_recipient r
    WHERE r.person_id = k.person_id AND r.id BETWEEN k.first AND k.last OFFSET 0
) r
"""
_GIVE_BACK = """
UPDATE delivery_delivery SET state = 'pending', lease = NULL
WHERE id = ANY(%s::uuid[]) AND lease = %s AND state = 'sending'
"""
_CANCEL = """
UPDATE delivery_delivery d SET state = c.state, reason = c.reason, lease = NULL
FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS c(id, state, reason)
WHERE d.id = c.id AND d.lease = %s AND d.state = 'sending'
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """`attempts` counts the tries since the last retry by hand, at `retried_at`: with one, the schedule starts over, as
    it does for another way (`fallback`), which need not be a method that the person chose. `waits_for`: see `Job`."""

    id: UUID
    tenant_id: UUID
    person_id: UUID
    subject_id: UUID
    number: int
    contact_point_id: UUID
    channel: str
    attempts: int
    retried_at: datetime | None
    fallback: bool
    waits_for: str


async def claim(
    connection: Connection,
    *,
    lease: int,
    limit: int,
    passed_over: Collection[UUID] = (),
    full: Collection[tuple[UUID, str]] = (),
    look: int = 0,
) -> list[Claimed]:
    """Up to `limit` due deliveries, now `sending` under our lease. Not of the tenants `passed_over`, and not of a
    tenant to a destination that is `full` for it. `look`: at how many of each tenant, from the first that was due, as
    near as may be; 0: at all of them."""
    parameters = {
        "limit": limit,
        "lease": lease,
        "look": look,
        "passed_over": plain_array([each.hex for each in passed_over]),
        "full_for": plain_array([tenant_id.hex for tenant_id, _ in full]),
        "full": text_array([destination for _, destination in full]),
    }
    cursor = await connection.execute(_CLAIM, parameters, binary=True)
    return [Claimed(*row) for row in await cursor.fetchall()]


async def give_back(connection: Connection, ids: Collection[UUID], *, lease: int) -> None:
    """What was claimed and cannot be sent now is as it was before: nobody's, and due since when it was due."""
    await connection.execute(_GIVE_BACK, (plain_array([each.hex for each in ids]), lease))


async def prepare(
    connection: Connection,
    claimed: list[Claimed],
    views: Mapping[UUID, View],
    *,
    lease: int,
    when_ended: Callable[[Claimed, str, str], None] = lambda *_: None,
) -> list[Job]:
    """The jobs of claimed deliveries. Person, contact point and channel are looked at as they stand now: a delivery
    whose way is gone is cancelled with the reason, one whose content is gone has failed. `when_ended` hears of each of
    those, its state and its reason."""
    stories = await _stories(connection, claimed, views)
    because = await _because(connection, claimed)
    jobs: list[Job] = []
    ended: list[tuple[UUID, str, str]] = []
    for one in claimed:
        view = views[one.tenant_id]
        member = view.directory.people.by_id.get(one.person_id)
        story = stories.get(event_of(one.id), "content_expired")
        if isinstance(story, str):
            ended.append((one.id, "failed", story))
        elif member is None or (gone := _why_gone(one, member, view)):
            ended.append((one.id, "cancelled", gone if member else "unknown_person"))
        else:
            told, newer = story
            point, settings = member.points[one.channel], view.channels[one.channel]
            reasons = because.get((told.id, one.person_id), ())
            jobs.append(
                Job(
                    one.id,
                    one.tenant_id,
                    told,
                    member,
                    reasons,
                    one.channel,
                    point,
                    settings,
                    lease,
                    one.attempts,
                    newer,
                    since=one.retried_at,
                    waits_for=one.waits_for or "",
                )
            )
    if ended:
        ids, states, reasons_gone = zip(*ended, strict=True)
        columns = (plain_array([each.hex for each in ids]), text_array(states), text_array(reasons_gone), lease)
        await connection.execute(_CANCEL, columns)
        by_id = {one.id: one for one in claimed}
        for key, state, reason in ended:
            when_ended(by_id[key], state, reason)
    return jobs


def _why_gone(one: Claimed, member: Member, view: View) -> str:
    if member.departed:
        return "person_departed"
    if not member.active:
        return "person_disabled"
    if one.channel not in view.channels:
        return "channel_off"
    point = member.points.get(one.channel)
    if point is None or not (one.fallback or one.channel in member.methods):
        return "contact_missing"
    if point.disabled:
        return "contact_disabled"
    return "" if point.verified else "contact_unverified"


async def _stories(
    connection: Connection, claimed: list[Claimed], views: Mapping[UUID, View]
) -> dict[UUID, tuple[Story, Newer | None] | str]:
    """Each event's story, and the newer status that has overtaken it; or why it cannot be told any more."""
    tenants = {event_of(one.id): one.tenant_id for one in claimed}
    cursor = await connection.execute(_STORIES, (plain_array([each.hex for each in tenants]),), binary=True)
    stories: dict[UUID, tuple[Story, Newer | None] | str] = {}
    for event_id, code, time, number, body, status, status_time, status_number in await cursor.fetchall():
        view = views[tenants[event_id]]
        event_types = view.catalog.event_types
        if body is None:
            stories[event_id] = "content_expired"
        elif code not in event_types:
            stories[event_id] = "unknown_event_type"
        else:
            try:
                event = stored_event(body)
            except msgspec.MsgspecError:
                log.exception("stored content cannot be read", extra={"event": str(event_id)})
                stories[event_id] = "content_unreadable"
                continue
            story = Story(event_id, event, time, event_types[code], involve(event, view.directory.people), number)
            overtaken = (status_time, status_number) > (time, number) and status in event_types
            stories[event_id] = story, Newer(status_time, event_types[status].labels) if overtaken else None
    return stories


async def _because(connection: Connection, claimed: list[Claimed]) -> dict[tuple[UUID, UUID], tuple[Because, ...]]:
    pairs = {(event_of(one.id), one.person_id) for one in claimed}
    columns = (
        plain_array([event.hex for event, _ in pairs]),
        plain_array([last_of(event).hex for event, _ in pairs]),
        plain_array([person.hex for _, person in pairs]),
    )
    cursor = await connection.execute(_BECAUSE, columns, binary=True)
    rows: list[Any] = await cursor.fetchall()
    return {(event_of(row[0]), row[1]): tuple(Because(role, of) for role, of in row[2]) for row in rows}
