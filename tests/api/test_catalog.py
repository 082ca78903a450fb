"""A tenant's own features are accepted, planned and ruled like the built-in ones."""

from typing import Any

import pytest
from tests.api.given import event, happen

FEATURE = {
    "subject": "release",
    "en": "Release",
    "zh-hans": "发布",
    "events": [
        {
            "type": "release.waiting",
            "en": "Waiting",
            "zh-hans": "等待",
            "class": "action",
            "default_role": "approver",
            "optional_roles": ["dba", "related_person"],
        },
        {"type": "release.done", "en": "Done", "class": "success", "default_role": "submitter", "optional_roles": []},
    ],
}
PATH = "/catalog/features/release"


def test_the_catalogue_has_every_built_in_feature_in_both_languages(api: Any) -> None:
    body = api("ann").get("/catalog").body
    assert [role["code"] for role in body["roles"]][:2] == ["submitter", "approver"]
    assert body["roles"][4] == {
        "code": "instance_dba",
        "en": "Instance DBA",
        "zh-hans": "实例 DBA",
        "meaning": body["roles"][4]["meaning"],
    }
    assert len(body["features"]) == 12
    assert not any(feature["custom"] for feature in body["features"])
    assert sum(len(feature["events"]) for feature in body["features"]) == 61
    change = next(feature for feature in body["features"] if feature["code"] == "data_change")
    assert (change["subject"], change["en"], change["zh-hans"]) == ("ticket", "Data change", "数据变更")
    assert change["events"][0]["class"] == "failure"


def test_every_token_may_read_the_catalogue_but_one_is_needed(api: Any) -> None:
    assert api(source="dms").get("/catalog").status == 200
    assert api(token="").get("/catalog").status == 401


def test_a_new_feature_gets_rules_and_its_events_are_accepted(api: Any, organisation: Any, database: str) -> None:
    root = api("root")
    answer = root.put(PATH, FEATURE)
    assert (answer.status, answer.body["code"], answer.body["custom"]) == (200, "release", True)
    # A missing Chinese label is the English one.
    assert answer.body["events"][1]["zh-hans"] == "Done"
    assert answer.body in root.get("/catalog").body["features"]
    rules = root.get("/rules", feature="release").body["items"]
    assert [(rule["event_type"], rule["enabled"]) for rule in rules] == [
        ("release.waiting", True),
        ("release.done", True),
    ]
    content = event(type="release.waiting", people={"approvers": ["bo"]}) | {"subject": {"kind": "release", "id": "r1"}}
    [key] = happen(organisation, database, content)
    assert [one["login"] for one in root.get(f"/events/{key}").body["recipients"]] == ["bo"]


def test_what_is_answered_can_be_put_back(api: Any, organisation: Any) -> None:
    root = api("root")
    first = root.put(PATH, FEATURE)
    again = root.put(PATH, first.body)
    assert (again.status, again.body, again.etag) == (200, first.body, first.etag)
    assert len(_changes(organisation)) == 1


def test_event_types_that_disappear_lose_their_rules_and_stay_in_old_records(
    api: Any, organisation: Any, database: str
) -> None:
    from tidings.audit.models import Change

    root = api("root")
    root.put(PATH, FEATURE)
    [key] = happen(organisation, database, event(type="release.done"))
    root.patch("/rules/release.waiting", {"optional_roles": ["dba", "related_person"], "version": 1})
    waiting = {**FEATURE["events"][0], "optional_roles": ["dba"]}  # type: ignore[dict-item, index]
    assert root.put(PATH, {**FEATURE, "events": [waiting]}).status == 200
    assert root.get("/rules/release.done").status == 404
    # A role that is no longer offered is taken off.
    rule = root.get("/rules/release.waiting").body
    assert (rule["optional_roles"], rule["version"]) == (["dba"], 3)
    record = root.get(f"/events/{key}").body
    assert (record["event"]["type"], [one["login"] for one in record["recipients"]]) == ("release.done", ["ann"])
    assert api("ann").get("/me/inbox").body["items"][0]["type"] == "release.done"
    ended = Change.objects.for_tenant(organisation.id).get(kind="rule", key="release.done")
    assert (ended.action, ended.actor) == ("delete", "root")


