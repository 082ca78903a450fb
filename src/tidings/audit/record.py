"""Write down a change, and let every node know that what it holds of this tenant is stale: always both, in the
transaction of the change."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.db.models import F

from tidings.accounts.models import Tenant
from tidings.audit.models import Change
from tidings.kernel.origin import address_of_caller

Part = Literal["rules", "directory", "access"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One of many changes of one kind. No secret may stand in `before` or `after`; `stale` names what nodes hold of
    it."""

    action: str
    key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    stale: tuple[Part, ...]


def record_change(
    tenant_id: UUID,
    actor: str,
    action: str,
    kind: str,
    key: str,
    *,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    stale: tuple[Part, ...],
) -> None:
    """`actor` is a login, or `token:NAME` or `command line`. The rest: see `Entry`."""
    record_changes(tenant_id, actor, kind, [Entry(action, key, before, after, stale)])


def record_changes(tenant_id: UUID, actor: str, kind: str, entries: Iterable[Entry]) -> None:
    """The row lock on the tenant orders changes of one tenant; what is stale is said once."""
    made: list[Change] = []
    address = address_of_caller()
    stale: set[Part] = set()
    for entry in entries:
        what = {"action": entry.action, "key": entry.key, "before": entry.before, "after": entry.after}
        made.append(Change(tenant_id=tenant_id, actor=actor, kind=kind, address=address, **what))
        stale.update(entry.stale)
    Change.objects.for_tenant(tenant_id).bulk_create(made)
    if stale:
        raised = {f"{part}_version": F(f"{part}_version") + 1 for part in sorted(stale)}
        Tenant.objects.filter(id=tenant_id).update(**raised)
