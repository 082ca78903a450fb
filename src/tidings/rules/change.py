"""Change who hears of an event type: one rule, or many at once, all or nothing, each change on record. It holds for
every event accepted after it; what is already planned goes out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction

from tidings.accounts.models import Person
from tidings.accounts.permissions import Caller
from tidings.audit.record import record_change
from tidings.catalog.extend import catalog_of
from tidings.catalog.features import Catalog, EventType
from tidings.kernel.problems import Problem, invalid
from tidings.kernel.versions import Expected
from tidings.rules.models import Rule
from tidings.rules.show import READERS, ShownRule, known_type, show_rules
from tidings.rules.start import create_rules

USERS_AT_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a rule shall be; None leaves a part as it is. Users are named by login."""

    enabled: bool | None = None
    optional_roles: Sequence[str] | None = None
    additional_users: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    before: ShownRule
    after: ShownRule

    @property
    def differs(self) -> bool:
        return content(self.before) != content(self.after)


@transaction.atomic
def change_rule(caller: Caller, event_type: str, wanted: Wanted, expected: Expected) -> ShownRule:
    """Raises 403, 404, 409 `version_conflict`, 412, and 422 naming the roles and users that cannot be added."""
    caller.require(*READERS)
    known = known_type(catalog_of(caller.tenant_id), event_type)
    [rule] = _locked(caller.tenant_id, [event_type])
    expected.check(rule.version, show_rules([rule], [known])[0])
    [changed] = apply_changes(caller, "change", [(rule, known, wanted)])
    return changed.after


@transaction.atomic
def change_rules(caller: Caller, wanted: Mapping[str, Wanted], *, dry_run: bool = False) -> list[Changed]:
    """What changed, or would. Raises 403, and 422 with everything that is wrong with any of them."""
    caller.require(*READERS)
    changes = apply_changes(caller, "apply", with_rules(caller, wanted))
    if dry_run:
        transaction.set_rollback(True)
    return [one for one in changes if one.differs]


@transaction.atomic
def switch_rules(caller: Caller, event_types: Iterable[str], *, enabled: bool, dry_run: bool = False) -> list[Changed]:
    """Every version rises, also of a rule that was switched so already: whoever edits one of them hears of it."""
    caller.require(*READERS, to_write=not dry_run)
    wanted = dict.fromkeys(event_types, Wanted(enabled=enabled))
    changes = apply_changes(caller, "switch", with_rules(caller, wanted), always=True)
    if dry_run:
        transaction.set_rollback(True)
    return changes


def content(rule: ShownRule) -> dict[str, Any]:
    """What an administrator decides of a rule: for the record, and for a file."""
    return {
        "enabled": rule.enabled,
        "optional_roles": list(rule.optional_roles),
        "additional_users": list(rule.additional_users),
    }


_Change = tuple[Rule, EventType, Wanted]


def with_rules(caller: Caller, wanted: Mapping[str, Wanted]) -> list[_Change]:
    """Each with its rule, locked."""
    catalog = catalog_of(caller.tenant_id)
    if unknown := [code for code in wanted if code not in catalog.event_types]:
        raise _unknown_types(unknown, catalog)
    rules = {rule.event_type: rule for rule in _locked(caller.tenant_id, wanted)}
    return [(rules[code], catalog.event_types[code], one) for code, one in wanted.items()]


def _locked(tenant_id: UUID, event_types: Iterable[str]) -> list[Rule]:
    """In one order for everybody, so that two batches cannot wait for each other."""
    codes = sorted(set(event_types))
    query = Rule.objects.for_tenant(tenant_id).filter(event_type__in=codes).order_by("event_type").select_for_update()
    rules = list(query)
    if len(rules) < len(codes):
        create_rules(tenant_id, codes)
        rules = list(query.all())
    return rules


