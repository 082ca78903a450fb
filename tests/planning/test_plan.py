"""Who is told how, and for everyone else why not. Every silence has one reason of a closed list."""

from collections.abc import Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planning.given import member, point

from tidings.directory.people import Member
from tidings.planning.plan import Because, Candidate, Facts, Plan, Skip, SkipReason, plan

ON = frozenset({"webhook", "email"})


def facts(*candidates: Candidate, roles: Sequence[str] = ("submitter",), channels_on: frozenset[str] = ON) -> Facts:
    return Facts(True, roles, candidates, channels_on)


def led_to(person: Member | None, role: str = "submitter", of: str = "", named: str = "") -> Candidate:
    return Candidate(Because(role, of), named or (person.login if person else "?"), person)


def told(decided: Plan) -> dict[str, list[str]]:
    return {one.member.login: [send.channel for send in one.sends] for one in decided.recipients}


# one person once


def test_one_who_can_be_reached_is_told_on_each_method() -> None:
    decided = plan(facts(led_to(member("ann", "webhook", "email"))))
    assert told(decided) == {"ann": ["webhook", "email"]}
    assert decided.skips == ()
    assert decided.recipients[0].skips == ()


def test_methods_keep_the_order_the_person_chose() -> None:
    assert told(plan(facts(led_to(member("ann", "email", "webhook"))))) == {"ann": ["email", "webhook"]}


def test_one_person_through_several_roles_is_told_once_with_every_reason() -> None:
    ann = member("ann", "webhook")
    because = [("submitter", ""), ("data_owner", "rm-orders"), ("data_owner", "rm-bills"), ("dba", "")]
    decided = plan(facts(*(led_to(ann, role, of) for role, of in because)))
    [recipient] = decided.recipients
    assert recipient.because == tuple(sorted(Because(role, of) for role, of in because))
    assert len(recipient.sends) == 1


def test_the_same_reason_twice_is_one_reason() -> None:
    ann = member("ann", "webhook")
    [recipient] = plan(facts(led_to(ann), led_to(ann))).recipients
    assert recipient.because == (Because("submitter"),)


def test_people_come_in_the_order_of_their_logins() -> None:
    people = [member(login, "webhook") for login in ("eve", "ann", "dan", "bo")]
    assert list(told(plan(facts(*map(led_to, people))))) == ["ann", "bo", "dan", "eve"]


# every silence


def test_a_rule_that_is_off_is_one_skip_and_nobody_is_told() -> None:
    assert plan(Facts(False, ("submitter",), [led_to(member("ann", "webhook"))], ON)) == Plan((), (Skip("rule_off"),))


def test_a_role_that_leads_to_nobody_is_a_skip() -> None:
    decided = plan(facts(led_to(member("ann", "webhook")), roles=("submitter", "data_owner")))
    assert decided.skips == (Skip("role_empty", role="data_owner"),)


def test_somebody_nobody_knows_is_a_skip_and_never_an_error() -> None:
    decided = plan(
        facts(led_to(None, named="zoe"), led_to(None, "approver", named="zoe"), roles=("submitter", "approver"))
    )
    assert decided.recipients == ()
    assert set(decided.skips) == {
        Skip("unknown_person", role="submitter", person="zoe"),
        Skip("unknown_person", role="approver", person="zoe"),
        Skip("role_empty", role="submitter"),
        Skip("role_empty", role="approver"),
    }


def test_who_is_switched_off_or_gone_is_a_skip_and_their_role_is_empty() -> None:
    off, gone = member("ann", "webhook", active=False), member("bo", "webhook", departed=True)
    decided = plan(facts(led_to(off), led_to(gone)))
    assert decided.recipients == ()
    assert decided.skips == (
        Skip("person_departed", person="bo"),
        Skip("person_disabled", person="ann"),
        Skip("role_empty", role="submitter"),
    )


def test_who_is_gone_is_gone_whether_switched_off_or_not() -> None:
    assert Skip("person_departed", person="bo") in plan(facts(led_to(member("bo", active=False, departed=True)))).skips


def test_a_person_who_is_off_through_three_roles_is_one_skip() -> None:
    off = member("ann", active=False)
    decided = plan(facts(led_to(off, "submitter"), led_to(off, "dba"), led_to(off, "data_owner", "rm")))
    assert [skip for skip in decided.skips if skip.person == "ann"] == [Skip("person_disabled", person="ann")]


WHY_NOT = {
    "channel_off": (member("ann", "sms", points=[point("ann", "sms")]), "sms"),
    "contact_missing": (member("ann", "webhook", points=[]), "webhook"),
    "contact_unverified": (member("ann", "webhook", points=[point("ann", "webhook", verified=False)]), "webhook"),
    "contact_disabled": (member("ann", "webhook", points=[point("ann", "webhook", disabled=True)]), "webhook"),
}


