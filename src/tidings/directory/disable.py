"""A contact point that a vendor says is dead is switched off, unless it was changed meanwhile."""

from uuid import UUID

from tidings.kernel.database import Connection

# Index: the primary keys.
_DISABLE = """
WITH gone AS (
    UPDATE directory_contactpoint SET disabled_at = now(), disabled_reason = %(reason)s, version = version + 1
    WHERE id = %(id)s AND sealed = %(sealed)s AND disabled_at IS NULL
    RETURNING tenant_id, shown, version
), raised AS (
    UPDATE accounts_tenant t SET directory_version = directory_version + 1 FROM gone WHERE t.id = gone.tenant_id
)
SELECT shown, version FROM gone
"""


async def disable_contact_point(
    connection: Connection, point_id: UUID, sealed: bytes, reason: str
) -> tuple[str, int] | None:
    """What may be shown of it and its new version; None when it was changed or disabled before."""
    cursor = await connection.execute(_DISABLE, {"id": point_id, "sealed": sealed, "reason": reason})
    return await cursor.fetchone()
