"""What waits to be sent, on all nodes together, for those who watch: counted only as far as an alert needs it."""

from msgspec import Struct

from tidings.delivery.lease import COUNT_DELIVERING, DEAD_AFTER
from tidings.kernel.database import Connection

COUNTED_AT_MOST = 10_000

# Index: delivery_due, walked tenant by tenant, as `claim.py` does. The last one is NULL.
WAITING_TENANTS = """
WITH RECURSIVE tenants AS (
    (SELECT tenant_id FROM delivery_delivery WHERE state = 'pending' ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.tenant_id FROM delivery_delivery d
            WHERE d.state = 'pending' AND d.tenant_id > t.tenant_id ORDER BY d.tenant_id LIMIT 1)
    FROM tenants t WHERE t.tenant_id IS NOT NULL
)"""
# Index: delivery_due; a handful of nodes.
_BACKLOG = f"""{WAITING_TENANTS}, due AS (
    SELECT slice.due_at FROM tenants t CROSS JOIN LATERAL (
        SELECT d.due_at FROM delivery_delivery d
        WHERE d.state = 'pending' AND d.tenant_id = t.tenant_id AND d.due_at <= now()
        ORDER BY d.due_at LIMIT %(at_most)s
    ) slice LIMIT %(at_most)s
), later AS (
    SELECT FROM tenants t CROSS JOIN LATERAL (
        SELECT FROM delivery_delivery d
        WHERE d.state = 'pending' AND d.tenant_id = t.tenant_id AND d.due_at > now() LIMIT %(at_most)s
    ) slice LIMIT %(at_most)s
), first AS (
    SELECT (SELECT d.due_at FROM delivery_delivery d
            WHERE d.state = 'pending' AND d.tenant_id = t.tenant_id ORDER BY d.due_at LIMIT 1) AS due_at
    FROM tenants t WHERE t.tenant_id IS NOT NULL
)
SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM later),
       (SELECT greatest(extract(epoch FROM now() - min(due_at)), 0)::float8 FROM first),
       ({COUNT_DELIVERING})
"""  # noqa: S608 - ours


class Backlog(Struct, frozen=True):
    """Pending deliveries that are due, and due later, each counted up to `COUNTED_AT_MOST`; for how many seconds the
    oldest has been due; how many nodes deliver."""

    due: int
    later: int
    oldest_due: float
    delivering: int


async def read_backlog(connection: Connection) -> Backlog:
    parameters = {"at_most": COUNTED_AT_MOST, "dead_after": DEAD_AFTER}
    row = await (await connection.execute(_BACKLOG, parameters, binary=True)).fetchone()
    assert row is not None
    due, later, oldest_due, delivering = row
    return Backlog(due, later, oldest_due or 0.0, delivering)


async def count_delivering(connection: Connection) -> int:
    """How many nodes are alive that deliver."""
    row = await (await connection.execute(COUNT_DELIVERING, {"dead_after": DEAD_AFTER}, binary=True)).fetchone()
    assert row is not None
    return int(row[0])
