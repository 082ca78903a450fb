"""A node's lease: one row, renewed every 5 s on the database's clock, covers everything the node holds.

A node that was silent for 20 s is taken for dead and all it held is freed; a node that could not renew for 15 s (on its
own monotonic clock) stops sending before that. Each life of a node is a new row, so a late answer from an earlier life
changes nothing.
"""

from collections.abc import Mapping
from datetime import timedelta
from itertools import islice
from types import MappingProxyType
from uuid import UUID

import msgspec

from tidings.kernel.database import Connection

RENEW_EVERY = timedelta(seconds=5)
STOP_AFTER = timedelta(seconds=15)
DEAD_AFTER = timedelta(seconds=20)
TOLD_AT_MOST = 100
"""Accounts in trouble."""
# A handful of rows.
COUNT_DELIVERING = "SELECT count(*) FROM delivery_node WHERE renewed_at > clock_timestamp() - %(dead_after)s::interval"
"""How many nodes deliver and are not taken for dead (`DEAD_AFTER`)."""

_REGISTER = "INSERT INTO delivery_node (name, renewed_at) VALUES (%s, clock_timestamp()) RETURNING id"
_RENEW = "UPDATE delivery_node SET renewed_at = clock_timestamp(), left_alone = %s::jsonb WHERE id = %s"
# Index: the primary key; a handful of rows.
_BURY = """
DELETE FROM delivery_node WHERE id IN (
    SELECT id FROM delivery_node WHERE renewed_at < clock_timestamp() - %s FOR UPDATE SKIP LOCKED)
"""
# Index: delivery_open, whose rows are only what is open; the primary key of nodes. Looked for by what is held and not
# by who has just died: a node that was taken for dead may commit a last group, or a claim, afterwards. The leases are
# listed first, so that what somebody claims anew in the middle of this is left alone. Without a lease nobody holds it.
_FREE = """
WITH lost AS (
    SELECT DISTINCT lease FROM delivery_delivery d WHERE state IN ('pending', 'sending') AND state = 'sending'
    AND NOT EXISTS (SELECT FROM delivery_node n WHERE n.id = d.lease)
)
UPDATE delivery_delivery SET state = 'pending', lease = NULL, due_at = now()
WHERE state IN ('pending', 'sending') AND state = 'sending' AND (lease IS NULL OR lease IN (SELECT lease FROM lost))
RETURNING id
"""
_GIVE_BACK = """
UPDATE delivery_delivery SET state = 'pending', lease = NULL, due_at = now()
WHERE state IN ('pending', 'sending') AND lease = %s
"""
_SIGN_OFF = "DELETE FROM delivery_node WHERE id = %s"


async def register(connection: Connection, name: str) -> int:
    """The lease of a new life."""
    cursor = await connection.execute(_REGISTER, (name,))
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def renew(connection: Connection, lease: int, left_alone: Mapping[str, float] = MappingProxyType({})) -> bool:
    """False when the row is gone: others took this node for dead, and what it held is no longer its own. `left_alone`:
    the vendor accounts that this node does not try just now and for how many seconds, for people to see."""
    told = msgspec.json.encode(dict(islice(left_alone.items(), TOLD_AT_MOST))).decode()
    return (await connection.execute(_RENEW, (told, lease))).rowcount == 1


async def free_dead(connection: Connection) -> list[UUID]:
    """The deliveries of dead nodes, which are pending again."""
    await connection.execute(_BURY, (DEAD_AFTER,))
    return [row[0] for row in await (await connection.execute(_FREE, binary=True)).fetchall()]


async def sign_off(connection: Connection, lease: int) -> int:
    """Give back what is still held and end this life; how many were given back."""
    async with connection.transaction():
        given_back = (await connection.execute(_GIVE_BACK, (lease,))).rowcount
        await connection.execute(_SIGN_OFF, (lease,))
    return given_back
