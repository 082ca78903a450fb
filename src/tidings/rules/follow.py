"""Rules follow the catalogue: event types that a tenant adds get theirs, those that it takes away lose them, and a role
that is no longer offered is taken off."""

from django.db import transaction

from tidings.accounts.permissions import Caller
from tidings.audit.record import record_change
from tidings.catalog.features import EventType, Feature
from tidings.rules.change import content
from tidings.rules.models import Rule
from tidings.rules.show import show_rules
from tidings.rules.start import create_rules


@transaction.atomic
def follow_catalog(caller: Caller, before: Feature | None, after: Feature) -> None:
    """Goes into the transaction in which the feature was changed."""
    was = {one.code: one for one in before.event_types} if before else {}
    now = {one.code: one for one in after.event_types}
    for rule in (
        Rule.objects.for_tenant(caller.tenant_id).filter(event_type__in=was).order_by("event_type").select_for_update()
    ):
        code = rule.event_type
        if code not in now:
            _end(caller, rule, was[code])
        elif dropped := set(rule.optional_roles) - set(now[code].optional_roles):
            _take_off(caller, rule, now[code], dropped)
    create_rules(caller.tenant_id, [code for code in now if code not in was])


def _end(caller: Caller, rule: Rule, event_type: EventType) -> None:
    shown = show_rules([rule], [event_type])[0]
    rule.delete()
    record_change(
        caller.tenant_id,
        caller.name,
        "delete",
        "rule",
        rule.event_type,
        before=content(shown),
        after=None,
        stale=("rules",),
    )


def _take_off(caller: Caller, rule: Rule, event_type: EventType, dropped: set[str]) -> None:
    before = show_rules([rule], [event_type])[0]
    rule.optional_roles = [role for role in rule.optional_roles if role not in dropped]
    rule.version += 1
    Rule.objects.for_tenant(caller.tenant_id).bulk_update([rule], ["optional_roles", "version"])
    after = content(before) | {"optional_roles": list(rule.optional_roles)}
    record_change(
        caller.tenant_id, caller.name, "change", "rule", rule.event_type,
        before=content(before) | {"version": before.version}, after=after | {"version": rule.version}, stale=("rules",),
    )  # fmt: skip
