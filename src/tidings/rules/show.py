"""A rule as people read it: with what the catalogue says of its event type, and users by login."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tidings.accounts.models import Person
from tidings.accounts.permissions import Caller
from tidings.catalog.extend import catalog_of
from tidings.catalog.features import Catalog, EventType
from tidings.kernel.problems import not_found
from tidings.rules.models import Rule
from tidings.rules.start import start_roles

READERS = ("administrator", "dba")


@dataclass(frozen=True, slots=True)
class ShownRule:
    """`offered_roles` are those that may become optional roles; `changed` says that it is not as it started."""

    event_type: str
    labels: Mapping[str, str]
    feature: str
    feature_labels: Mapping[str, str]
    default_role: str
    offered_roles: tuple[str, ...]
    enabled: bool
    optional_roles: tuple[str, ...]
    additional_users: tuple[str, ...]
    changed: bool
    version: int


@dataclass(frozen=True, slots=True)
class Which:
    """What all hold of the rules asked for. `role` is told by default or as an optional one; `q` are parts of what an
    event type, or its feature, is called in any language."""

    feature: str | None = None
    enabled: bool | None = None
    changed: bool | None = None
    role: str | None = None
    user: str | None = None
    q: str = ""

    def holds_of(self, rule: ShownRule) -> bool:
        return (
            self.feature in (None, rule.feature)
            and self.enabled in (None, rule.enabled)
            and self.changed in (None, rule.changed)
            and self.role in (None, rule.default_role, *rule.optional_roles)
            and self.user in (None, *rule.additional_users)
            and self._is_called(rule)
        )

    def _is_called(self, rule: ShownRule) -> bool:
        names = (rule.event_type, *rule.labels.values(), *rule.feature_labels.values())
        called = "\n".join(names).casefold()
        return all(word in called for word in self.q.casefold().split())


def rules_of(caller: Caller, which: Which | None = None) -> list[ShownRule]:
    """Every rule asked for, in the catalogue's order."""
    caller.require(*READERS, to_write=False)
    event_types = catalog_of(caller.tenant_id).event_types.values()
    kept = {rule.event_type: rule for rule in Rule.objects.for_tenant(caller.tenant_id)}
    shown = show_rules(
        [kept.get(one.code) or untouched(caller.tenant_id, one.code) for one in event_types], event_types
    )
    return [rule for rule in shown if which is None or which.holds_of(rule)]


def rule_of(caller: Caller, event_type: str) -> ShownRule:
    """Raises 404."""
    caller.require(*READERS, to_write=False)
    known = known_type(catalog_of(caller.tenant_id), event_type)
    kept = Rule.objects.for_tenant(caller.tenant_id).filter(event_type=event_type).first()
    return show_rules([kept or untouched(caller.tenant_id, event_type)], [known])[0]


def known_type(catalog: Catalog, event_type: str) -> EventType:
    known = catalog.event_types.get(event_type)
    if known is None:
        raise not_found("event type")
    return known


def untouched(tenant_id: UUID, event_type: str) -> Rule:
    """The rule of an event type that came with an upgrade, until somebody changes it."""
    return Rule(tenant_id=tenant_id, event_type=event_type, optional_roles=list(start_roles(event_type)))


def show_rules(rules: Sequence[Rule], event_types: Iterable[EventType]) -> list[ShownRule]:
    """One query, for the logins of all additional users."""
    logins = _logins(rules)
    return [_show(rule, event_type, logins) for rule, event_type in zip(rules, event_types, strict=True)]


def _show(rule: Rule, event_type: EventType, logins: Mapping[UUID, str]) -> ShownRule:
    return ShownRule(
        event_type=event_type.code,
        labels=event_type.labels,
        feature=event_type.feature,
        feature_labels=event_type.feature_labels,
        default_role=event_type.default_role,
        offered_roles=event_type.optional_roles,
        enabled=rule.enabled,
        optional_roles=tuple(rule.optional_roles),
        additional_users=tuple(logins[user] for user in rule.additional_users if user in logins),
        changed=not rule.enabled
        or bool(rule.additional_users)
        or set(rule.optional_roles) != set(start_roles(event_type.code)),
        version=rule.version,
    )


def _logins(rules: Iterable[Rule]) -> dict[UUID, str]:
    users = {user for rule in rules for user in rule.additional_users}
    if not users:
        return {}
    tenant_id = next(iter(rules)).tenant_id
    return dict(Person.objects.for_tenant(tenant_id).filter(id__in=users).values_list("id", "login"))
