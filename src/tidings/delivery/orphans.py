"""Deliveries under our own lease that we do not hold: a commit whose answer never came. They are pending again.

Seen twice, a renewal apart, because between a commit and the hand-over a delivery is rightly in nobody's hands.
"""

from collections.abc import Set
from uuid import UUID

from tidings.kernel.database import Connection, plain_array

# Index: delivery_open, whose rows are only what is open.
_MINE = "SELECT id FROM delivery_delivery WHERE state IN ('pending', 'sending') AND state = 'sending' AND lease = %s"
_FREE = """
UPDATE delivery_delivery SET state = 'pending', lease = NULL, due_at = now()
WHERE id = ANY(%s::uuid[]) AND lease = %s AND state = 'sending'
"""


async def unheld(connection: Connection, lease: int, held: Set[UUID]) -> set[UUID]:
    cursor = await connection.execute(_MINE, (lease,), binary=True)
    return {row[0] for row in await cursor.fetchall()} - held


async def free(connection: Connection, lease: int, orphans: Set[UUID]) -> int:
    keys = plain_array([each.hex for each in orphans])
    return (await connection.execute(_FREE, (keys, lease))).rowcount
