"""A rule can be tried, before it is kept, on what really happened."""

from typing import Any

import pytest
from tests.api.given import event, happen, lose_content, queries
from tests.delivery.given import reach

APPROVED = "data_change.approved"
PATH = f"/rules/{APPROVED}/preview"


def approved(**people: Any) -> dict[str, Any]:
    return event(type=APPROVED, people={"submitter": "ann"} | people, resources=[{"instance": "rm"}])


def test_each_event_says_who_comes_who_goes_and_who_stays(api: Any, organisation: Any, database: str) -> None:
    reach(organisation, "bo")
    root = api("root")
    root.patch(f"/rules/{APPROVED}", {"additional_users": ["eve"], "optional_roles": ["approver"], "version": 1})
    first, second = happen(organisation, database, approved(), approved(approvers=["bo"]))
    answer = root.post(PATH, {"additional_users": ["bo", "bo"]})
    assert answer.status == 200, answer.body
    assert answer.body["is_example"] is False
    assert answer.body["rule"] == {"enabled": True, "optional_roles": ["approver"], "additional_users": ["bo"]}
    new, old = answer.body["events"]
    assert [one["event"]["id"] for one in (new, old)] == [str(second), str(first)]
    assert new["event"]["subject"]["title"].startswith("Change ")
    assert new["event"]["time"]
    assert [one["login"] for one in new["added"]] == []
    assert [one["login"] for one in old["added"]] == ["bo"]
    assert old["added"][0]["because"] == [{"role": "additional_user"}]
    assert [(send["channel"], send["state"]) for send in old["added"][0]["sends"]] == [("webhook", "planned")]
    assert [one["login"] for one in new["removed"]] == ["eve"]
    [ann, bo] = new["kept"]
    assert (ann["login"], ann["because"], ann["because_now"]) == (
        "ann",
        [{"role": "submitter"}],
        [{"role": "submitter"}],
    )
    assert bo["because"] == [{"role": "additional_user"}, {"role": "approver"}]
    assert bo["because_now"] == [{"role": "approver"}]
    assert old["skips"] == old["skips_now"] == [{"role": "approver", "reason": "role_empty"}]
    assert answer.body["warnings"] == [{"code": "role_empty", "role": "approver", "events": 1}]


def test_what_is_tried_is_what_happens_once_it_is_kept(api: Any, organisation: Any, database: str) -> None:
    happen(organisation, database, approved())
    wanted = {"optional_roles": ["dba", "administrator"], "additional_users": ["bo"]}
    [tried] = api("carol").post(PATH, wanted).body["events"]
    foreseen = {one["login"]: one["because"] for one in [*tried["added"], *tried["kept"]]}
    api("carol").patch(f"/rules/{APPROVED}", wanted | {"version": 1})
    [kept] = happen(organisation, database, approved())
    record = api("root").get(f"/events/{kept}").body
    assert {one["login"]: one["because"] for one in record["recipients"]} == foreseen


def test_nothing_is_kept(api: Any, organisation: Any, database: str) -> None:
    happen(organisation, database, approved())
    before = api("root").get(f"/rules/{APPROVED}").body
    api("root").post(PATH, {"enabled": False})
    assert api("root").get(f"/rules/{APPROVED}").body == before
    assert api("root").get(f"/rules/{APPROVED}/history").body["items"] == []
    assert len(api("root").get("/events").body["items"]) == 1


def test_where_nothing_happened_an_example_stands_in(api: Any, organisation: Any, database: str) -> None:
    wanted = {"optional_roles": ["data_owner", "dba"], "additional_users": ["bo"]}
    answer = api("root").post(PATH, wanted)
    assert answer.body["is_example"] is True
    [only] = answer.body["events"]
    assert (only["event"]["id"], only["event"]["time"]) == (None, None)
    assert only["event"]["subject"]["title"] == "Mark refunds of 11 November as settled"
    assert [(one["login"], one["because"]) for one in only["added"]] == [
        ("", [{"role": "data_owner"}]),
        ("bo", [{"role": "additional_user"}]),
        ("carol", [{"role": "dba"}]),
    ]
    assert [(one["login"], one["because"]) for one in only["kept"]] == [("", [{"role": "submitter"}])]
    assert answer.body["warnings"] == [{"code": "person_unreachable", "user": "bo"}]
    # Nor can what is no longer kept be planned again.
    happen(organisation, database, approved())
    lose_content()
    assert api("root").post(PATH, wanted).body["is_example"] is True


def test_the_last_ones_are_taken_as_many_as_are_asked_for(api: Any, organisation: Any, database: str) -> None:
    happen(organisation, database, *[approved() for _ in range(7)], event())
    assert len(api("root").post(PATH, {}).body["events"]) == 5
    assert len(api("root").post(PATH, {"last": 7}).body["events"]) == 7
    assert api("root").post(PATH, {"last": 21}).status == 422


def test_roles_not_offered_and_people_nobody_knows_are_named(api: Any) -> None:
    answer = api("root").post(PATH, {"optional_roles": ["emperor"], "additional_users": ["mallory"]})
    assert answer.status == 422
    assert [each["field"] for each in answer.body["errors"]] == ["optional_roles", "additional_users"]
    assert answer.body["errors"][1]["users"] == ["mallory"]
    assert api("root").post("/rules/data_change.nope/preview", {}).status == 404


@pytest.mark.parametrize("login", ["ann", "eve"])
def test_only_who_may_change_rules_may_try_them(api: Any, login: str) -> None:
    assert api(login).post(PATH, {}).status == 403
    assert api(source="dms").post(PATH, {}).status == 403
    assert api("carol").post(PATH, {}).status == 200


def test_another_tenants_events_stay_theirs(api: Any, organisation: Any, database: str) -> None:
    happen(organisation, database, approved())
    assert api("mallory").post(PATH, {}).body["is_example"] is True


def test_a_try_costs_the_same_however_many_events_and_people(api: Any, organisation: Any, database: str) -> None:
    happen(organisation, database, approved())
    root = api("root")
    root.post(PATH, {})
    with queries() as few:
        root.post(PATH, {"last": 1})
    happen(organisation, database, *[approved(approvers=["bo", "dan"]) for _ in range(5)])
    with queries() as many:
        root.post(PATH, {"additional_users": ["bo", "dan", "eve"]})
    assert len(many) == len(few) <= 5
