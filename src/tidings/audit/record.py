"""Write down a change, and let every node know that what it holds of this tenant is stale: always both, in the
transaction of the change."""

from typing import Any, Literal
from uuid import UUID

from django.db.models import F

from tidings.accounts.models import Tenant
from tidings.audit.models import Change

Part = Literal["rules", "directory", "access"]


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
    """`actor` is a login, or `token:NAME` or `command line`. No secret may stand in `before` or `after`. `stale` names
    what nodes hold of it; the row lock on the tenant orders changes of one tenant."""
    Change.objects.create(
        tenant_id=tenant_id, actor=actor, action=action, kind=kind, key=key, before=before, after=after
    )
    if stale:
        Tenant.objects.filter(id=tenant_id).update(**{f"{part}_version": F(f"{part}_version") + 1 for part in stale})
