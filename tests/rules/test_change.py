"""Changes of rules by many at once: none is lost, and nobody waits for ever."""

from functools import partial
from typing import Any

from tests.api.given import at_once

from tidings.kernel.versions import Expected

APPROVED, EXPORTED = "data_change.approved", "data_export.approved"


def test_of_two_edits_of_one_version_one_is_told(organisation: Any) -> None:
    from tidings.rules.change import Wanted, change_rule
    from tidings.rules.show import rule_of

    def edit(caller: Any, users: tuple[str, ...], version: int) -> object:
        return change_rule(caller, APPROVED, Wanted(additional_users=users), Expected(version)).additional_users

    root, carol = organisation.caller("root"), organisation.caller("carol")
    for version in range(1, 6):
        users = ("bo", f"p{version}"), ("eve", f"p{version}")
        organisation.add(f"p{version}")
        answers = at_once(partial(edit, root, users[0], version), partial(edit, carol, users[1], version))
        assert "version_conflict" in answers
        [kept] = [answer for answer in answers if answer != "version_conflict"]
        assert rule_of(root, APPROVED).additional_users == kept


def test_batches_that_name_the_same_rules_in_any_order_do_not_lock_each_other(organisation: Any) -> None:
    from tidings.rules.change import switch_rules
    from tidings.rules.show import rules_of

    root = organisation.caller("root")
    types = [rule.event_type for rule in rules_of(root)]

    def switch(order: list[str]) -> object:
        return len(switch_rules(root, order, enabled=False))

    assert at_once(*[partial(switch, order) for order in (types, types[::-1], types, types[::-1])]) == [len(types)] * 4
    assert {rule.version for rule in rules_of(root)} == {5}


def test_a_feature_and_its_rules_change_beside_each_other(organisation: Any) -> None:
    from tidings.catalog.extend import put_feature
    from tidings.catalog.features import read_feature
    from tidings.rules.change import switch_rules
    from tidings.rules.follow import follow_catalog

    root = organisation.caller("root")
    events = [
        {"type": f"own.e{n}", "en": "E", "class": "info", "default_role": "submitter", "optional_roles": ["dba"]}
        for n in range(10)
    ]

    def put(number: int) -> object:
        chosen = [event | {"optional_roles": ["dba"] if number % 2 else []} for event in events]
        feature = read_feature({"code": "own", "subject": "ticket", "en": "Own", "events": chosen})
        put_feature(root, feature, Expected(), follow_catalog)
        return "put"

    def switch() -> object:
        return len(switch_rules(root, [event["type"] for event in events], enabled=False))

    put(0)
    answers = at_once(*[partial(put, number) for number in range(4)], switch, switch)
    assert answers == ["put"] * 4 + [10, 10]


def test_two_who_bring_the_same_feature_first_both_succeed(organisation: Any) -> None:
    from tidings.catalog.extend import put_feature
    from tidings.catalog.features import read_feature
    from tidings.rules.follow import follow_catalog

    root = organisation.caller("root")

    def put(label: str) -> object:
        event = {"type": "own.e", "en": "E", "class": "info", "default_role": "submitter", "optional_roles": []}
        feature = read_feature({"code": "own", "subject": "ticket", "en": label, "events": [event]})
        put_feature(root, feature, Expected(), follow_catalog)
        return "put"

    assert at_once(partial(put, "One"), partial(put, "Two")) == ["put", "put"]


def test_an_event_type_that_came_with_an_upgrade_has_the_rule_it_would_have_started_with(organisation: Any) -> None:
    from tidings.rules.change import Wanted, change_rule
    from tidings.rules.models import Rule
    from tidings.rules.show import rule_of, rules_of
    from tidings.rules.start import create_rules

    root, code = organisation.caller("root"), "tidings.contact_point_disabled"
    Rule.objects.for_tenant(organisation.id).filter(event_type__in=[code, APPROVED]).delete()
    assert (len(rules_of(root)), rule_of(root, code).optional_roles) == (61, ("administrator",))
    assert change_rule(root, code, Wanted(enabled=False), Expected(1)).version == 2
    create_rules(organisation.id)
    assert (rule_of(root, code).enabled, rule_of(root, APPROVED).version) == (False, 1)


def test_a_role_that_becomes_the_default_is_no_longer_an_optional_one(organisation: Any) -> None:
    from tidings.catalog.extend import put_feature
    from tidings.catalog.features import read_feature
    from tidings.rules.change import Wanted, change_rule
    from tidings.rules.follow import follow_catalog
    from tidings.rules.show import rule_of

    root = organisation.caller("root")

    def put(default: str, *optional: str) -> None:
        event = {"type": "own.e", "en": "E", "class": "info", "default_role": default, "optional_roles": optional}
        feature = read_feature({"code": "own", "subject": "ticket", "en": "Own", "events": [event]})
        put_feature(root, feature, Expected(), follow_catalog)

    put("submitter", "dba", "approver")
    change_rule(root, "own.e", Wanted(optional_roles=["dba", "approver"]), Expected(1))
    put("dba", "approver")
    rule = rule_of(root, "own.e")
    assert (rule.default_role, rule.optional_roles, rule.version) == ("dba", ("approver",), 3)
