"""What the administrators of a tenant say of it: what its people start with, and where codes may go."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from tidings.accounts.models import Tenant
from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.audit.record import Part, record_change
from tidings.channels.contract import InvalidField
from tidings.directory.countries import checked_countries, spelled
from tidings.directory.profile import checked_language, checked_timezone
from tidings.kernel.problems import invalid
from tidings.kernel.versions import Expected


@dataclass(frozen=True, slots=True)
class TenantProfile:
    """None leaves a part as it is; the name can only be repeated."""

    name: str | None = None
    language: str | None = None
    timezone: str | None = None
    sms_countries: Sequence[str] | None = None
    fallback: bool | None = None


def tenant_settings(caller: Caller) -> Tenant:
    """Raises 403."""
    caller.require("administrator", to_write=False)
    return Tenant.objects.get(id=caller.tenant_id)


@transaction.atomic
def put_tenant_settings(caller: Caller, profile: TenantProfile, expected: Expected) -> Tenant:
    """Language and time zone are those of people who come in from now on. Raises 403, 409, 412, 422."""
    caller.require("administrator")
    values = _checked(profile)
    tenant = lock_tenant(caller.tenant_id)
    before = described_tenant(tenant)
    expected.check(tenant.version, before | {"version": tenant.version})
    if profile.name not in (None, tenant.name):
        text = f"is {tenant.name!r} since the tenant was made, and stays so"
        raise invalid(f"Nothing was changed: the name {text}.", [{"field": "name", "problem": text}])
    for part, value in values.items():
        setattr(tenant, part, value)
    after = described_tenant(tenant)
    if after != before:
        tenant.version += 1
        tenant.save(update_fields=[*values, "version"])
        stale: tuple[Part, ...] = ("rules",) if after["fallback"] != before["fallback"] else ()
        record_change(tenant.id, caller.name, "change", "tenant", tenant.name, before=before, after=after, stale=stale)
    return tenant


def described_tenant(tenant: Tenant) -> dict[str, Any]:
    return {
        "name": tenant.name,
        "language": tenant.language,
        "timezone": tenant.timezone,
        "sms_countries": spelled(tenant.sms_countries),
        "fallback": tenant.fallback,
    }


def _checked(profile: TenantProfile) -> dict[str, Any]:
    values: dict[str, Any] = {}
    problems: list[dict[str, str]] = []
    for part, check in _CHECKS.items():
        try:
            if (value := getattr(profile, part)) is not None:
                values[part] = check(value)
        except InvalidField as error:
            problems.append({"field": part, "problem": str(error)})
    if problems:
        raise invalid("Some of this cannot be used: see errors.", problems)
    return values


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "language": checked_language,
    "timezone": checked_timezone,
    "sms_countries": checked_countries,
    "fallback": bool,
}
