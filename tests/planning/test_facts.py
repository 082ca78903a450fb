"""From an event to the people its rule leads to: roles, owners level by level, and people under all their names."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planning.given import APPROVAL, SUCCESS, event, id_of, member, rule, view

from tidings.directory.lookup import LOOKUPS
from tidings.events.event import Event
from tidings.planning.facts import plan_event
from tidings.planning.plan import Skip
from tidings.planning.view import View

PEOPLE = (
    member("ann", "webhook", email="Ann@Example.com", mobile="+491701234567", external_id="u-1"),
    member("bo", "webhook"),
    member("dan", "webhook"),
    member("carol", "webhook", roles=["dba"]),
    member("eve", "webhook", roles=["security_administrator"]),
    member("root", "webhook", roles=["administrator", "dba"]),
)
OWNED = {
    ("rm", "", ""): ("carol", ["bo"]),
    ("rm", "orders", ""): (None, ["dan"]),
    ("rm", "orders", "bills"): (None, ["ann", "eve"]),
    ("rm", "empty", ""): (None, []),
}


def told(one: Event, seen: View) -> dict[str, list[str]]:
    """Each recipient's reasons, as "role" or "role of what"."""
    return {
        recipient.member.login: [f"{each.role} of {each.of}" if each.of else each.role for each in recipient.because]
        for recipient in plan_event(one, seen).plan.recipients
    }


def skips(one: Event, seen: View) -> list[Skip]:
    return list(plan_event(one, seen).plan.skips)


# default recipients


def test_an_approval_that_waits_goes_to_its_approvers() -> None:
    assert told(event(APPROVAL, submitter="ann", approvers=["bo", "dan"]), view(*PEOPLE)) == {
        "bo": ["approver"],
        "dan": ["approver"],
    }


def test_anything_else_goes_to_the_submitter() -> None:
    assert told(event(SUCCESS, submitter="ann", approvers=["bo"]), view(*PEOPLE)) == {"ann": ["submitter"]}


def test_a_rule_nobody_has_touched_tells_the_default_recipient() -> None:
    assert told(event(submitter="ann"), view(*PEOPLE, rules={})) == {"ann": ["submitter"]}


def test_a_rule_that_is_off_looks_nobody_up() -> None:
    seen = view(*PEOPLE, rules={SUCCESS: rule(enabled=False)})
    assert skips(event(submitter="nobody"), seen) == [Skip("rule_off")]


def test_another_types_rule_is_not_this_ones() -> None:
    assert told(event(submitter="ann"), view(*PEOPLE, rules={APPROVAL: rule(enabled=False)})) == {"ann": ["submitter"]}


# roles


@pytest.mark.parametrize(
    ("role", "reached"),
    [
        ("approver", {"bo": ["approver"], "dan": ["approver"]}),
        ("related_person", {"eve": ["related_person"]}),
        ("data_owner", {"dan": ["data_owner of rm/orders"]}),
        ("instance_dba", {"carol": ["instance_dba of rm"]}),
        ("dba", {"carol": ["dba"], "root": ["dba"]}),
        ("administrator", {"root": ["administrator"]}),
        ("security_administrator", {"eve": ["security_administrator"]}),
    ],
)
def test_each_role_leads_to_its_people_and_says_of_what(role: str, reached: dict[str, list[str]]) -> None:
    seen = view(*PEOPLE, resources=OWNED, rules={SUCCESS: rule(role)})
    one = event(SUCCESS, "rm/orders", submitter="ann", approvers=["bo", "dan"], related=["eve"])
    assert told(one, seen) == {"ann": ["submitter"]} | reached


def test_every_role_of_the_catalogue_can_be_looked_up() -> None:
    types = view().catalog.event_types.values()
    assert {role for each in types for role in (each.default_role, *each.optional_roles)} <= set(LOOKUPS)


