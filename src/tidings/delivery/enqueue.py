"""Keep a group of planned events and queue its deliveries: subjects, events, bodies, people and deliveries in one
transaction, in one statement whatever the group's size.

The subjects come first, folded and sorted: their row locks put the groups of all nodes in one order, without deadlock,
and each event takes the next number of its subject. A delivery may be claimed as it is born (`sending`, under this
node's lease) unless something older of the same person, channel and subject is still open, or its subject has a later
status already: then whoever claims it sees that status, and the message says so.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import msgspec
from msgspec import Struct

from tidings.events.event import Incoming, stored_event
from tidings.kernel.database import Connection, plain_array, text_array
from tidings.kernel.ids import MAX_ORDINAL, child_hex
from tidings.planning.facts import Planned
from tidings.planning.plan import Because, Recipient, Send, Skip

# Index: subject_key for the subjects; delivery_open to see what is older and still open.
#
# What asks for approval leaves a row in `events_awaiting` (see `events/awaiting.py`): those are one event in eight. An
# index on the status of subjects would say the same, and make each event's update of its subject, which touches no
# index now, write all of that table's.
#
# One statement has one snapshot. `was` shows a subject as of it, `s` as it is under our row lock: where another node
# came between, the snapshot cannot show what that node queued, and the delivery is not claimed as it is born.
_KEEP = """
WITH s AS (
    INSERT INTO events_subject AS s
        (id, tenant_id, kind, key, title, url, status, status_time, status_number, last_number)
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                         %s::timestamptz[], %s::int[], %s::int[])
    ON CONFLICT (tenant_id, kind, key) DO UPDATE SET
        last_number = s.last_number + excluded.last_number,
        title = CASE WHEN excluded.status_time >= s.status_time AND excluded.title <> '' THEN excluded.title
                     ELSE s.title END,
        url = CASE WHEN excluded.status_time >= s.status_time AND excluded.url <> '' THEN excluded.url
                   ELSE s.url END,
        status = CASE WHEN excluded.status_time >= s.status_time THEN excluded.status ELSE s.status END,
        status_number = CASE WHEN excluded.status_time >= s.status_time THEN s.last_number + excluded.status_number
                             ELSE s.status_number END,
        status_time = greatest(excluded.status_time, s.status_time)
    RETURNING s.id, s.tenant_id, s.kind, s.key, s.last_number, s.status_time
), given AS MATERIALIZED (
    SELECT g.*, s.id AS subject_id, s.status_time, s.last_number - g.behind AS number,
           s.last_number - g.together AS before,
           (SELECT was.last_number FROM events_subject was
            WHERE g.together < s.last_number AND was.tenant_id = s.tenant_id AND was.kind = s.kind AND was.key = s.key
           ) AS seen
    FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::int[], %s::int[], %s::text[], %s::text[],
                %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], string_to_array(%s, E'\\x01'))
        AS g(id, tenant_id, kind, key, behind, together, source, source_id, type, time, hash, skips, fault, body)
    JOIN s USING (tenant_id, kind, key)
), kept AS (
    INSERT INTO events_event
        (id, tenant_id, source, source_id, type, time, subject_id, number, hash, skips, fault)
    SELECT id, tenant_id, source, source_id, type, time, subject_id, number, decode(hash, 'hex'),
           nullif(skips, '')::jsonb, nullif(fault, '')
    FROM given
), bodies AS (
    INSERT INTO events_body (id, day, body) SELECT id, %s::date, body FROM given
), awaiting AS (
    INSERT INTO events_awaiting AS a (subject_id, tenant_id, since)
    SELECT DISTINCT ON (subject_id) subject_id, tenant_id, time FROM given
    WHERE type LIKE '%%.pending_approval' ORDER BY subject_id, time DESC
    ON CONFLICT (subject_id) DO UPDATE SET since = greatest(a.since, excluded.since)
), involved AS (
    INSERT INTO events_involved (id, tenant_id, person_id) SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[])
), told AS (
    INSERT INTO events_recipient (id, tenant_id, person_id, because, skips)
    SELECT id, tenant_id, person_id, because::jsonb, nullif(skips, '')::jsonb
    FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[])
        AS r(id, tenant_id, person_id, because, skips)
)
INSERT INTO delivery_delivery
    (id, tenant_id, person_id, subject_id, number, contact_point_id, channel, state, due_at, lease)
SELECT d.id, g.tenant_id, d.person_id, g.subject_id, g.number, d.contact_point_id, d.channel,
       CASE WHEN free THEN 'sending' ELSE 'pending' END, now(), CASE WHEN free THEN %s::bigint END
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::bool[])
    AS d(id, event_id, person_id, contact_point_id, channel, claim)
