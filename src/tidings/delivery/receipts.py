"""What became of messages after they were sent, as their providers say: by themselves, or when they are asked.

Receipts repeat and overtake one another, so the first one that ends a delivery counts, and the rest change nothing.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from tidings.channels.contract import Receipt
from tidings.delivery.record import storable
from tidings.kernel.database import Connection, plain_array, text_array

_json = msgspec.json.Encoder()

# Index: the primary key, for all three. Whoever knows how we name a message does not know how its provider does, so a
# receipt with another name than was recorded changes nothing. What is still on its way into the record comes a moment
# later.
_APPLY = """
UPDATE delivery_delivery d SET
    state = r.state, reason = nullif(r.reason, ''), ask_at = NULL,
    attempts = coalesce(d.attempts, '[]'::jsonb) || r.receipt::jsonb
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[])
    AS r(id, provider_id, state, reason, receipt)
WHERE d.id = r.id AND d.tenant_id = %s AND d.channel = %s AND d.state = 'sent'
  AND (r.provider_id = '' OR coalesce(d.provider_id, r.provider_id) = r.provider_id)
RETURNING d.id, d.person_id, d.contact_point_id, d.reason, r.provider_id
"""
_OF_OTHERS = """
SELECT d.id FROM delivery_delivery d, unnest(%s::uuid[], %s::text[]) AS r(id, provider_id)
WHERE d.id = r.id AND d.tenant_id = %s AND d.channel = %s AND r.provider_id <> '' AND d.provider_id <> r.provider_id
"""
_ON_THEIR_WAY = """
SELECT count(*) FROM delivery_delivery WHERE id = ANY(%s::uuid[]) AND tenant_id = %s AND channel = %s
AND state = 'sending'
"""
# Index: delivery_ask, which holds only what is to be asked about.
_DUE = """
WITH due AS (
    SELECT id FROM delivery_delivery WHERE ask_at <= now() ORDER BY ask_at LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE delivery_delivery d SET ask_at = now() + interval '1 minute' FROM due WHERE d.id = due.id
RETURNING d.id, d.tenant_id, d.channel, coalesce(d.provider_id, ''), d.attempts -> -1 ->> 'at'
"""
_ASK_AGAIN = """
UPDATE delivery_delivery d SET ask_at = now() + a.wait * interval '1 second'
FROM unnest(%s::uuid[], %s::float8[]) AS a(id, wait) WHERE d.id = a.id AND d.state = 'sent'
"""
_NEVER_MIND = "UPDATE delivery_delivery SET ask_at = NULL WHERE id = ANY(%s::uuid[])"


class Ended(Struct, frozen=True):
    """A delivery that a receipt ended; `dead` when it said that the address itself leads nowhere."""

    id: UUID
    person_id: UUID
    contact_point_id: UUID
    reason: str
    dead: bool
    receipt: Receipt


class Asked(Struct, frozen=True):
    """A message whose provider is to be asked now."""

    id: UUID
    tenant_id: UUID
    channel: str
    provider_id: str
    sent_at: datetime


async def apply(
    connection: Connection, tenant_id: UUID, channel: str, receipts: Sequence[Receipt], *, now: datetime
) -> list[Ended]:
    """Only of this tenant's deliveries by this channel; what is known already, or unknown, or of another message by the
    provider's own id, is passed over."""
    first = {(one.identity, storable(one.provider_id)): one for one in reversed(receipts) if one.identity is not None}
    columns = (
        *_named(first),
        plain_array([one.state for one in first.values()]),
        text_array([one.reason for one in first.values()]),
        text_array([_shown(one, now) for one in first.values()]),
    )
    cursor = await connection.execute(_APPLY, (*columns, tenant_id, channel))
    ended: list[Ended] = []
    for key, person, point, reason, provider_id in await cursor.fetchall():
        receipt = first[key, provider_id]
        dead = receipt.state == "failed" and receipt.of == "address"
        ended.append(Ended(key, person, point, reason or "", dead, receipt))
    return ended


async def of_others(connection: Connection, tenant_id: UUID, channel: str, receipts: Sequence[Receipt]) -> list[UUID]:
    """The deliveries that receipts speak of by our name for them, and by another than their provider's."""
    named = _named([(one.identity, storable(one.provider_id)) for one in receipts if one.identity is not None])
    cursor = await connection.execute(_OF_OTHERS, (*named, tenant_id, channel))
    return [row[0] for row in await cursor.fetchall()]


async def on_their_way(connection: Connection, tenant_id: UUID, channel: str, receipts: Sequence[Receipt]) -> int:
    """How many of these are sent and not recorded yet: a provider may be quicker than we are."""
    ids = plain_array([one.identity.hex for one in receipts if one.identity is not None])
    row = await (await connection.execute(_ON_THEIR_WAY, (ids, tenant_id, channel))).fetchone()
    return int(row[0]) if row else 0


async def due(connection: Connection, *, limit: int = 100) -> list[Asked]:
    """What is to be asked about now. Should we die over it, it is asked again in a minute."""
    cursor = await connection.execute(_DUE, (limit,))
    return [
        Asked(key, tenant_id, channel, provider_id, datetime.fromisoformat(at))
        for key, tenant_id, channel, provider_id, at in await cursor.fetchall()
    ]


async def ask_again(connection: Connection, waits: Sequence[tuple[UUID, float | None]]) -> None:
    """In so many seconds; None: never, it stays as sent as it is."""
    later = [(key, wait) for key, wait in waits if wait is not None]
    never = [key for key, wait in waits if wait is None]
    if later:
        ids, seconds = zip(*later, strict=True)
        await connection.execute(_ASK_AGAIN, (list(ids), list(seconds)))
    if never:
        await connection.execute(_NEVER_MIND, (never,))


def _named(names: Collection[tuple[UUID, str]]) -> tuple[str, str]:
    return plain_array([identity.hex for identity, _ in names]), text_array([provider_id for _, provider_id in names])


def _shown(receipt: Receipt, now: datetime) -> str:
    """Its line in the record, after the tries."""
    line = {"at": now, "outcome": receipt.state, "reason": receipt.reason, "said": storable(receipt.said)[:300]}
    return _json.encode([{name: value for name, value in line.items() if value}]).decode()
