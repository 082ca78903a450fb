"""Who belongs to a tenant: brought in, changed and seen off by its administrators. Nobody is deleted, so that records
keep their names."""

import re
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from tidings.accounts.models import Person, Token
from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.accounts.words import found_by
from tidings.audit.record import Part, record_change
from tidings.directory.contact_points import disable_all, end_codes, locked_points
from tidings.directory.profile import looked_up
from tidings.directory.ways import something_leads_to_them
from tidings.kernel.problems import Problem, not_found
from tidings.kernel.versions import Expected

_NUMBER = re.compile(r"\+?[0-9]{3,}")
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
    reachable: bool | None = None,
) -> QuerySet[Person]:
    """`q` is part of a login, a name, an e-mail address or a mobile number; `search` is how they, or words of the name,
    begin, and is answered by an index. Nobody is `reachable` by the inbox alone. Raises 403."""
    caller.require(*READERS, to_write=False)
    found = Person.objects.for_tenant(caller.tenant_id).filter(departed_at__isnull=not departed)
    if search.strip():
        found = found.filter(found_by(caller.tenant_id, search))
    if q:
        found = found.filter(_somewhere(q))
    if role is not None:
        found = found.filter(roles__contains=[role])
    if reachable is not None:
        leads = something_leads_to_them(caller.tenant_id)
        found = found.filter(leads if reachable else ~leads)
    return found if active is None else found.filter(active=active)


def _somewhere(q: str) -> Q:
    """A number may be written with anything between its digits; two are no number yet."""
    within = Q(login__icontains=q) | Q(name__icontains=q) | Q(email__icontains=q)
    digits = re.sub(r"[ ().\-/]", "", q)
    return within | Q(mobile__contains=digits) if _NUMBER.fullmatch(digits) else within


@transaction.atomic
def see_off(caller: Caller, login: str, expected: Expected) -> None:
    """Departed: known to the records, told nothing, and let in nowhere. Their tokens end for good, and their
    sign-in is nobody's here any more: who comes back under their login is invited anew.

    Raises 403, 404, 409 `last_administrator`, 412.
    """
    caller.require("administrator")
    points = locked_points(caller.tenant_id, looked_up(login))
    lock_tenant(caller.tenant_id)
    person = known_member(caller.tenant_id, login)
    before = described(person)
    expected.check(person.version, {"login": person.login, **before})
    person.departed_at = timezone.now()
    refuse_last(person, before)
    person.version += 1
    person.account = None
    person.save(update_fields=["departed_at", "account", "version"])
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


def refuse_last(person: Person, before: dict[str, Any] | None) -> None:
    """Under the tenant's lock: two administrators cannot see each other off at once. Raises 409 when nobody would be
    left who may do everything."""
    if not gives_up(person, before):
        return
    others = Person.objects.for_tenant(person.tenant_id).filter(active=True, departed_at=None).exclude(id=person.id)
    if not others.filter(roles__contains=["administrator"]).exists():
        raise last_administrator(person)


def gives_up(person: Person, before: dict[str, Any] | None) -> bool:
    """Whether somebody who was an administrator is none any more, or may not act as one."""
    if not before or "administrator" not in before["roles"] or not before["active"]:
        return False
    return not ("administrator" in person.roles and person.active and person.departed_at is None)


def last_administrator(person: Person) -> Problem:
    detail = f"{person.login} is the last active administrator: make somebody else administrator first."
    return Problem(409, "last_administrator", detail)
