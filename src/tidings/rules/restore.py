"""Make rules as they were: one of them at a version from its history, or those that one act has changed. Roles that are
no longer offered and people who have departed cannot come back; they are left out, and named."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db import transaction
from django.db.models import QuerySet

from tidings.accounts.models import Person
from tidings.accounts.permissions import Caller
from tidings.audit.models import Change
from tidings.catalog.extend import catalog_of
from tidings.catalog.features import EventType
from tidings.kernel.ids import made_at
from tidings.kernel.problems import not_found
from tidings.kernel.versions import Expected
from tidings.rules.change import Changed, Wanted, apply_changes, may_be_added, users_named, with_rules
from tidings.rules.history import content_at
from tidings.rules.models import Rule
from tidings.rules.show import READERS, ShownRule, known_type, show_rules


@dataclass(frozen=True, slots=True)
class Restored:
    """The rule as it is now, and which roles and users of then are not in it."""

    rule: ShownRule
    roles_left_out: tuple[str, ...]
    users_left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A rule that was not touched: somebody changed it meanwhile, or that version came from no change."""

    event_type: str
    version: int
    reason: Literal["changed_since", "nothing_to_undo"]
    actor: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Undone:
    restored: Sequence[Restored]
    left_alone: Sequence[LeftAlone]


@transaction.atomic
def restore_rule(caller: Caller, event_type: str, version: int, expected: Expected) -> Restored:
    """As it was at that version; its own version rises all the same. Raises 403, 404, 409, 412."""
    caller.require(*READERS)
    known = known_type(catalog_of(caller.tenant_id), event_type)
    [(rule, _, _)] = with_rules(caller, {event_type: Wanted()})
    expected.check(rule.version, show_rules([rule], [known])[0])
    then = content_at(_changes(caller, [event_type]), version)
    if then is None:
        raise not_found("version of this rule")
    return _make(caller, "restore", [(rule, known, then)])[0]


@transaction.atomic
def undo_changes(caller: Caller, versions: Mapping[str, int]) -> Undone:
    """Take back the changes that led to these versions, of rules that still have them. Raises 403, 422."""
    caller.require(*READERS)
    left_alone: list[LeftAlone] = []
    back: list[tuple[Rule, EventType, Mapping[str, Any]]] = []
    rules = with_rules(caller, dict.fromkeys(versions, Wanted()))
    lasts = {last.key: last for last in _changes(caller, versions).order_by("key", "-id").distinct("key")}
    for rule, event_type, _ in rules:
        last = lasts.get(event_type.code)
        if rule.version != versions[event_type.code]:
            since = (last.actor, made_at(last.id)) if last else ("", None)
            left_alone.append(LeftAlone(event_type.code, rule.version, "changed_since", *since))
        elif last is None or not last.before or not last.after or last.after.get("version") != rule.version:
            left_alone.append(LeftAlone(event_type.code, rule.version, "nothing_to_undo"))
        else:
            back.append((rule, event_type, last.before))
    return Undone(_make(caller, "undo", back), left_alone)


def _changes(caller: Caller, event_types: Iterable[str]) -> QuerySet[Change]:
    """Index: change_of."""
    return Change.objects.for_tenant(caller.tenant_id).filter(kind="rule", key__in=list(event_types))


def _make(caller: Caller, action: str, wanted: Sequence[tuple[Rule, EventType, Mapping[str, Any]]]) -> list[Restored]:
    if not wanted:
        return []
    asked = [(rule, known, _asked(then)) for rule, known, then in wanted]
    users = users_named(caller.tenant_id, asked)
    possible = [(rule, known, _possible(rule, known, one, users)) for rule, known, one in asked]
    changed = apply_changes(caller, action, possible)
    return [_restored(one, whole) for one, (_, _, whole) in zip(changed, asked, strict=True)]


def _asked(then: Mapping[str, Any]) -> Wanted:
    return Wanted(then["enabled"], tuple(then["optional_roles"]), tuple(then["additional_users"]))


def _possible(rule: Rule, known: EventType, asked: Wanted, users: Mapping[str, Person]) -> Wanted:
    roles = [role for role in asked.optional_roles or () if role in known.optional_roles]
    logins = [login for login in asked.additional_users or () if may_be_added(rule, users.get(login))]
    return Wanted(asked.enabled, roles, logins)


def _restored(one: Changed, asked: Wanted) -> Restored:
    after = one.after
    return Restored(
        after,
        tuple(role for role in asked.optional_roles or () if role not in after.optional_roles),
        tuple(login for login in asked.additional_users or () if login not in after.additional_users),
    )
