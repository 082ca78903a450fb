"""What a person may expect is what a plan would do, said before there is an event."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.planning.given import APPROVAL, SUCCESS, event, member, point, rule, view

from tidings.catalog.features import built_in
from tidings.planning.expect import Expectation, expect
from tidings.planning.facts import plan_event
from tidings.planning.plan import Skip


def of(login: str, one: Any, code: str = SUCCESS) -> Expectation:
    found = {each.event_type.code: each for each in expect(one.directory.people.by_login[login], one)}
    assert list(found) == list(built_in().event_types)
    return found[code]


def reasons(expected: Expectation) -> list[tuple[str, str]]:
    return [(one.role, one.when) for one in expected.because]


def test_everybody_may_submit_and_approve() -> None:
    ann = view(member("ann", "email"))
    assert reasons(of("ann", ann)) == [("submitter", "named")]
    assert reasons(of("ann", ann, APPROVAL)) == [("approver", "named")]
    assert of("ann", ann).sends == ("email",)


def test_a_role_that_is_held_is_told_always_and_one_of_resources_when_they_are_touched() -> None:
    asked = rule("dba", "administrator", "instance_dba", "data_owner", users=["carol"])
    carol = view(
        member("carol", "email", roles=["dba"]),
        member("dan", "email"),
        rules={SUCCESS: asked},
        resources={("rm", "", ""): ("carol", ["dan"]), ("rm2", "db", ""): (None, ["dan", "carol"])},
    )
    assert reasons(of("carol", carol)) == [
        ("submitter", "named"),
        ("data_owner", "held"),
        ("instance_dba", "held"),
        ("dba", "always"),
        ("additional_user", "always"),
    ]
    assert reasons(of("dan", carol)) == [("submitter", "named"), ("data_owner", "held")]


def test_silence_has_its_reason() -> None:
    everything = view(
        member("ann", "sms", "email", "webhook", points=[point("ann", "email", verified=False)]),
        member("bo", "email", active=False),
        rules={SUCCESS: rule(enabled=False)},
    )
    assert (of("ann", everything).because, of("ann", everything).skips) == ((), (Skip("rule_off"),))
    silent = of("ann", everything, APPROVAL)
    assert silent.sends == ()
    assert {(skip.channel, skip.reason) for skip in silent.skips} == {
        ("sms", "channel_off"),
        ("email", "contact_unverified"),
        ("webhook", "contact_missing"),
        ("", "no_method"),
    }
    assert of("bo", everything, APPROVAL).skips == (Skip("person_disabled", person="bo"),)


def test_nothing_leads_to_somebody_without_the_role_that_a_rule_asks_for() -> None:
    channel_failing = of("ann", view(member("ann", "email")), "tidings.channel_failing")
    assert (channel_failing.because, channel_failing.sends, channel_failing.skips) == ((), (), ())


ROLES = ["related_person", "data_owner", "instance_dba", "dba", "administrator"]


@given(
    roles=st.sets(st.sampled_from(ROLES)),
    held=st.sets(st.sampled_from(["dba", "administrator"])),
    touched=st.booleans(),
    people=st.fixed_dictionaries({}, optional={"submitter": st.just("ann"), "related": st.just(["ann"])}),
    added=st.booleans(),
)
def test_no_event_ever_tells_more_than_was_expected(
    roles: set[str], held: set[str], touched: bool, people: dict[str, Any], added: bool
) -> None:
    everything = view(
        member("ann", "email", "sms", roles=sorted(held)),
        rules={SUCCESS: rule(*roles, users=["ann"] if added else [])},
        resources={("rm", "", ""): ("ann", []), ("rm", "db", ""): (None, ["ann"])},
    )
    expected = of("ann", everything)
    planned = plan_event(event(SUCCESS, *(["rm/db"] if touched else []), **people), everything).plan
    for mine in planned.recipients:
        assert {reason.role for reason in mine.because} <= {one.role for one in expected.because}
        assert tuple(send.channel for send in mine.sends) == expected.sends
        assert mine.skips == expected.skips
    always = any(one.when == "always" for one in expected.because)
    assert bool(planned.recipients) or not always
