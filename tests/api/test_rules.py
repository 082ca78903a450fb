"""Administrators and DBAs decide who hears of what; nobody loses an edit."""

from typing import Any

import pytest

APPROVED = "data_change.approved"
PATH = f"/rules/{APPROVED}"
BUILT_IN = 61


def test_every_event_type_has_a_rule_from_the_start(api: Any) -> None:
    answer = api("root").get("/rules")
    rules = answer.body["items"]
    assert (answer.status, len(rules), answer.body["next_cursor"]) == (200, BUILT_IN, None)
    assert all(rule["enabled"] and not rule["changed"] and rule["additional_users"] == [] for rule in rules)
    added = {rule["event_type"]: rule["optional_roles"] for rule in rules if rule["optional_roles"]}
    assert added == {"tidings.contact_point_disabled": ["administrator"]}


def test_a_rule_says_all_that_a_page_needs(api: Any) -> None:
    answer = api("carol").get(PATH)
    assert answer.etag == '"1"'
    assert answer.body == {
        "event_type": APPROVED,
        "labels": {"en": "Approved", "zh-hans": "审批通过"},
        "feature": "data_change",
        "feature_labels": {"en": "Data change", "zh-hans": "数据变更"},
        "default_role": "submitter",
        "offered_roles": answer.body["offered_roles"],
        "enabled": True,
        "optional_roles": [],
        "additional_users": [],
        "changed": False,
        "version": 1,
    }
    assert {"approver", "data_owner", "instance_dba"} <= set(answer.body["offered_roles"])


@pytest.mark.parametrize("login", ["ann", "eve"])
def test_nobody_else_reads_or_writes_rules(api: Any, login: str) -> None:
    client = api(login)
    answers = [
        client.get("/rules"),
        client.get(PATH),
        client.get(f"{PATH}/history"),
        client.patch(PATH, {"enabled": False, "version": 1}),
        client.post("/rules/batch", {"event_types": [APPROVED], "enabled": False}),
        client.post("/rules/batch", {"event_types": [APPROVED], "enabled": False, "dry_run": True}),
        client.post("/rules/undo", {"rules": [{"event_type": APPROVED, "version": 1}]}),
        client.post(f"{PATH}/restore", {"restore": 1, "version": 1}),
    ]
    assert [answer.status for answer in answers] == [403] * 8
    assert api("root").get(PATH).body["version"] == 1


def test_a_source_reads_no_rules_and_nobody_does_without_a_token(api: Any) -> None:
    assert api(source="dms").get("/rules").status == 403
    assert api(token="").get("/rules").status == 401


def test_a_change_is_answered_whole_and_leaves_out_what_was_not_given(api: Any) -> None:
    root = api("root")
    first = root.patch(PATH, {"optional_roles": ["data_owner", "approver"], "version": 1})
    assert (first.status, first.body["version"], first.etag) == (200, 2, '"2"')
    # In the catalogue's order, whatever the order they were given in.
    assert first.body["optional_roles"] == ["approver", "data_owner"]
    second = root.patch(PATH, {"additional_users": ["eve", "bo", "eve"], "version": 2})
    assert second.body["additional_users"] == ["eve", "bo"]
    assert second.body["optional_roles"] == ["approver", "data_owner"]
    third = root.patch(PATH, {"enabled": False, "version": 3})
    assert (third.body["enabled"], third.body["additional_users"], third.body["changed"]) == (
        False,
        ["eve", "bo"],
        True,
    )
    assert root.get(PATH).body == third.body


def test_a_change_governs_every_node(api: Any, organisation: Any) -> None:
    before = _rules_version(organisation)
    api("root").patch(PATH, {"enabled": False, "version": 1})
    assert _rules_version(organisation) == before + 1


def test_a_change_that_changes_nothing_raises_no_version(api: Any) -> None:
    root = api("root")
    assert root.patch(PATH, {"enabled": True, "version": 1}).body["version"] == 1
    assert root.get(f"{PATH}/history").body["items"] == []


def test_a_change_needs_the_version_it_was_made_from(api: Any) -> None:
    answer = api("root").patch(PATH, {"enabled": False})
    assert (answer.status, answer.code) == (422, "invalid")
    assert answer.body["errors"][0]["field"].endswith("version")


