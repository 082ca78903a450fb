"""Who changed a rule: when, from what, to what."""

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
