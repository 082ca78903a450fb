"""When somebody is asked to act and nothing reaches them, another way is tried: a contact point they have and did not
choose. Off unless the tenant wants it.

Of an event that asks for an act only; when a way has failed for good, or will not be tried for minutes; and only while
nothing else of this event has reached the person or is on its way to them.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from tidings.delivery.policy import Next
from tidings.directory.people import Member, Point
from tidings.kernel.database import Connection
from tidings.kernel.ids import MAX_ORDINAL, child_of, event_of, last_of

LONG = timedelta(minutes=4)
"""A wait this long is as bad as a failure to somebody who waits for an approval."""
# What a person notices soonest comes first; a group's robot, which others read too, last.
IN_ORDER = ("sms", "dingtalk", "email", "webhook", "dingtalk_robot")

# Index: a range of the primary key.
_WAYS = """
SELECT d.id, d.subject_id, d.number, d.channel, d.state FROM delivery_delivery d
WHERE d.id BETWEEN %s AND %s AND d.person_id = %s
"""
_LAST = "SELECT id FROM delivery_delivery WHERE id BETWEEN %s AND %s ORDER BY id DESC LIMIT 1"
_ADD = """
INSERT INTO delivery_delivery
    (id, tenant_id, person_id, subject_id, number, contact_point_id, channel, state, due_at, attempts)
VALUES (%s, %s, %s, %s, %s, %s, %s, 'pending', now(), %s::jsonb) ON CONFLICT DO NOTHING
"""


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
