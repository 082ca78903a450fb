"""What a token may do, as the hot path holds it. The secret itself is never kept: only its hash is looked up."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Grant:
    """A living token. Events may be sent by a source, in its own name, and by an administrator, in any."""

    tenant_id: UUID
    scopes: frozenset[str]
    source: str
    login: str
    roles: tuple[str, ...]
    signs: bool = False
    """Its source has a secret: what is not signed with it is refused, and only payloads of other systems can be."""

    @property
    def may_send_events(self) -> bool:
        return "events:write" in self.scopes and (bool(self.source) or "administrator" in self.roles)

    @property
    def may_preview(self) -> bool:
        """A person reads by it what the rules are and who is told; a source only foresees what it may bring about."""
        if self.source:
            return self.may_send_events
        return "read" in self.scopes and bool({"administrator", "dba"} & set(self.roles))