JOIN given g ON g.id = d.event_id
CROSS JOIN LATERAL (SELECT d.claim AND g.time >= g.status_time AND (g.before = 0 OR g.before = g.seen AND NOT EXISTS (
    SELECT FROM delivery_delivery o
    WHERE o.subject_id = g.subject_id AND o.person_id = d.person_id AND o.channel = d.channel
      AND o.state IN ('pending', 'sending')
)) AS free) AS f
RETURNING id, state = 'sending', number
"""
# Index: event_unplanned, which holds only such events; the primary keys.
_UNPLANNED = """
SELECT e.id, e.tenant_id, e.time, e.hash, b.body FROM events_event e JOIN events_body b ON b.id = e.id
WHERE e.fault IS NOT NULL AND e.id > %s ORDER BY e.id LIMIT 100 FOR UPDATE OF e SKIP LOCKED
"""
_PLANNED = """
WITH given AS MATERIALIZED (
    SELECT g.id, e.tenant_id, e.subject_id, e.number, g.skips
    FROM unnest(%s::uuid[], %s::text[]) AS g(id, skips) JOIN events_event e USING (id)
), planned AS (
    UPDATE events_event e SET fault = NULL, skips = nullif(g.skips, '')::jsonb FROM given g WHERE e.id = g.id
), involved AS (
    INSERT INTO events_involved (id, tenant_id, person_id) SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[])
), told AS (
    INSERT INTO events_recipient (id, tenant_id, person_id, because, skips)
    SELECT id, tenant_id, person_id, because::jsonb, nullif(skips, '')::jsonb
    FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[])
        AS r(id, tenant_id, person_id, because, skips)
)
INSERT INTO delivery_delivery
    (id, tenant_id, person_id, subject_id, number, contact_point_id, channel, state, due_at)
SELECT d.id, g.tenant_id, d.person_id, g.subject_id, g.number, d.contact_point_id, d.channel, 'pending', now()
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::bool[])
    AS d(id, event_id, person_id, contact_point_id, channel, claim)