@pytest.mark.parametrize("reason", WHY_NOT)
def test_a_method_that_leads_nowhere_says_why_and_leaves_the_person_without_any(reason: SkipReason) -> None:
    ann, channel = WHY_NOT[reason]
    [recipient] = plan(facts(led_to(ann))).recipients
    assert recipient.sends == ()
    assert recipient.skips == (Skip(reason, channel=channel), Skip("no_method"))


def test_a_channel_that_is_off_is_the_first_reason_of_all() -> None:
    """Whoever asks why must not be sent to verify an address on a channel that nobody can use."""
    ann = member("ann", "sms", points=[point("ann", "sms", verified=False, disabled=True)])
    [recipient] = plan(facts(led_to(ann))).recipients
    assert recipient.skips[0].reason == "channel_off"


def test_a_disabled_address_is_called_disabled_even_if_it_was_never_verified() -> None:
    ann = member("ann", "webhook", points=[point("ann", "webhook", verified=False, disabled=True)])
    [recipient] = plan(facts(led_to(ann))).recipients
    assert recipient.skips[0].reason == "contact_disabled"


def test_one_good_method_beside_a_bad_one_is_enough() -> None:
    ann = member("ann", "webhook", "email", points=[point("ann", "email")])
    [recipient] = plan(facts(led_to(ann))).recipients
    assert [send.channel for send in recipient.sends] == ["email"]
    assert recipient.skips == (Skip("contact_missing", channel="webhook"),)


def test_who_chose_no_method_is_told_in_the_inbox_only_and_it_shows() -> None:
    [recipient] = plan(facts(led_to(member("ann")))).recipients
    assert (recipient.sends, recipient.skips) == ((), (Skip("no_method"),))


def test_an_address_on_a_channel_the_person_did_not_choose_is_not_used() -> None:
    ann = member("ann", "email", points=[point("ann", "email"), point("ann", "webhook")])
    assert told(plan(facts(led_to(ann)))) == {"ann": ["email"]}


# always

channels = st.sampled_from(["webhook", "email", "sms", "dingtalk"])
points = st.builds(point, st.just("x"), channels, verified=st.booleans(), disabled=st.booleans())
people = st.builds(
    lambda login, methods, found, active, departed: member(
        login, *methods, points=found, active=active, departed=departed
    ),
    st.sampled_from(["ann", "bo", "dan", "carol", "eve"]),
    st.lists(channels, unique=True),
    st.lists(points, max_size=4),
    st.booleans(),
    st.booleans(),
)
roles = st.sampled_from(["submitter", "approver", "data_owner", "dba"])


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    known = {one.login: one for one in draw(st.lists(people, max_size=5))}
    candidates = draw(
        st.lists(
            st.builds(
                lambda one, role, of: led_to(one, role, of, named="" if one else "zoe"),
                st.sampled_from([None, *known.values()]),
                roles,
                st.sampled_from(["", "rm-orders", "rm-bills"]),
            ),
            max_size=8,
        )
    )
    return Facts(
        draw(st.booleans()), draw(st.lists(roles, min_size=1, unique=True)), candidates, draw(st.frozensets(channels))
    )


@given(any_facts())
def test_everyone_a_role_led_to_is_told_or_has_a_reason(given_facts: Facts) -> None:
    decided = plan(given_facts)
    if not given_facts.enabled:
        assert decided == Plan((), (Skip("rule_off"),))
        return
    reached = {one.member.login for one in decided.recipients}
    named = {skip.person for skip in decided.skips}
    assert {one.member.login if one.member else one.named for one in given_facts.candidates} == reached | named - {""}
    assert not reached & named
    for one in decided.recipients:
        assert {send.channel for send in one.sends} | {skip.channel for skip in one.skips if skip.channel} == set(
            one.member.methods
        )
        assert bool(one.sends) != (Skip("no_method") in one.skips)
        assert one.because
    by_role = {reason.role for one in decided.recipients for reason in one.because}
    assert {skip.role for skip in decided.skips if skip.reason == "role_empty"} == set(given_facts.roles) - by_role


@given(any_facts())
def test_only_the_reasons_of_the_contract_are_given(given_facts: Facts) -> None:
    decided = plan(given_facts)
    given_reasons = {skip.reason for one in decided.recipients for skip in one.skips} | {
        skip.reason for skip in decided.skips
    }
    assert given_reasons <= set(get_args(SkipReason))


@given(any_facts(), st.randoms(use_true_random=False))
def test_the_order_of_facts_changes_nothing(given_facts: Facts, chance: st.DrawFn) -> None:
    candidates, asked = list(given_facts.candidates), list(given_facts.roles)
    chance.shuffle(candidates)  # type: ignore[attr-defined]
    chance.shuffle(asked)  # type: ignore[attr-defined]
    assert plan(Facts(given_facts.enabled, asked, candidates, given_facts.channels_on)) == plan(given_facts)
