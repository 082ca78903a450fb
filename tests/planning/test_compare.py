"""What another rule would change is the difference of two plans, and nothing else."""

from typing import Any

from tests.planning.given import APPROVAL, SUCCESS, event, member, rule, view

from tidings.catalog.features import built_in
from tidings.planning.compare import Comparison, compare, warnings
from tidings.planning.facts import plan_event
from tidings.planning.plan import Because
from tidings.planning.stand_in import example_event, stands_for
from tidings.planning.view import View
from tidings.rules.match import RuleFacts

PEOPLE = (
    member("ann", "webhook"),
    member("bo", "webhook"),
    member("carol", "webhook", roles=["dba"]),
    member("dan", "sms"),
    member("eve", active=False),
    member("gone", "webhook", departed=True),
)


def here(**rules: RuleFacts) -> View:
    return view(
        *PEOPLE, resources={("rm", "", ""): ("carol", ["bo"])}, rules={SUCCESS: rule(**rules) if rules else rule()}
    )


def logins(those: Any) -> list[str]:
    return [one.member.login for one in those]


def warned(wanted: RuleFacts, *events: Any, code: str = SUCCESS) -> list[tuple[str, str, int]]:
    plans = [compare(one, here(), wanted).wanted for one in events]
    found = warnings(built_in().event_types[code], wanted, here(), plans)
    return [(one.code, one.role or (one.person.login if one.person else ""), one.events) for one in found]


def test_who_comes_who_goes_and_who_stays() -> None:
    now = view(*PEOPLE, rules={SUCCESS: rule("dba", users=["bo"])})
    found = compare(event(SUCCESS, submitter="ann"), now, rule("approver", users=["dan", "carol"]))
    assert (logins(found.added), logins(found.removed)) == (["dan"], ["bo"])
    assert [(one.member.login, one.because, other.because) for one, other in found.kept] == [
        ("ann", (Because("submitter"),), (Because("submitter"),)),
        ("carol", (Because("dba"),), (Because("additional_user"),)),
    ]


def test_a_rule_that_is_switched_off_tells_nobody() -> None:
    found = compare(event(SUCCESS, submitter="ann"), here(), rule(enabled=False))
    assert (logins(found.added), logins(found.removed), found.kept) == ([], ["ann"], [])
    assert [skip.reason for skip in found.wanted.skips] == ["rule_off"]
    assert warned(rule("dba", users=["eve"], enabled=False), event(SUCCESS)) == []


def test_the_same_rule_changes_nothing_and_is_the_plan_of_ingest() -> None:
    happened = event(SUCCESS, "rm", submitter="ann")
    wanted = rule("data_owner", "instance_dba", users=["dan"])
    now = view(*PEOPLE, resources={("rm", "", ""): ("carol", ["bo"])}, rules={SUCCESS: wanted})
    assert compare(happened, now, wanted) == Comparison(plan_event(happened, now).plan, plan_event(happened, now).plan)


def test_a_role_that_leads_to_nobody_is_warned_of_with_how_often() -> None:
    events = [event(SUCCESS, "rm", submitter="ann"), event(SUCCESS, submitter="ann"), event(SUCCESS, submitter="ann")]
    assert warned(rule("instance_dba"), *events) == [("role_empty", "instance_dba", 2)]
    assert warned(rule("data_owner", "instance_dba"), events[0]) == []


def test_a_system_role_that_nobody_holds_is_warned_of_once_and_for_all() -> None:
    assert warned(rule("dba", "security_administrator"), event(SUCCESS, submitter="ann")) == [
        ("role_unheld", "security_administrator", 0)
    ]


def test_people_who_cannot_be_reached_are_warned_of() -> None:
    """dan chose a channel that is off here."""
    assert warned(rule(users=["ann", "dan", "eve", "gone"]), event(SUCCESS, submitter="ann")) == [
        ("person_unreachable", "dan", 0),
        ("person_disabled", "eve", 0),
        ("person_departed", "gone", 0),
    ]


def test_an_event_of_which_nobody_would_be_told_is_warned_of() -> None:
    assert warned(rule(), event(SUCCESS)) == [("role_empty", "submitter", 1), ("nobody_told", "", 1)]


def test_in_the_example_roles_stand_in_for_people_and_people_are_themselves() -> None:
    for code in built_in().event_types:
        about = built_in().event_types[code]
        wanted = RuleFacts(True, about.optional_roles, (PEOPLE[0].id,))
        happened, there = example_event(about, here(), "Title")
        found = compare(happened, there, wanted).wanted
        stood_for = {stands_for(one.member) for one in found.recipients} - {""}
        assert stood_for == {about.default_role, *about.optional_roles} & {
            "submitter", "approver", "related_person", "data_owner", "instance_dba"
        }  # fmt: skip
        assert {"ann"} <= {one.member.login for one in found.recipients if not stands_for(one.member)}
        assert happened.subject.title == "Title"


def test_the_example_leaves_the_directory_as_it_is() -> None:
    there = here()
    people = dict(there.directory.people.by_login)
    example_event(built_in().event_types[APPROVAL], there)
    assert there.directory.people.by_login == people