JOIN given g ON g.id = d.event_id
"""
_json = msgspec.json.Encoder()


class Keep(Struct, frozen=True):
    """One event to keep. `planned` is None when planning failed: the event is kept unplanned, with its `fault`.
    `claims` says for each send of the plan, in order, whether this node has room to send it at once."""

    id: UUID
    tenant_id: UUID
    incoming: Incoming
    planned: Planned | None
    claims: Sequence[bool] = ()
    fault: str = ""


class Queued(Struct, frozen=True):
    """A delivery as it was born."""

    id: UUID
    claimed: bool
    number: int


async def enqueue(connection: Connection, group: Sequence[Keep], *, lease: int | None, today: date) -> list[Queued]:
    """Keep the group; durable when this returns. Raises psycopg's UniqueViolation when another node kept one of these
    events in between, and DataError when PostgreSQL refuses a value; then nothing of the group is kept."""
    subjects, places = _fold_subjects(group)
    events = _event_columns(group, places)
    recipients, deliveries = _people_columns(group)
    people = (*_involved_columns(group), *recipients)
    cursor = await connection.execute(_KEEP, (*subjects, *events, today, *people, lease, *deliveries), binary=True)
    return [Queued(*row) for row in await cursor.fetchall()]


async def unplanned(connection: Connection, after: UUID) -> list[tuple[UUID, UUID, Incoming]]:
    """The next events that are still unplanned (id, tenant, event), by key; locked for this transaction."""
    cursor = await connection.execute(_UNPLANNED, (after,), binary=True)
    return [
        (row[0], row[1], Incoming(stored_event(row[4]), row[2], row[4].encode(), bytes(row[3])))
        for row in await cursor.fetchall()
    ]


async def enqueue_late(connection: Connection, group: Sequence[Keep]) -> None:
    """Queue the deliveries of events that were kept unplanned; every one of the group has its plan now."""
    recipients, deliveries = _people_columns(group)
    events = (
        plain_array([keep.id.hex for keep in group]),
        text_array([_skips(keep.planned.plan.skips) if keep.planned else "" for keep in group]),
    )
    await connection.execute(_PLANNED, (*events, *_involved_columns(group), *recipients, *deliveries))


def _fold_subjects(group: Sequence[Keep]) -> tuple[tuple[str, ...], list[tuple[int, int]]]:
    """One row a subject, sorted by key, with its latest status; and for each event how many of its subject come after
    it in the group, and how many there are."""
    by_key: dict[tuple[str, str, str], list[Keep]] = {}
    place: list[tuple[list[Keep], int]] = []
    for keep in group:
        subject = keep.incoming.event.subject
        members = by_key.setdefault((keep.tenant_id.hex, subject.kind, subject.id), [])
        members.append(keep)
        place.append((members, len(members)))
    rows: list[tuple[str, ...]] = []
    for key in sorted(by_key):
        members = by_key[key]
        number, latest = 1, members[0]
        for position, keep in enumerate(members[1:], 2):
            if keep.incoming.time >= latest.incoming.time:
                number, latest = position, keep
        event, time = latest.incoming.event, latest.incoming.time.isoformat()
        rows.append((
            child_hex(latest.id.hex, 1), *key, event.subject.title, event.subject.url, event.type, time, str(number),
            str(len(members)),
        ))  # fmt: skip
    columns = list(zip(*rows, strict=True))
    return (
        plain_array(columns[0]), plain_array(columns[1]), *(text_array(column) for column in columns[2:8]),
        plain_array(columns[8]), plain_array(columns[9]),
    ), [(len(members) - position, len(members)) for members, position in place]  # fmt: skip


def _event_columns(group: Sequence[Keep], places: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    incoming = [keep.incoming for keep in group]
    events = [one.event for one in incoming]
    return (
        plain_array([keep.id.hex for keep in group]),
        plain_array([keep.tenant_id.hex for keep in group]),
        text_array([event.subject.kind for event in events]),
        text_array([event.subject.id for event in events]),
        plain_array([str(behind) for behind, _ in places]),
        plain_array([str(together) for _, together in places]),
        text_array([event.source for event in events]),
        text_array([event.id for event in events]),
        text_array([event.type for event in events]),
        text_array([one.time.isoformat() for one in incoming]),
        plain_array([one.hash.hex() for one in incoming]),
        text_array([_skips(keep.planned.plan.skips) if keep.planned else "" for keep in group]),
        text_array([keep.fault for keep in group]),
        # In JSON a control character is always escaped, so it can stand between two; nothing has to be quoted.
        "\x01".join([one.body.decode() for one in incoming]),
    )


def _involved_columns(group: Sequence[Keep]) -> tuple[str, str, str]:
    """Who is not told, and may see the event all the same."""
    rows = [(keep, person.hex) for keep in group if keep.planned for person in keep.planned.not_told()]
    return (
        plain_array([keep.id.hex for keep, _ in rows]),
        plain_array([keep.tenant_id.hex for keep, _ in rows]),
        plain_array([person for _, person in rows]),
    )


def _people_columns(group: Sequence[Keep]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The recipients' columns, and the deliveries'."""
    told: list[tuple[str, ...]] = []
    sent: list[tuple[str, ...]] = []
    for keep in group:
        claims, event, tenant = iter(keep.claims), keep.id.hex, keep.tenant_id.hex
        for ordinal, send_from, recipient in numbered(keep.planned):
            person = recipient.member.id.hex
            because, skips = _because(recipient.because), _skips(recipient.skips)
            told.append((child_hex(event, ordinal), tenant, person, because, skips))
            for place, send in enumerate(recipient.sends, send_from):
                claim = "t" if next(claims, False) else "f"
                sent.append((child_hex(event, place), event, person, send.point.id.hex, send.channel, claim))
    r = list(zip(*told, strict=True)) or [()] * 5
    d = list(zip(*sent, strict=True)) or [()] * 6
    return (
        (plain_array(r[0]), plain_array(r[1]), plain_array(r[2]), text_array(r[3]), text_array(r[4])),
        (
            plain_array(d[0]),
            plain_array(d[1]),
            plain_array(d[2]),
            plain_array(d[3]),
            text_array(d[4]),
            plain_array(d[5]),
        ),
    )


def numbered(planned: Planned | None) -> list[tuple[int, int, Recipient]]:
    """Each recipient with its ordinal and the ordinal of its first send: recipients are numbered from 1, their sends
    after the last recipient, in the plan's order."""
    if planned is None:
        return []
    recipients = planned.plan.recipients
    if len(recipients) == 1:
        return [(1, 2, recipients[0])]
    rows: list[tuple[int, int, Recipient]] = []
    send_from = len(recipients) + 1
    for ordinal, recipient in enumerate(recipients, 1):
        rows.append((ordinal, send_from, recipient))
        send_from += len(recipient.sends)
    if send_from > MAX_ORDINAL:
        raise ValueError(f"an event has at most {MAX_ORDINAL} recipients and deliveries")
    return rows


def order_key(keep: Keep, recipient: Recipient, send: Send) -> tuple[UUID, str, str, UUID, str]:
    """What deliveries wait for one another on: person, channel and subject."""
    subject = keep.incoming.event.subject
    return keep.tenant_id, subject.kind, subject.id, recipient.member.id, send.channel


def _because(because: Sequence[Because]) -> str:
    return _json.encode([[one.role, one.of] for one in because]).decode()


def _skips(skips: Sequence[Skip]) -> str:
    """A list of [reason, role, person, channel]; empty texts are left away at reading."""
    return _json.encode([[one.reason, one.role, one.person, one.channel] for one in skips]).decode() if skips else ""
