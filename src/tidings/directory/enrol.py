"""Bring people in and change what is said of them, one or many at once: the same checks, the same record."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Lower

from tidings.accounts.models import Person, Tenant
from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.audit.record import Entry, Part, record_changes
from tidings.directory.contact_points import Points, lock_points
from tidings.directory.members import described, gives_up, last_administrator
from tidings.directory.prefill import PREFILLED, Said, prefill
from tidings.directory.profile import Profile, checked_login, checked_profile
from tidings.kernel.problems import Problem
from tidings.kernel.versions import Expected

ANY_VERSION = Expected()
_ONE_PERSONS = ("email", "mobile", "external_id")
"""What names one person only."""


@dataclass(frozen=True, slots=True)
class Wanted:
    login: str
    profile: Profile
    expected: Expected = ANY_VERSION


@dataclass(frozen=True, slots=True)
class Put:
    """A person as they are now, and what was said of them before: None for who is new, or back."""

    person: Person
    before: dict[str, Any] | None
    after: dict[str, Any]


@transaction.atomic
def put_member(caller: Caller, login: str, profile: Profile, expected: Expected) -> tuple[Person, bool]:
    """The person, and whether they are new, or back: then what the profile leaves out starts anew.

    Raises 403, 409 `email_taken`, `mobile_taken`, `external_id_taken`, `last_administrator`, 412, and 422.
    """
    [put] = put_members(caller, [Wanted(login, profile, expected)])
    if isinstance(put, Problem):
        raise put
    return put.person, put.before is None


@transaction.atomic
def put_members(caller: Caller, wanted: Sequence[Wanted]) -> list[Put | Problem]:
    """Each of them, or why not: the others are put all the same. No two have one login. Raises 403."""
    caller.require("administrator")
    tenant, points = lock_members(caller.tenant_id, [one.login for one in wanted])
    puts = _decided(tenant, wanted)
    _write(caller, [put for put in puts if isinstance(put, Put)], points)
    return puts


def judge_members(caller: Caller, wanted: Sequence[Wanted]) -> list[Put | Problem]:
    """What `put_members` would do; nothing is written. Raises 403."""
    caller.require("administrator")
    return _decided(Tenant.objects.get(id=caller.tenant_id), wanted)


def problems_with(wanted: Wanted) -> list[Mapping[str, Any]]:
    """What can be said of it without looking at anybody."""
    checked = _checked(wanted)
    return list(checked.errors) if isinstance(checked, Problem) else []


def lock_members(tenant_id: UUID, logins: Iterable[str]) -> tuple[Tenant, dict[str, Points]]:
    """Until the transaction ends, nobody else changes these people or how they are reached: that by login."""
    points = lock_points(tenant_id, [login for one in logins if (login := _as_kept(one))])
    return lock_tenant(tenant_id), points


def _as_kept(login: str) -> str:
    try:
        return checked_login(login)
    except Problem:
        return ""


@dataclass(slots=True)
class _Known:
    """What a decision depends on, read at once for all, and what was decided before in the same go."""

    tenant: Tenant
    people: Mapping[str, Person]
    holders: dict[tuple[str, str], tuple[UUID, str]]
    """Whose an address is, by its part and itself."""
    administrators: set[UUID]


def _decided(tenant: Tenant, wanted: Sequence[Wanted]) -> list[Put | Problem]:
    checked = [_checked(one) for one in wanted]
    known = _known(tenant, [one for one in checked if isinstance(one, Wanted)])
    decided: list[Put | Problem] = []
    for one in checked:
        try:
            decided.append(one if isinstance(one, Problem) else _decide(one, known))
        except Problem as problem:
            decided.append(problem)
    return decided


def _checked(one: Wanted) -> Wanted | Problem:
    try:
        return Wanted(checked_login(one.login), checked_profile(one.profile), one.expected)
    except Problem as problem:
        return problem


def _known(tenant: Tenant, wanted: Sequence[Wanted]) -> _Known:
    members = Person.objects.for_tenant(tenant.id)
    people = {person.login: person for person in members.filter(login__in=[one.login for one in wanted])}
    living = members.filter(departed_at=None)
    holders: dict[tuple[str, str], tuple[UUID, str]] = {}
    for part in _ONE_PERSONS:
        # Index: person_email is of the lowered address, person_mobile and person_external_id of the value.
        expression = Lower(part) if part == "email" else F(part)
        if sought := {_compared(part, value) for one in wanted if (value := one.profile.given().get(part))}:
            found = living.alias(sought=expression).filter(sought__in=sought).values_list(part, "id", "login")
            holders |= {(part, _compared(part, value)): (holder, login) for value, holder, login in found}
    administrators = living.filter(active=True, roles__contains=["administrator"]).values_list("id", flat=True)
    demoted = any("administrator" in person.roles for person in people.values())
    return _Known(tenant, people, holders, set(administrators) if demoted else set())


def _compared(part: str, value: str) -> str:
    return value.lower() if part == "email" else value


def _decide(one: Wanted, known: _Known) -> Put:
    """Raises 409, 412."""
    person = known.people.get(one.login)
    before = described(person) if person and person.departed_at is None else None
    one.expected.check(person.version if person and before else 0, before and {"login": one.login, **before})
    person = person or Person(tenant=known.tenant, login=one.login, version=0)
    _set(person, known.tenant, before or _FRESH, one.profile)
    _refuse_taken(person, before or {}, known)
    _refuse_last(person, before, known)
    return Put(person, before, described(person))


_FRESH: Mapping[str, Any] = {
    **dict.fromkeys(("name", "email", "mobile", "external_id", "language", "timezone"), ""),
    "roles": [],
    "active": True,
}


def _set(person: Person, tenant: Tenant, start: Mapping[str, Any], profile: Profile) -> None:
    wanted = {**start, **profile.given()}
    wanted["language"] = wanted["language"] or tenant.language
    wanted["timezone"] = wanted["timezone"] or tenant.timezone
    for part, value in wanted.items():
        setattr(person, part, value)
    person.departed_at = None


def _refuse_taken(person: Person, before: Mapping[str, Any], known: _Known) -> None:
    """The database would refuse it too; here it can be said whose it is. Of two who change places, one has to let go
    first."""
    claimed: list[tuple[str, str]] = []
    for part in _ONE_PERSONS:
        value = getattr(person, part)
        if not value or value == before.get(part):
            continue
        key = (part, _compared(part, value))
        holder, login = known.holders.get(key, (person.id, person.login))
        if holder != person.id:
            what = part.replace("_", " ").replace("email", "e-mail address")
            raise Problem(409, f"{part}_taken", f"This {what} belongs to {login}: it would name two people.")
        claimed.append(key)
    known.holders.update(dict.fromkeys(claimed, (person.id, person.login)))


def _refuse_last(person: Person, before: dict[str, Any] | None, known: _Known) -> None:
    """Under the tenant's lock: two administrators cannot demote each other at once."""
    if gives_up(person, before):
        if known.administrators <= {person.id}:
            raise last_administrator(person)
        known.administrators.discard(person.id)


