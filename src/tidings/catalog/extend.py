"""A tenant's own features beside the built-in ones: their event types are accepted, planned and told like any other."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction

from tidings.accounts.permissions import Caller
from tidings.audit.record import record_change
from tidings.catalog.features import Catalog, Feature, built_in, read_feature, write_feature
from tidings.catalog.models import TenantFeature
from tidings.kernel.problems import Problem, invalid
from tidings.kernel.versions import Expected

FEATURES_AT_MOST = 100
Follow = Callable[[Caller, Feature | None, Feature], None]
"""What has to change with a feature: (caller, as it was, as it is)."""


def catalog_of(tenant_id: UUID) -> Catalog:
    """The built-in features and this tenant's own."""
    own = TenantFeature.objects.for_tenant(tenant_id).order_by("code").values_list("content", flat=True)
    return built_in().with_features([read_feature(content) for content in own])


@transaction.atomic
def put_feature(caller: Caller, wanted: Feature, expected: Expected, follow: Follow) -> None:
    """Raises 403, 409 `built_in_feature`, 412, and 422 with everything that is wrong with it.

    An event type that is left out is accepted no more; events of it that were kept stay as they are. `follow` is called
    in the transaction, with the feature as it was and as it is, before the lock that orders the tenant's changes.
    """
    caller.require("administrator")
    if wanted.code in built_in().features:
        raise Problem(409, "built_in_feature", f"{wanted.code} is built in and cannot be changed; choose another code.")
    if problems := list(_problems(wanted)):
        raise invalid("This feature does not fit: see errors.", problems)
    before = _before(caller.tenant_id, wanted)
    expected.check(version_of(before), write_feature(before) if before else None)
    if before == wanted:
        return
    if before is None and TenantFeature.objects.for_tenant(caller.tenant_id).count() > FEATURES_AT_MOST:
        raise invalid(f"A tenant may have {FEATURES_AT_MOST} features of its own.", code="too_many_features")
    content = write_feature(wanted)
    TenantFeature.objects.for_tenant(caller.tenant_id).filter(code=wanted.code).update(content=content)
    follow(caller, before, wanted)
    record_change(
        caller.tenant_id,
        caller.name,
        "change" if before else "create",
        "feature",
        wanted.code,
        before=write_feature(before) if before else None,
        after=content,
        stale=("rules",),
    )


def _before(tenant_id: UUID, wanted: Feature) -> Feature | None:
    """The feature as it is kept, locked; None when this transaction brings it. Of two that do, the second waits."""
    mine = TenantFeature(tenant_id=tenant_id, code=wanted.code, content=write_feature(wanted))
    TenantFeature.objects.for_tenant(tenant_id).bulk_create([mine], ignore_conflicts=True)
    kept = TenantFeature.objects.for_tenant(tenant_id).select_for_update().get(code=wanted.code)
    return None if kept.id == mine.id else read_feature(kept.content)


def version_of(feature: Feature | None) -> str:
    """Features are small and rarely changed: what they say is their version."""
    if feature is None:
        return "0"
    return hashlib.blake2b(msgspec.json.encode(write_feature(feature)), digest_size=8).hexdigest()


def _problems(feature: Feature) -> Iterator[dict[str, Any]]:
    roles = built_in().roles
    seen: set[str] = set()
    for number, event in enumerate(feature.event_types):
        where = f"events.{number}"
        if not event.code.startswith(f"{feature.code}."):
            yield {
                "field": f"{where}.type",
                "problem": f"must begin with {feature.code}. (the feature's code and a dot)",
            }
        if event.code in seen:
            yield {"field": f"{where}.type", "problem": f"{event.code} stands here twice"}
        seen.add(event.code)
        if event.default_role not in roles:
            yield {"field": f"{where}.default_role", "problem": f"must be one of: {', '.join(roles)}"}
        if unknown := [role for role in event.optional_roles if role not in roles]:
            text = f"{', '.join(unknown)}: unknown; known are {', '.join(roles)}"
            yield {"field": f"{where}.optional_roles", "problem": text}
        if event.default_role in event.optional_roles:
            text = f"{event.default_role} is the default role already; leave it out here"
            yield {"field": f"{where}.optional_roles", "problem": text}
        if len(set(event.optional_roles)) < len(event.optional_roles):
            yield {"field": f"{where}.optional_roles", "problem": "names a role twice"}
