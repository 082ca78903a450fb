"""When somebody is asked to act and nothing reaches them, another way is tried: a contact point they have and did not
choose. Off unless the tenant wants it.

Of an event that asks for an act only; when a way has failed for good, or will not be tried for minutes; and only while
nothing else of this event has reached the person or is on its way to them.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from tidings.delivery.policy import Next
from tidings.directory.people import Member, Point
from tidings.kernel.database import Connection
from tidings.kernel.ids import MAX_ORDINAL, child_of, event_of, first_at, last_of

LONG = timedelta(minutes=4)
"""A wait this long is as bad as a failure to somebody who waits for an approval."""
LOOKED_AT_FOR, FAILS_WITHIN = timedelta(minutes=10), timedelta(days=2)
"""How long what failed is looked at again, and how old its event may be: a schedule takes little more than a day."""
# What a person notices soonest comes first; a group's robot, which others read too, last.
IN_ORDER = ("sms", "dingtalk", "email", "webhook", "dingtalk_robot")

# Index: a range of the primary key.
_WAYS = """
SELECT d.id, d.subject_id, d.number, d.channel, d.state FROM delivery_delivery d
WHERE d.id BETWEEN %s AND %s AND d.person_id = %s
"""
# Index: delivery_failed, of the tenants that want it; the primary key of events. What failed within the last minute is
# still in the hands of the node that recorded it.
_MISSED = """
SELECT d.id, d.tenant_id, d.person_id, e.type FROM accounts_tenant t CROSS JOIN LATERAL (
    SELECT id, tenant_id, person_id, attempts FROM delivery_delivery
    WHERE state = 'failed' AND tenant_id = t.id AND id > %s OFFSET 0
) d JOIN events_event e ON e.id = (left(d.id::text, 31) || '00000')::uuid
WHERE t.fallback AND (d.attempts -> -1 ->> 'at')::timestamptz BETWEEN %s AND now() - interval '1 minute'
ORDER BY d.id LIMIT 500
"""
_LAST = "SELECT id FROM delivery_delivery WHERE id BETWEEN %s AND %s ORDER BY id DESC LIMIT 1"
_ADD = """
INSERT INTO delivery_delivery
    (id, tenant_id, person_id, subject_id, number, contact_point_id, channel, state, due_at, attempts)
VALUES (%s, %s, %s, %s, %s, %s, %s, 'pending', now(), %s::jsonb) ON CONFLICT DO NOTHING
"""


class Missed(Struct, frozen=True):
    """A way that failed lately; whether another was looked for, nobody can tell."""

    delivery: UUID
    tenant_id: UUID
    person_id: UUID
    event_type: str


def wants(tone: str, following: Next) -> bool:
    """Whether what is next for a delivery is reason enough. Pure."""
    late = following.state == "pending" and following.wait is not None and following.wait >= LONG
    return tone == "action" and (late or following.state == "failed")


def next_way(member: Member, used: Collection[str], channels_on: Collection[str]) -> Point | None:
    """The first usable contact point that this event has not been sent to. Pure."""
    others = sorted(set(member.points) - set(IN_ORDER))
    for channel in (*member.methods, *IN_ORDER, *others):
        point = member.points.get(channel)
        if channel in used or channel not in channels_on or point is None:
            continue
        if point.is_fallback or (channel in member.methods and point.usable and not point.left):
            return point
    return None


async def missed(connection: Connection, now: datetime) -> list[Missed]:
    """For a node that died between the record of a failure and the look for another way. To look twice does no harm."""
    cursor = await connection.execute(_MISSED, (first_at(now - FAILS_WITHIN), now - LOOKED_AT_FOR), binary=True)
    return [Missed(*row) for row in await cursor.fetchall()]


async def fall_back(
    connection: Connection, delivery: UUID, tenant_id: UUID, member: Member, channels_on: Collection[str], now: datetime
) -> Point | None:
    """Queue the event's message for the person's next way; None where there is none, or no need."""
    event = event_of(delivery)
    rows = await (await connection.execute(_WAYS, (event, last_of(event), member.id))).fetchall()
    ours = next((row for row in rows if row[0] == delivery), None)
    if ours is None or any(row[0] != delivery and row[4] not in ("failed", "cancelled") for row in rows):
        return None
    point = next_way(member, {row[3] for row in rows}, channels_on)
    if point is None:
        return None
    said = msgspec.json.encode([{"at": now, "outcome": "fallback_for", "said": ours[3]}]).decode()
    while True:
        last = await (await connection.execute(_LAST, (event, last_of(event)))).fetchone()
        ordinal = (last[0].int & MAX_ORDINAL) + 1 if last else 1
        values = child_of(event, ordinal), tenant_id, member.id, ours[1], ours[2], point.id, point.channel, said
        if (await connection.execute(_ADD, values)).rowcount:
            return point
