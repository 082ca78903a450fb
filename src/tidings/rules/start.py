"""Every event type has a rule from the start: enabled, and its default recipient alone is told."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from tidings.catalog.features import built_in
from tidings.rules.models import Rule

# Its default recipient is the person who can no longer be reached this way: administrators have to hear of it too.
START_ROLES: Mapping[str, tuple[str, ...]] = {"tidings.contact_point_disabled": ("administrator",)}


def create_rules(tenant_id: UUID, event_types: Iterable[str] | None = None) -> None:
    """For the event types given, or all built-in ones; a rule that is there stays as it is."""
    codes = built_in().event_types if event_types is None else event_types
    Rule.objects.for_tenant(tenant_id).bulk_create(
        [Rule(tenant_id=tenant_id, event_type=code, optional_roles=list(start_roles(code))) for code in codes],
        ignore_conflicts=True,
    )


def start_roles(event_type: str) -> tuple[str, ...]:
    return START_ROLES.get(event_type, ())