def test_two_who_edit_at_once_never_lose_an_edit(api: Any) -> None:
    root, carol = api("root"), api("carol")
    root.patch(PATH, {"additional_users": ["bo"], "version": 1})
    late = carol.patch(PATH, {"enabled": False, "version": 1})
    assert (late.status, late.code) == (409, "version_conflict")
    assert late.body["current"] == root.get(PATH).body
    assert late.body["current"]["additional_users"] == ["bo"]


def test_if_match_is_honoured(api: Any) -> None:
    root = api("root")
    assert root.patch(PATH, {"enabled": False, "version": 1}, if_match='"7"').status == 412
    assert root.patch(PATH, {"enabled": False, "version": 1}, if_match='"other", W/"1"').status == 200
    assert root.patch(PATH, {"enabled": True, "version": 2}, if_match="*").status == 200


def test_roles_that_are_not_offered_are_named(api: Any) -> None:
    wanted = ["approver", "submitter", "emperor"]
    answer = api("root").patch(PATH, {"optional_roles": wanted, "version": 1})
    assert answer.status == 422
    assert answer.body["errors"][0]["roles"] == ["submitter", "emperor"]
    assert "emperor" in answer.body["detail"]


def test_a_rule_can_be_written_back_as_it_is_read_when_somebody_has_departed(api: Any, organisation: Any) -> None:
    from tidings.rules.change import Wanted, change_rules, content
    from tidings.rules.show import rules_of

    root, caller = api("root"), organisation.caller()
    root.patch(PATH, {"additional_users": ["bo", "eve"], "version": 1})
    assert root.delete("/users/bo").status == 204
    read = root.get(PATH)
    assert read.body["additional_users"] == ["bo", "eve"]
    parts = ("additional_users", "optional_roles", "enabled", "version")
    again = root.patch(PATH, {name: read.body[name] for name in parts})
    assert (again.status, again.body) == (200, read.body)
    kept = {rule.event_type: Wanted(**content(rule)) for rule in rules_of(caller)}
    assert change_rules(caller, kept) == []
    # In the rule they can stay; added they cannot be, to this one once they are out, nor to another.
    without = root.patch(PATH, {"additional_users": ["eve"], "version": read.body["version"]})
    for path, version in ((PATH, without.body["version"]), ("/rules/data_export.approved", 1)):
        answer = root.patch(path, {"additional_users": ["bo"], "version": version})
        assert (answer.status, answer.body["errors"][0]["users"]) == (422, ["bo"])


@pytest.mark.parametrize("login", ["mallory", "nobody", "gone", ""])
def test_additional_users_are_people_of_this_tenant(api: Any, organisation: Any, login: str) -> None:
    from django.utils import timezone

    organisation.add("gone", departed_at=timezone.now())
    answer = api("root").patch(PATH, {"additional_users": ["bo", login], "version": 1})
    assert answer.status == 422
    assert answer.body["errors"][0]["users"] == [login]
    assert api("root").get(PATH).body["additional_users"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"additional_user": ["bo"]},
        {"additional_users": ["nu\0l"]},
        {"optional_roles": "approver"},
        {"enabled": "maybe"},
    ],
)
def test_a_change_that_does_not_fit_is_refused(api: Any, change: dict[str, Any]) -> None:
    answer = api("root").patch(PATH, {**change, "version": 1})
    assert (answer.status, answer.code) == (422, "invalid")
    assert api("root").get(PATH).body["version"] == 1


def test_an_unknown_event_type_is_404(api: Any) -> None:
    root = api("root")
    assert root.get("/rules/data_change.nope").status == 404
    assert root.patch("/rules/data_change.nope", {"enabled": True, "version": 1}).status == 404
    assert root.get("/rules/data_change.nope/history").status == 404
    assert root.get("/rules/a%00b").status == 404


def test_history_says_who_changed_what_newest_first(api: Any) -> None:
    api("root").patch(PATH, {"additional_users": ["bo"], "version": 1})
    api("carol").patch(PATH, {"enabled": False, "version": 2})
    answer = api("root").get(f"{PATH}/history")
    new, old = answer.body["items"]
    assert (new["actor"], new["action"], old["actor"]) == ("carol", "change", "root")
    assert old["before"] == {"enabled": True, "optional_roles": [], "additional_users": [], "version": 1}
    assert old["after"] == {"enabled": True, "optional_roles": [], "additional_users": ["bo"], "version": 2}
    assert (new["before"], new["after"]["enabled"]) == (old["after"], False)
    assert new["at"] >= old["at"]
    page = api("root").get(f"{PATH}/history", limit=1).body
    assert page["items"] == [new]
    assert api("root").get(f"{PATH}/history", limit=1, cursor=page["next_cursor"]).body == {
        "items": [old],
        "next_cursor": None,
    }


