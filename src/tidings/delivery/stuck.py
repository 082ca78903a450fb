"""What would wait for ever, or nearly, because of what happened outside the flow: a clock that was set back, a row that
was changed by hand. Looked for once a minute by every node that delivers; what is found is put right, and said.

What a dead or forgetful node held is found by `lease.py` and `orphans.py`, every five seconds.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from tidings.delivery.backlog import WAITING_TENANTS
from tidings.kernel.database import Connection

OVERDUE = timedelta(minutes=10)
SLICE = 1_000

# Every statement's index: delivery_due; the primary key of nodes.
_BRING_FORWARD = f"""{WAITING_TENANTS}, late AS (
    SELECT slice.id FROM tenants t CROSS JOIN LATERAL (
        SELECT d.id FROM delivery_delivery d
        WHERE d.state = 'pending' AND d.tenant_id = t.tenant_id AND d.due_at > now() + %(longest)s::interval
        ORDER BY d.due_at DESC LIMIT %(slice)s FOR UPDATE SKIP LOCKED
    ) slice LIMIT %(slice)s
)
UPDATE delivery_delivery d SET due_at = now() FROM late WHERE d.id = late.id RETURNING d.id
"""  # noqa: S608 - ours
OLDEST_OVERDUE = f"""{WAITING_TENANTS}
SELECT first.id, first.due_at FROM tenants t CROSS JOIN LATERAL (
    SELECT d.id, d.due_at FROM delivery_delivery d
    WHERE d.state = 'pending' AND d.tenant_id = t.tenant_id AND d.due_at < now() - %(overdue)s::interval
    ORDER BY d.due_at LIMIT 1
) first ORDER BY first.due_at LIMIT 1
"""  # noqa: S608 - ours
_AHEAD = "SELECT id, renewed_at FROM delivery_node WHERE renewed_at > clock_timestamp()"
_BURY = "DELETE FROM delivery_node WHERE id = %s AND renewed_at = %s"


async def bring_forward(connection: Connection, longest: timedelta) -> list[UUID]:
    """Deliveries that wait for longer than anything is made to wait (`policy.longest_wait`) are due now: the clock of
    the database was ahead when their time was set."""
    asked = {"longest": longest, "slice": SLICE}
    return [row[0] for row in await (await connection.execute(_BRING_FORWARD, asked, binary=True)).fetchall()]


async def bury_ahead(connection: Connection, seen: Mapping[int, datetime]) -> tuple[dict[int, datetime], list[int]]:
    """Nodes whose lease was renewed in what is the future now that the clock was set back: a dead one would pass for
    alive until then. One that is as it was `seen` a minute ago is buried. Who is seen this time, and who was buried."""
    ahead: dict[int, datetime] = dict(await (await connection.execute(_AHEAD, binary=True)).fetchall())
    buried: list[int] = []
    for lease, renewed_at in ahead.items():
        if seen.get(lease) == renewed_at and (await connection.execute(_BURY, (lease, renewed_at))).rowcount:
            buried.append(lease)
    return {lease: at for lease, at in ahead.items() if lease not in buried}, buried


async def overdue(connection: Connection) -> tuple[UUID, datetime] | None:
    """The delivery that has been due for longest, and since when, if that is for more than ten minutes."""
    rows = await (await connection.execute(OLDEST_OVERDUE, {"overdue": OVERDUE}, binary=True)).fetchall()
    return (rows[0][0], rows[0][1]) if rows else None
