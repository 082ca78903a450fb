"""The rule for an event type, as the hot path holds it."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class RuleFacts:
    enabled: bool
    optional_roles: tuple[str, ...]
    additional_users: tuple[UUID, ...]


# What holds for an event type that was added after the rules were read.
UNTOUCHED = RuleFacts(enabled=True, optional_roles=(), additional_users=())
