"""Who belongs to a tenant: brought in, changed and seen off by its administrators. Nobody is deleted, so that records
keep their names."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone

from tidings.accounts.models import Person, Tenant, Token
from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.accounts.words import found_by
from tidings.audit.record import Part, record_change
from tidings.directory.contact_points import PREFILLED, disable_all, end_codes, locked_points, prefill
from tidings.directory.profile import Profile, checked_login, checked_profile, looked_up
from tidings.kernel.problems import Problem, not_found
from tidings.kernel.versions import Expected

READERS = ("administrator", "dba")


def member(caller: Caller, login: str) -> Person:
    """Anybody may see themself. Raises 403, 404."""
    login = looked_up(login)
    if caller.person and caller.person.login == login:
        caller.require_scope("read")
    else:
        caller.require(*READERS, to_write=False)
    return known_member(caller.tenant_id, login)


def known_member(tenant_id: UUID, login: str) -> Person:
    """Raises 404, also for who has departed."""
    person = Person.objects.for_tenant(tenant_id).filter(login=looked_up(login), departed_at=None).first()
    if person is None:
        raise not_found("user")
    return person


def members(
    caller: Caller,
    *,
    q: str = "",
    search: str = "",
    role: str | None = None,
    active: bool | None = None,
    departed: bool = False,
) -> QuerySet[Person]:
    """`q` is part of a login, a name or an e-mail address; `search` is how they, or words of the name, begin, and is
    answered by an index. Raises 403."""
    caller.require(*READERS, to_write=False)
    found = Person.objects.for_tenant(caller.tenant_id).filter(departed_at__isnull=not departed)
    if search.strip():
        found = found.filter(found_by(caller.tenant_id, search))
    if q:
        found = found.filter(Q(login__icontains=q) | Q(name__icontains=q) | Q(email__icontains=q))
    if role is not None:
        found = found.filter(roles__contains=[role])
    return found if active is None else found.filter(active=active)


@transaction.atomic
def put_member(caller: Caller, login: str, profile: Profile, expected: Expected) -> tuple[Person, bool]:
    """The person, and whether they are new, or back: then what the profile leaves out starts anew.

    Raises 403, 409 `email_taken`, `mobile_taken`, `external_id_taken`, `last_administrator`, 412, and 422.
    """
    caller.require("administrator")
    login, profile = checked_login(login), checked_profile(profile)
    points = locked_points(caller.tenant_id, login)
    tenant = lock_tenant(caller.tenant_id)
    person = Person.objects.for_tenant(tenant.id).filter(login=login).first()
    before = described(person) if person and person.departed_at is None else None
    expected.check(person.version if person and before else 0, before and {"login": login, **before})
    person = person or Person(tenant=tenant, login=login, version=0)
    _set(person, tenant, _started(before), profile)
    after = described(person)
    _refuse_taken(person, before or {})
    _refuse_last(person, before)
    if changed := before != after:
        person.version += 1
        person.save()
    said = {part: before[part] if before else "" for part in PREFILLED.values()}
    prefilled = prefill(person, said, points)
    if changed or prefilled:
        _record(caller, "change" if before else "create", person, before, after, prefilled)
    return person, before is None


@transaction.atomic
def see_off(caller: Caller, login: str, expected: Expected) -> None:
    """Departed: known to the records, told nothing, and let in nowhere. Their tokens end for good.

    Raises 403, 404, 409 `last_administrator`, 412.
    """
    caller.require("administrator")
    points = locked_points(caller.tenant_id, looked_up(login))
    lock_tenant(caller.tenant_id)
    person = known_member(caller.tenant_id, login)
    before = described(person)
    expected.check(person.version, {"login": person.login, **before})
    person.departed_at = timezone.now()
    _refuse_last(person, before)
    person.version += 1
    person.save(update_fields=["departed_at", "version"])
    disable_all(points)
    end_codes(person)
    living = Token.objects.for_tenant(caller.tenant_id).filter(person=person, revoked_at=None)
    after = {"departed": True, "tokens_revoked": living.update(revoked_at=person.departed_at)}
    stale: tuple[Part, ...] = ("directory", "access")
    record_change(
        caller.tenant_id, caller.name, "depart", "user", person.login, before=before, after=after, stale=stale
    )


def described(person: Person) -> dict[str, Any]:
    """What administrators decide of a person."""
    return {
        "name": person.name,
        "email": person.email,
        "mobile": person.mobile,
        "external_id": person.external_id,
        "roles": list(person.roles),
        "language": person.language,
        "timezone": person.timezone,
        "active": person.active,
    }


def _started(before: dict[str, Any] | None) -> dict[str, Any]:
    fresh = {"name": "", "email": "", "mobile": "", "external_id": "", "roles": [], "language": "", "timezone": ""}
    return before or {**fresh, "active": True}


def _set(person: Person, tenant: Tenant, start: dict[str, Any], profile: Profile) -> None:
    wanted = start | profile.given()
    wanted["language"] = wanted["language"] or tenant.language
    wanted["timezone"] = wanted["timezone"] or tenant.timezone
    for part, value in wanted.items():
        setattr(person, part, value)
    person.departed_at = None


def _refuse_taken(person: Person, before: dict[str, Any]) -> None:
    """The database would refuse it too; here it can be said whose it is."""
    others = Person.objects.for_tenant(person.tenant_id).filter(departed_at=None).exclude(id=person.id)
    for part in ("email", "mobile", "external_id"):
        value = getattr(person, part)
        if not value or value == before.get(part):
            continue
        # Index: person_email is of the lowered address, person_mobile and person_external_id of the value.
        expression, sought = (Lower(part), value.lower()) if part == "email" else (F(part), value)
        if other := others.alias(sought=expression).filter(sought=sought).first():
            what = part.replace("_", " ").replace("email", "e-mail address")
            raise Problem(409, f"{part}_taken", f"This {what} belongs to {other.login}: it would name two people.")


def _refuse_last(person: Person, before: dict[str, Any] | None) -> None:
    """Under the tenant's lock: two administrators cannot see each other off at once."""
    if not before or "administrator" not in before["roles"] or not before["active"]:
        return
    if "administrator" in person.roles and person.active and person.departed_at is None:
        return
    others = Person.objects.for_tenant(person.tenant_id).filter(active=True, departed_at=None).exclude(id=person.id)
    if not others.filter(roles__contains=["administrator"]).exists():
        detail = f"{person.login} is the last active administrator: make somebody else administrator first."
        raise Problem(409, "last_administrator", detail)


def _record(
    caller: Caller,
    action: str,
    person: Person,
    before: dict[str, Any] | None,
    after: dict[str, Any],
    prefilled: list[str],
) -> None:
    acts = [part for part in ("roles", "active") if before and before[part] != after[part]]
    stale: tuple[Part, ...] = ("directory", "access") if acts else ("directory",)
    told = {**after, "contact_points": prefilled} if prefilled else after
    record_change(caller.tenant_id, caller.name, action, "user", person.login, before=before, after=told, stale=stale)
