"""Read living tokens: a tenant's for the hot path to hold in memory, or one by its hash."""

from collections.abc import Mapping
from uuid import UUID

from tidings.accounts.access import Grant
from tidings.kernel.database import Connection

_LIVING = """
SELECT t.hash, t.tenant_id, t.scopes, coalesce(s.name, ''), coalesce(p.login, ''), coalesce(p.roles, '{}'),
       i.sealed IS NOT NULL
FROM accounts_token t
LEFT JOIN accounts_source s ON s.id = t.source_id
LEFT JOIN events_intake i ON i.source_id = t.source_id
LEFT JOIN accounts_person p ON p.id = t.person_id
WHERE t.revoked_at IS NULL AND (p.id IS NULL OR p.active AND p.departed_at IS NULL) AND
"""
# Index: the foreign key's on tenant_id; the unique one on hash.
_OF_TENANT = _LIVING + "t.tenant_id = %s"
_BY_HASH = _LIVING + "t.hash = %s"


async def load_grants(connection: Connection, tenant_id: UUID) -> Mapping[bytes, Grant]:
    cursor = await connection.execute(_OF_TENANT, (tenant_id,), binary=True)
    return {bytes(row[0]): _grant(*row[1:]) for row in await cursor.fetchall()}


async def find_grant(connection: Connection, token_hash: bytes) -> Grant | None:
    cursor = await connection.execute(_BY_HASH, (token_hash,), binary=True)
    row = await cursor.fetchone()
    return _grant(*row[1:]) if row else None


def _grant(tenant_id: UUID, scopes: list[str], source: str, login: str, roles: list[str], signs: bool) -> Grant:
    return Grant(tenant_id, frozenset(scopes), source, login, tuple(roles), signs)