def test_additional_users_are_told_as_such() -> None:
    seen = view(*PEOPLE, rules={SUCCESS: rule(users=["dan", "ann", "long-gone"])})
    assert told(event(submitter="ann"), seen) == {"ann": ["additional_user", "submitter"], "dan": ["additional_user"]}


def test_one_person_through_everything_is_told_once() -> None:
    one_for_all = member("ann", "webhook", roles=["dba", "administrator", "security_administrator"])
    seen = view(
        one_for_all,
        resources={("rm", "", ""): ("ann", ["ann"])},
        rules={SUCCESS: rule("data_owner", "instance_dba", "dba", "administrator", "related_person", users=["ann"])},
    )
    reached = told(event(SUCCESS, "rm", submitter="ann", related=["ann", "ann"]), seen)
    assert reached == {
        "ann": [
            "additional_user",
            "administrator",
            "data_owner of rm",
            "dba",
            "instance_dba of rm",
            "related_person",
            "submitter",
        ]
    }


# owners, level by level


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("rm/orders/bills", {"ann": "rm/orders/bills", "eve": "rm/orders/bills"}),
        ("rm/orders/other", {"dan": "rm/orders"}),
        ("rm/orders", {"dan": "rm/orders"}),
        ("rm/empty/any", {"bo": "rm"}),
        ("rm/unheard-of", {"bo": "rm"}),
        ("rm", {"bo": "rm"}),
        ("other/orders/bills", {}),
    ],
)
def test_owners_are_looked_up_from_table_to_database_to_instance(path: str, owners: dict[str, str]) -> None:
    seen = view(*PEOPLE, resources=OWNED, rules={SUCCESS: rule("data_owner")})
    reached = told(event(SUCCESS, path, submitter="carol"), seen)
    assert reached == {"carol": ["submitter"]} | {login: [f"data_owner of {of}"] for login, of in owners.items()}


def test_each_resource_has_its_own_owners() -> None:
    seen = view(*PEOPLE, resources=OWNED, rules={SUCCESS: rule("data_owner", "instance_dba")})
    reached = told(event(SUCCESS, "rm/orders/bills", "rm", "rm/orders", "rm/orders", submitter="root"), seen)
    assert reached["ann"] == ["data_owner of rm/orders/bills"]
    assert reached["dan"] == ["data_owner of rm/orders"]
    assert reached["bo"] == ["data_owner of rm"]
    assert reached["carol"] == ["instance_dba of rm"]


def test_a_role_of_a_resource_that_nobody_answers_for_is_empty() -> None:
    seen = view(*PEOPLE, resources=OWNED, rules={SUCCESS: rule("data_owner", "instance_dba")})
    assert skips(event(SUCCESS, "other", submitter="ann"), seen) == [
        Skip("role_empty", role="data_owner"),
        Skip("role_empty", role="instance_dba"),
    ]


# people under their names


@pytest.mark.parametrize(
    "ref", ["ann", {"email": "ann@example.COM"}, {"mobile": "+491701234567"}, {"external_id": "u-1"}]
)
def test_a_person_is_known_by_login_mail_mobile_and_external_id(ref: Any) -> None:
    assert told(event(submitter=ref), view(*PEOPLE)) == {"ann": ["submitter"]}


@pytest.mark.parametrize(
    "ref",
    [
        "jose\u0301",  # the accent by itself, as macOS writes it
        {"email": " Jos@BÜCHER.example "},
        {"email": "jos@xn--bcher-kva.example"},
        {"email": "jos@ＢÜＣＨＥＲ．example"},
        {"mobile": "+86 138-0013 8000"},
        {"mobile": "＋８６ １３８００１３８０００"},
        {"external_id": " rene\u0301-7 "},
    ],
)
def test_who_is_written_otherwise_than_kept_is_known_all_the_same(ref: Any) -> None:
    kept = member(
        "josé", "webhook", email="jos@xn--bcher-kva.example", mobile="+8613800138000", external_id="ren\u00e9-7"
    )
    assert told(event(submitter=ref), view(kept)) == {"josé": ["submitter"]}