def test_filters_narrow_the_list_down(api: Any) -> None:
    root = api("root")
    root.patch(PATH, {"additional_users": ["bo"], "optional_roles": ["data_owner"], "version": 1})
    root.patch("/rules/data_export.approved", {"enabled": False, "version": 1})

    def found(**filters: Any) -> set[str]:
        return {rule["event_type"] for rule in root.get("/rules", **filters).body["items"]}

    assert found(user="bo") == {APPROVED}
    assert found(enabled="false") == {"data_export.approved"}
    assert found(changed="true") == {APPROVED, "data_export.approved"}
    assert found(role="data_owner") == {APPROVED}
    assert "data_change.pending_approval" in found(role="approver")
    assert all(code.startswith("data_export.") for code in found(feature="data_export"))
    assert len(found(changed="false")) == BUILT_IN - 2
    assert APPROVED in found(q="approved DATA ch") and APPROVED in found(q="数据变更 通过")
    assert found(q="data_change.approved") == {APPROVED}
    assert found(q="approved emperor") == set()
    assert found(feature="nope") == set()


def test_a_batch_switches_many_and_raises_every_version(api: Any) -> None:
    root = api("root")
    root.patch(PATH, {"enabled": False, "version": 1})
    types = ["data_export.approved", APPROVED, "data_export.approved"]
    answer = root.post("/rules/batch", {"event_types": types, "enabled": False})
    assert answer.status == 200
    assert answer.body["changed"] == ["data_export.approved"]
    versions = {rule["event_type"]: rule["version"] for rule in answer.body["items"]}
    assert versions == {"data_export.approved": 2, APPROVED: 3}
    # Whoever edits one of them meanwhile hears of it.
    assert api("carol").patch(PATH, {"enabled": True, "version": 2}).status == 409
    assert root.get(f"{PATH}/history").body["items"][0]["action"] == "switch"


def test_a_batch_is_all_or_nothing(api: Any) -> None:
    root = api("root")
    answer = root.post("/rules/batch", {"event_types": [APPROVED, "data_change.aproved"], "enabled": False})
    assert (answer.status, answer.code) == (422, "unknown_event_type")
    assert "data_change.aproved" in answer.body["detail"]
    assert APPROVED in answer.body["errors"][0]["nearest"]
    assert root.get(PATH).body["enabled"] is True


def test_a_batch_can_be_tried_before_it_is_done(api: Any, organisation: Any) -> None:
    root, before = api("root"), _rules_version(organisation)
    root.patch(PATH, {"enabled": False, "version": 1})
    types = [APPROVED, "data_export.approved"]
    answer = root.post("/rules/batch", {"event_types": types, "enabled": False, "dry_run": True})
    assert (answer.status, answer.body["changed"]) == (200, ["data_export.approved"])
    assert [rule["enabled"] for rule in answer.body["items"]] == [False, False]
    assert root.get("/rules/data_export.approved").body["enabled"] is True
    assert (root.get(PATH).body["version"], _rules_version(organisation)) == (2, before + 1)
    assert len(root.get(f"{PATH}/history").body["items"]) == 1


def test_a_batch_is_undone_where_nobody_changed_a_rule_since(api: Any) -> None:
    root, types = api("root"), [APPROVED, "data_export.approved", "data_export.rejected"]
    root.patch(PATH, {"additional_users": ["bo"], "version": 1})
    done = root.post("/rules/batch", {"event_types": types, "enabled": False}).body["items"]
    api("carol").patch("/rules/data_export.rejected", {"additional_users": ["eve"], "version": 2})
    wanted = {"rules": [{"event_type": rule["event_type"], "version": rule["version"]} for rule in done]}
    answer = root.post("/rules/undo", wanted)
    assert answer.status == 200
    assert [one["rule"]["event_type"] for one in answer.body["items"]] == types[:2]
    [alone] = answer.body["left_alone"]
    assert (alone["event_type"], alone["reason"], alone["actor"]) == ("data_export.rejected", "changed_since", "carol")
    assert alone["at"] and alone["version"] == 3
    back, other, kept = (root.get(f"/rules/{code}").body for code in types)
    assert (back["enabled"], back["additional_users"], back["version"]) == (True, ["bo"], 4)
    assert (other["enabled"], other["changed"], other["version"]) == (True, False, 3)
    assert (kept["enabled"], kept["additional_users"]) == (False, ["eve"])
    assert root.get(f"{PATH}/history").body["items"][0]["action"] == "undo"
    # A second time, every one of them was changed since: by the undo.
    again = root.post("/rules/undo", wanted).body
    assert (again["items"], len(again["left_alone"])) == ([], 3)


