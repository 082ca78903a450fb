"""Read a tenant's rules whole, for the hot path to hold in memory."""

from collections.abc import Mapping
from uuid import UUID

from tidings.kernel.database import Connection
from tidings.rules.match import RuleFacts

# Index: rule_of (its tenant prefix). Read once per change of a rule, whole.
_RULES = "SELECT event_type, enabled, optional_roles, additional_users FROM rules_rule WHERE tenant_id = %s"


async def load_rules(connection: Connection, tenant_id: UUID) -> Mapping[str, RuleFacts]:
    cursor = await connection.execute(_RULES, (tenant_id,), binary=True)
    return {row[0]: RuleFacts(row[1], tuple(row[2]), tuple(row[3])) for row in await cursor.fetchall()}