@pytest.mark.parametrize("ref", [{"email": "josé"}, {"mobile": "13800138000"}, {"mobile": "+1"}, "jos\u00e9\u0301"])
def test_what_is_no_address_is_nobodys(ref: Any) -> None:
    assert told(event(submitter=ref), view(member("josé", email="", mobile=""))) == {}


def test_one_person_under_two_names_is_one_recipient() -> None:
    one = event(APPROVAL, approvers=["ann", {"email": "ann@example.com"}, {"external_id": "u-1"}])
    assert told(one, view(*PEOPLE)) == {"ann": ["approver"]}


@pytest.mark.parametrize("ref", ["Ann", "zoe", {"email": "zoe@example.com"}, {"mobile": "0170"}, {"external_id": "7"}])
def test_who_is_not_known_is_named_as_the_event_named_them(ref: Any) -> None:
    named = ref if isinstance(ref, str) else next(iter(ref.values()))
    assert skips(event(submitter=ref), view(*PEOPLE)) == [
        Skip("role_empty", role="submitter"),
        Skip("unknown_person", role="submitter", person=named),
    ]


def test_who_is_gone_is_known_by_login_and_no_longer_by_their_address() -> None:
    gone = member("old", "webhook", departed=True, email="old@example.com", roles=["dba"])
    seen = view(*PEOPLE, gone, rules={SUCCESS: rule("dba")})
    assert Skip("person_departed", person="old") in skips(event(submitter="old"), seen)
    assert Skip("unknown_person", role="submitter", person="old@example.com") in skips(
        event(submitter={"email": "old@example.com"}), seen
    )
    assert "old" not in told(event(submitter="ann"), seen)


def test_an_address_goes_to_who_has_it_now() -> None:
    gone = member("old", departed=True, email="team@example.com")
    now = member("new", "webhook", email="team@example.com")
    for people in ((gone, now), (now, gone)):
        assert told(event(submitter={"email": "team@example.com"}), view(*people)) == {"new": ["submitter"]}


def test_those_named_may_see_the_event_even_if_nobody_tells_them() -> None:
    planned = plan_event(event(SUCCESS, submitter="ann", approvers=["bo", "zoe"], related=["bo", "dan"]), view(*PEOPLE))
    assert [recipient.member.login for recipient in planned.plan.recipients] == ["ann"]
    assert planned.not_told() == {id_of("bo"), id_of("dan")}
    off = view(*PEOPLE, rules={SUCCESS: rule(enabled=False)})
    assert plan_event(event(SUCCESS, submitter="ann"), off).not_told() == {id_of("ann")}


# always

logins = st.sampled_from(["ann", "bo", "dan", "carol", "eve", "root", "zoe"])
paths = st.sampled_from(["rm", "rm/orders", "rm/orders/bills", "rm/empty/x", "other/x"])
optional = st.lists(st.sampled_from([role for role in LOOKUPS if role != "submitter"]), unique=True)


@given(
    st.lists(logins, max_size=4), st.lists(logins, max_size=4), st.lists(paths, max_size=4), optional,
    st.lists(logins, max_size=3, unique=True), st.randoms(use_true_random=False),
)  # fmt: skip
def test_the_order_of_people_resources_roles_and_the_directory_changes_no_recipient(
    approvers: list[str], related: list[str], resources: list[str], roles: list[str], users: list[str], chance: Any
) -> None:
    def decided() -> Any:
        seen = view(*people, resources=dict(owned), rules={APPROVAL: rule(*roles, users=users)})
        return plan_event(event(APPROVAL, *resources, submitter="ann", approvers=approvers, related=related), seen).plan

    people, owned = list(PEOPLE), list(OWNED.items())
    before = decided()
    for each in (people, owned, approvers, related, resources, roles, users):
        chance.shuffle(each)
    assert decided() == before
