"""Who changed a rule: when, from what, to what."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from tidings.accounts.permissions import Caller
from tidings.audit.models import Change
from tidings.catalog.extend import catalog_of
from tidings.rules.show import READERS, known_type


def history(caller: Caller, event_type: str) -> QuerySet[Change]:
    """Its changes; their ids are in the order they were made. Raises 404."""
    caller.require(*READERS, to_write=False)
    known = known_type(catalog_of(caller.tenant_id), event_type)
    return Change.objects.for_tenant(caller.tenant_id).filter(kind="rule", key=known.code)


def content_at(changes: QuerySet[Change], version: int) -> Mapping[str, Any] | None:
    """What a rule said at this version, by its changes: one led to it, or away from it. An event type that was taken
    away and came back counts anew; the latest is meant."""
    for name in ("after", "before"):
        found = changes.filter(**{f"{name}__version": version}).order_by("-id").first()
        if found is not None:
            return dict(getattr(found, name))
    return None