def test_there_is_nothing_to_undo_in_a_rule_as_it_started(api: Any) -> None:
    answer = api("root").post("/rules/undo", {"rules": [{"event_type": APPROVED, "version": 1}]})
    assert [one["reason"] for one in answer.body["left_alone"]] == ["nothing_to_undo"]
    assert api("root").post("/rules/undo", {"rules": [{"event_type": "nope", "version": 1}]}).status == 422


def test_a_rule_comes_back_as_it_was_at_any_version(api: Any) -> None:
    root = api("root")
    root.patch(PATH, {"additional_users": ["bo"], "optional_roles": ["data_owner"], "version": 1})
    root.patch(PATH, {"enabled": False, "additional_users": [], "version": 2})
    answer = root.post(f"{PATH}/restore", {"restore": 2, "version": 3})
    assert (answer.status, answer.etag) == (200, '"4"')
    assert answer.body["left_out"] == {"optional_roles": [], "additional_users": []}
    now = root.get(PATH).body
    assert answer.body["rule"] == now
    assert (now["enabled"], now["additional_users"], now["optional_roles"]) == (True, ["bo"], ["data_owner"])
    start = root.post(f"{PATH}/restore", {"restore": 1, "version": 4}).body["rule"]
    assert (start["changed"], start["version"]) == (False, 5)
    assert root.get(f"{PATH}/history").body["items"][0]["action"] == "restore"


def test_a_version_that_never_was_and_a_late_restore_are_refused(api: Any) -> None:
    root = api("root")
    root.patch(PATH, {"enabled": False, "version": 1})
    assert root.post(f"{PATH}/restore", {"restore": 9, "version": 2}).status == 404
    late = root.post(f"{PATH}/restore", {"restore": 1, "version": 1})
    assert (late.status, late.code) == (409, "version_conflict")
    assert root.get(PATH).body["version"] == 2


def test_who_has_departed_since_does_not_come_back_and_is_named(api: Any) -> None:
    root = api("root")
    root.patch(PATH, {"additional_users": ["bo", "eve"], "version": 1})
    root.patch(PATH, {"additional_users": [], "version": 2})
    assert root.delete("/users/bo").status == 204
    answer = root.post(f"{PATH}/restore", {"restore": 2, "version": 3})
    assert answer.body["rule"]["additional_users"] == ["eve"]
    assert answer.body["left_out"] == {"optional_roles": [], "additional_users": ["bo"]}


@pytest.mark.parametrize("body", [{}, {"event_types": [], "enabled": True}, {"event_types": [APPROVED]}, [], "x"])
def test_a_batch_that_does_not_fit_is_refused(api: Any, body: Any) -> None:
    assert api("root").post("/rules/batch", body).status == 422


def test_the_other_tenant_has_rules_of_its_own(api: Any) -> None:
    mallory, root = api("mallory"), api("root")
    mallory.patch(PATH, {"enabled": False, "version": 1})
    assert root.get(PATH).body["enabled"] is True
    assert root.get(f"{PATH}/history").body["items"] == []
    assert mallory.patch(PATH, {"additional_users": ["ann"], "version": 2}).status == 422


def test_the_list_costs_the_same_however_many_users_are_added(api: Any) -> None:
    from tests.api.given import queries

    root = api("root")
    with queries() as few:
        root.get("/rules")
    for number, rule in enumerate(root.get("/rules", feature="data_change").body["items"]):
        users = ["ann", "bo", "dan", "carol"][: number % 4 + 1]
        root.patch(f"/rules/{rule['event_type']}", {"additional_users": users, "version": 1})
    with queries() as many:
        root.get("/rules")
    # The logins of the additional users are one more.
    assert len(many) == len(few) + 1 <= 5


def _rules_version(organisation: Any) -> int:
    from tidings.accounts.models import Tenant

    return Tenant.objects.get(id=organisation.id).rules_version
