"""What a person says of themself: the language and the time zone in which they are told."""

from django.db import transaction

from tidings.accounts.models import Person
from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.audit.record import record_change
from tidings.directory.members import described, known_member
from tidings.directory.profile import Profile, checked_profile
from tidings.kernel.versions import Expected


def own_profile(caller: Caller) -> Person:
    """Raises 403 for a source's token, and for one without the scope `read`."""
    person = caller.as_person()
    caller.require_scope("read")
    return person


@transaction.atomic
def change_own_profile(caller: Caller, language: str | None, timezone: str | None, expected: Expected) -> Person:
    """None leaves a part as it is; an empty one takes that of the tenant. All else that is said of a person is the
    administrators' to change. Raises 403, 409, 412, 422."""
    login = caller.as_person().login
    caller.require_change()
    wanted = checked_profile(Profile(language=language, timezone=timezone)).given()
    tenant = lock_tenant(caller.tenant_id)
    person = known_member(caller.tenant_id, login)
    before = described(person)
    expected.check(person.version, {"login": login, **before, "version": person.version})
    for part, value in wanted.items():
        setattr(person, part, value or getattr(tenant, part))
    after = described(person)
    if after != before:
        person.version += 1
        person.save(update_fields=[*wanted, "version"])
        record_change(tenant.id, caller.name, "change", "user", login, before=before, after=after, stale=("directory",))
    return person