def _write(caller: Caller, puts: Sequence[Put], points: Mapping[str, Points]) -> None:
    changed = [put for put in puts if put.before != put.after]
    for put in changed:
        put.person.version += 1
    Person.objects.for_tenant(caller.tenant_id).bulk_create(
        [put.person for put in changed], update_conflicts=True, unique_fields=["id"], update_fields=_WRITTEN
    )
    said = [Said(put.person, _said(put.before), points[put.person.login]) for put in puts]
    prefilled = prefill(caller.tenant_id, said)
    entries = [_entry(put, led) for put, led in zip(puts, prefilled, strict=True) if led or put.before != put.after]
    record_changes(caller.tenant_id, caller.name, "user", entries)


_WRITTEN = (*_FRESH, "departed_at", "version")


def _said(before: Mapping[str, Any] | None) -> dict[str, str]:
    return {part: before[part] if before else "" for part in PREFILLED.values()}


def _entry(put: Put, prefilled: list[str]) -> Entry:
    before, after = put.before, put.after
    acts = [part for part in ("roles", "active") if before and before[part] != after[part]]
    stale: tuple[Part, ...] = ("directory", "access") if acts else ("directory",)
    told = {**after, "contact_points": prefilled} if prefilled else after
    return Entry("change" if before else "create", put.person.login, before, told, stale)