def apply_changes(caller: Caller, action: str, changes: Sequence[_Change], *, always: bool = False) -> list[Changed]:
    """Of rules that are locked; goes into the transaction. `always`: versions rise, and it is recorded, even where
    nothing differs."""
    rules, event_types = [rule for rule, _, _ in changes], [event_type for _, event_type, _ in changes]
    before = show_rules(rules, event_types)
    users = users_named(caller.tenant_id, changes)
    if problems := [problem for change in changes for problem in _problems(change, users, alone=len(changes) == 1)]:
        raise invalid("Nothing was changed: " + " ".join(one["problem"] for one in problems[:3]), problems)
    for change in changes:
        _set(change, users)
    changed: list[Changed] = []
    touched: list[tuple[Rule, Changed]] = []
    for rule, was, now in zip(rules, before, show_rules(rules, event_types), strict=True):
        one = Changed(was, now)
        if always or one.differs:
            rule.version += 1
            one = Changed(was, replace(now, version=rule.version))
            touched.append((rule, one))
        changed.append(one)
    fields = ["enabled", "optional_roles", "additional_users", "version"]
    Rule.objects.for_tenant(caller.tenant_id).bulk_update([rule for rule, _ in touched], fields)
    for number, (_, one) in enumerate(touched, 1):
        _record(caller, action, one, last=number == len(touched))
    return changed


def _record(caller: Caller, action: str, one: Changed, *, last: bool) -> None:
    record_change(
        caller.tenant_id,
        caller.name,
        action,
        "rule",
        one.after.event_type,
        before=content(one.before) | {"version": one.before.version},
        after=content(one.after) | {"version": one.after.version},
        stale=("rules",) if last else (),
    )


def _set(change: _Change, users: Mapping[str, Person]) -> None:
    rule, event_type, wanted = change
    if wanted.enabled is not None:
        rule.enabled = wanted.enabled
    if wanted.optional_roles is not None:
        rule.optional_roles = [role for role in event_type.optional_roles if role in wanted.optional_roles]
    if wanted.additional_users is not None:
        rule.additional_users = [users[login].id for login in dict.fromkeys(wanted.additional_users)]


def users_named(tenant_id: UUID, changes: Iterable[_Change]) -> dict[str, Person]:
    """Everybody of this tenant who is named, those who have departed too."""
    logins = {login for _, _, wanted in changes for login in wanted.additional_users or ()}
    if not logins:
        return {}
    storable = [login for login in logins if "\0" not in login]
    members = Person.objects.for_tenant(tenant_id).filter(login__in=storable)
    return {person.login: person for person in members.only("id", "login", "departed_at")}


def may_be_added(rule: Rule, person: Person | None) -> bool:
    """Who has departed can stay, so that a rule can be written back as it was read, and cannot be added."""
    return person is not None and (person.departed_at is None or person.id in rule.additional_users)


def _problems(change: _Change, users: Mapping[str, Person], *, alone: bool) -> Iterator[dict[str, Any]]:
    rule, event_type, wanted = change
    where = {} if alone else {"event_type": event_type.code}
    of = "" if alone else f" of {event_type.code}"
    if refused := [role for role in wanted.optional_roles or () if role not in event_type.optional_roles]:
        offered = ", ".join(event_type.optional_roles) or "none"
        text = f"Optional roles{of} are: {offered}; not {', '.join(refused)}."
        yield {**where, "field": "optional_roles", "problem": text, "roles": refused}
    if unknown := [login for login in wanted.additional_users or () if not may_be_added(rule, users.get(login))]:
        text = f"Nobody who could be told{of} has the login {', '.join(unknown)}; who has departed cannot be added."
        yield {**where, "field": "additional_users", "problem": text, "users": unknown}
    if len(wanted.additional_users or ()) > USERS_AT_MOST:
        text = f"A rule{of} may add {USERS_AT_MOST:,} users; use a role for more."
        yield {**where, "field": "additional_users", "problem": text}


def _unknown_types(unknown: Sequence[str], catalog: Catalog) -> Problem:
    nearest = {code: catalog.nearest(code) for code in unknown[:10]}
    errors = [
        {"field": "event_types", "problem": f"there is no {code!r}", "event_type": code, "nearest": near}
        for code, near in nearest.items()
    ]
    named = ", ".join(f"{code!r}" + (f" (did you mean {near[0]}?)" if near else "") for code, near in nearest.items())
    return invalid(f"Nothing was changed: there is no event type {named}.", errors, code="unknown_event_type")
