"""The rule for an event type, as the hot path holds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from tidings.kernel.database import Connection


@dataclass(frozen=True, slots=True)
class RuleFacts:
    enabled: bool
    optional_roles: tuple[str, ...]
    additional_users: tuple[UUID, ...]


# What holds for an event type that was added after the rules were read.
UNTOUCHED = RuleFacts(enabled=True, optional_roles=(), additional_users=())

# Index: rule_of (its tenant prefix). Read once per change of a rule, whole.
_RULES = "SELECT event_type, enabled, optional_roles, additional_users FROM rules_rule WHERE tenant_id = %s"


async def load_rules(connection: Connection, tenant_id: UUID) -> Mapping[str, RuleFacts]:
    cursor = await connection.execute(_RULES, (tenant_id,), binary=True)
    return {row[0]: RuleFacts(row[1], tuple(row[2]), tuple(row[3])) for row in await cursor.fetchall()}