def test_a_built_in_feature_cannot_be_changed(api: Any) -> None:
    for code in ("data_change", "tidings"):
        answer = api("root").put(f"/catalog/features/{code}", {**FEATURE, "events": []})
        assert (answer.status, answer.code) == (409, "built_in_feature")


def test_only_administrators_add_features(api: Any) -> None:
    for login in ("ann", "carol", "eve"):
        assert api(login).put(PATH, FEATURE).status == 403
    assert api(source="dms").put(PATH, FEATURE).status == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "deploy.waiting"}, "events.0.type"),
        ({"type": "release.done"}, "events.1.type"),
        ({"default_role": "emperor"}, "events.0.default_role"),
        ({"optional_roles": ["emperor"]}, "events.0.optional_roles"),
        ({"optional_roles": ["approver"]}, "events.0.optional_roles"),
        ({"optional_roles": ["dba", "dba"]}, "events.0.optional_roles"),
    ],
)
def test_a_feature_that_does_not_fit_is_refused_by_field(api: Any, change: dict[str, Any], field: str) -> None:
    first, second = FEATURE["events"]
    answer = api("root").put(PATH, {**FEATURE, "events": [{**first, **change}, second]})  # type: ignore[dict-item]
    assert answer.status == 422
    assert [error["field"] for error in answer.body["errors"]] == [field]
    assert api("root").get("/rules", feature="release").body["items"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"en": ""},
        {"en": "two\nlines"},
        {"en": "nul\0"},
        {"en": "lone \ud800"},
        {"en": "x" * 101},
        {"subject": "Release"},
        {"code": "other"},
        {"class": "action"},
        {"events": [{"type": "release.x"}]},
        {"events": None},
    ],
)
def test_a_feature_of_another_shape_is_refused(api: Any, change: dict[str, Any]) -> None:
    assert api("root").put(PATH, {**FEATURE, **change}).status == 422


@pytest.mark.parametrize("code", ["Release", "re-lease", "1release", "x" * 41, "a.b"])
def test_a_code_is_lower_snake(api: Any, code: str) -> None:
    assert api("root").put(f"/catalog/features/{code}", {**FEATURE, "events": []}).status == 422


def test_if_match_is_honoured(api: Any) -> None:
    root = api("root")
    etag = root.put(PATH, FEATURE, if_match='"0"').etag
    assert root.put(PATH, {**FEATURE, "en": "Rollout"}, if_match='"0"').status == 412
    changed = root.put(PATH, {**FEATURE, "en": "Rollout"}, if_match=etag)
    assert (changed.status, changed.etag != etag) == (200, True)
    late = root.put(PATH, {**FEATURE, "en": "Roll-out"}, if_match=etag)
    assert (late.status, late.body["current"]["en"]) == (412, "Rollout")


def test_a_tenant_s_own_features_are_its_own(api: Any, organisation: Any) -> None:
    root, mallory = api("root"), api("mallory")
    root.put(PATH, FEATURE)
    assert all(feature["code"] != "release" for feature in mallory.get("/catalog").body["features"])
    assert mallory.get("/rules/release.waiting").status == 404
    assert mallory.put(PATH, {**FEATURE, "en": "Mine", "events": []}).status == 200
    own = [feature for feature in root.get("/catalog").body["features"] if feature["code"] == "release"]
    assert [feature["en"] for feature in own] == ["Release"]
    assert len(root.get("/rules", feature="release").body["items"]) == 2


def _changes(organisation: Any) -> list[Any]:
    from tidings.audit.models import Change

    return list(Change.objects.for_tenant(organisation.id).filter(kind="feature", key="release"))
