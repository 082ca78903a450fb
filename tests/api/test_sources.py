"""What a source is set up with for its own payloads: the rows of its mapping, and the key that signs."""

from typing import Any, cast

import pytest

from tidings.events.sources.registry import ADAPTERS

ROWS = [
    {"module": "数据变更", "event": ["已撤回", "Withdrawn"], "type": "data_change.rejected"},
    {"event": "评论", "type": None},
]
MASK = "********"


@pytest.fixture
def dms(organisation: Any) -> str:
    organisation.source_token("dms-prod")
    return "/sources/dms-prod"


# the mapping


def test_a_source_starts_with_what_the_adapter_knows(api: Any, dms: str) -> None:
    answer = api("root").get(f"{dms}/mapping?adapter=dms")
    assert (answer.status, answer.body["adapter"], answer.body["rows"], answer.body["version"]) == (200, "dms", [], 0)
    assert answer.body["parts"] == ["category", "module", "event"]
    assert {
        "category": ["工单", "Tickets", "Ticket"],
        "module": ["数据变更", "Data change"],
        "event": ["待审批", "Pending approval"],
        "type": "data_change.pending_approval",
    } in answer.body["built_in"]


def test_rows_of_its_own_are_kept_as_they_were_sent_and_recorded(api: Any, dms: str, organisation: Any) -> None:
    from tidings.audit.models import Change

    answer = api("root").put(f"{dms}/mapping", {"adapter": "dms", "rows": ROWS})
    assert (answer.status, answer.body["rows"], answer.body["version"], answer.etag) == (200, ROWS, 1, '"1"')
    assert answer.body["ignored_people"] == []
    # What was read can be written back, and changes nothing.
    again = api("root").put(f"{dms}/mapping", api("root").get(f"{dms}/mapping").body)
    assert (again.status, again.body) == (200, answer.body)
    [change] = Change.objects.for_tenant(organisation.id).filter(kind="mapping")
    assert (change.actor, change.key, change.after["rows"]) == ("root", "dms-prod", ROWS)
    assert api("root").put(f"{dms}/mapping", {"adapter": "dms", "rows": []}).body["rows"] == []


def test_two_who_edit_at_once_lose_nothing(api: Any, dms: str) -> None:
    api("root").put(f"{dms}/mapping", {"adapter": "dms", "rows": ROWS, "version": 0})
    late = api("root").put(f"{dms}/mapping", {"adapter": "dms", "rows": [], "version": 0})
    assert (late.status, late.code, late.body["current"]["rows"]) == (409, "version_conflict", ROWS)
    late = api("root").put(f"{dms}/mapping", {"adapter": "dms", "rows": []}, if_match='"0"')
    assert (late.status, late.code) == (412, "precondition_failed")


def test_everything_that_does_not_fit_is_named(api: Any, dms: str) -> None:
    rows = [
        {"event": "a", "type": "data_change.pending_aproval"},
        {"event": "b", "type": "data_change.approved"},
        {"type": None},
        {"evnt": "c", "event": "c", "type": None},
    ]
    answer = api("root").put(f"{dms}/mapping", {"adapter": "dms", "rows": rows[:1]})
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, ["rows.0.type"])
    assert "data_change.pending_approval" in answer.body["errors"][0]["problem"]
    answer = api("root").put(f"{dms}/mapping", {"adapter": "dms", "rows": rows})
    assert [error["field"] for error in answer.body["errors"]] == ["rows.2", "rows.3.evnt"]
    ours = [{"event": "a", "type": "tidings.channel_failing"}]
    answer = api("root").put(f"{dms}/mapping", {"adapter": "dms", "rows": ours})
    assert answer.body["errors"] == [{"field": "rows.0.type", "problem": "tidings.channel_failing is Tidings' own"}]
    assert api("root").put(f"{dms}/mapping", {"adapter": "dms", "rows": ROWS * 251}).code == "too_many_rows"
    answer = api("root").put(f"{dms}/mapping", {"adapter": "fax", "rows": []})
    assert answer.status == 422
    assert f"the adapters are: {', '.join(ADAPTERS)}" in answer.body["errors"][0]["problem"]
    assert api("root").get(f"{dms}/mapping").body["version"] == 0


def test_a_row_may_mean_an_event_type_of_the_tenants_own(api: Any, dms: str) -> None:
    feature = {
        "subject": "ticket",
        "en": "Data archiving",
        "events": [{"type": "archiving.done", "en": "Done", "class": "success", "default_role": "submitter"}],
    }
    row = {"module": "数据归档", "event": "执行成功", "type": "archiving.done"}
    assert api("root").put(f"{dms}/mapping", {"adapter": "dms", "rows": [row]}).status == 422
    assert api("root").put("/catalog/features/archiving", feature).status == 200
    assert api("root").put(f"{dms}/mapping", {"adapter": "dms", "rows": [row]}).status == 200


def test_a_name_with_a_slash_is_a_name(api: Any, organisation: Any) -> None:
    organisation.source_token("dms/prod")
    assert api("root").get("/sources/dms/prod/mapping").status == 200
    assert api("root").get("/sources/dms%2Fprod/parked").status == 200


def test_who_is_nobody_here_is_kept_too(api: Any, dms: str) -> None:
    body = {"adapter": "dms", "rows": [], "ignored_people": ["2", "1", "2"]}
    answer = api("root").put(f"{dms}/mapping", body)
    assert (answer.body["ignored_people"], answer.body["version"]) == (["1", "2"], 1)
    assert api("root").put(f"{dms}/mapping", body).body["version"] == 1
    assert api("root").put(f"{dms}/mapping", {"adapter": "dms", "rows": ROWS}).body["ignored_people"] == ["1", "2"]
    assert api("root").put(f"{dms}/mapping", {**body, "ignored_people": ["a\0b"]}).status == 422
    assert api("root").put(f"{dms}/mapping", {**body, "ignored_people": ["x"] * 101}).status == 422


# the secret


def test_a_secret_is_kept_sealed_and_never_shown(api: Any, dms: str, organisation: Any) -> None:
    from tidings.audit.models import Change
    from tidings.events.models import Intake
    from tidings.kernel.secrets import unseal

    assert api("root").get(f"{dms}/secret").body == {"secret": None}
    assert api("root").put(f"{dms}/secret", {"secret": "my dms key"}).body == {"secret": MASK}
    assert api("root").put(f"{dms}/secret", {"secret": MASK}).body == {"secret": MASK}
    [intake] = Intake.objects.for_tenant(organisation.id)
    assert unseal(bytes(intake.sealed)) == {"secret": "my dms key"}
    assert api("root").get(f"{dms}/secret").body == {"secret": MASK}
    assert api("root").put(f"{dms}/secret", {"secret": None}).body == {"secret": None}
    told = [f"{one.before}{one.after}" for one in Change.objects.for_tenant(organisation.id)]
    assert "my dms key" not in "".join(told)
    assert "'set': True" in "".join(told)


@pytest.mark.parametrize("secret", ["", MASK, "a\nb", "x" * 501, 5, ["x"]])
def test_a_secret_is_a_text(api: Any, dms: str, secret: Any) -> None:
    assert api("root").put(f"{dms}/secret", {"secret": secret}).status == 422
    assert api("root").get(f"{dms}/secret").body == {"secret": None}


# how it is doing


def test_a_source_tells_what_it_sent_last_and_what_waits(api: Any, dms: str, organisation: Any, database: str) -> None:
    from tests.api.given import event, happen

    quiet = api("root").get(f"{dms}/activity").body
    assert (quiet["has_sent"], quiet["latest"], quiet["parked"], quiet["adapter"]) == (False, [], 0, None)
    happen(organisation, database, *(event(source=name) for name in ("dms-prod", "other", "dms-prod")))
    _park(organisation, "dms-prod", 3)
    api("root").put(f"{dms}/mapping", {"adapter": "dms", "rows": ROWS})
    shown = api("root").get(f"{dms}/activity?limit=5").body
    assert [one["source"] for one in shown["latest"]] == ["dms-prod", "dms-prod"]
    assert shown["latest"][0]["accepted_at"] >= shown["latest"][1]["accepted_at"]
    assert (shown["has_sent"], shown["parked"], shown["adapter"], shown["has_secret"]) == (True, 3, "dms", False)
    assert len(api("root").get(f"{dms}/activity?limit=1").body["latest"]) == 1
    organisation.source_token("never")
    listed = {one["name"]: one for one in api("root").get("/sources").body["items"]}
    assert listed["dms-prod"]["last_event_at"] == shown["latest"][0]["accepted_at"]
    assert (listed["dms-prod"]["parked"], listed["dms-prod"]["adapter"]) == (3, "dms")
    assert [listed["never"][name] for name in ("parked", "adapter", "last_event_at")] == [0, None, None]


def _park(organisation: Any, source: str, many: int) -> None:
    from datetime import UTC, datetime

    from tidings.events.models import Parked
    from tidings.kernel.ids import uuid7

    for number in range(many):
        Parked.objects.create(
            id=uuid7(), tenant_id=organisation.id, source=source, adapter="dms", reason="unmapped", detail="",
            words={}, headers={}, body="{}", hash=str(number).encode(), times=1, last_at=datetime.now(UTC),
        )  # fmt: skip


def test_every_adapter_says_what_to_do_on_the_other_side_in_every_language(api: Any) -> None:
    adapters = api("root").get("/adapters").body["items"]
    assert {"archery", "dataworks", "dbt", "dms", "json"} <= {one["adapter"] for one in adapters if one["signs"]}
    for one in adapters:
        assert one["url"].endswith(f"/api/v1/sources/{one['adapter']}")
        assert set(one["steps"]) == {"en", "zh-hans"}
        assert all(sum("{url}" in step for step in steps) == 1 for steps in one["steps"].values())
        assert len({len(steps) for steps in one["steps"].values()}) == 1
        assert one["group"] in ("tickets", "flows", "warehouses", "anything")
        assert set(one["about"]) == {"en", "zh-hans"}
        assert one["sample"]["payload"]
    assert api("carol").get("/adapters").status == 403


def test_a_source_is_made_of_a_system_at_once(api: Any, organisation: Any) -> None:
    made = api("root").post("/sources", {"name": "tickets", "adapter": "dms"})
    assert made.status == 201
    assert api("root").get("/sources/tickets/activity").body["adapter"] == "dms"
    refused = api("root").post("/sources", {"name": "faxes", "adapter": "fax"})
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, "adapter")
    assert [one["name"] for one in api("root").get("/sources").body["items"]] == ["tickets"]


@pytest.mark.parametrize("code", ["", *ADAPTERS])
def test_a_test_makes_an_event_of_what_the_system_sends(api: Any, organisation: Any, code: str) -> None:
    api("root").post("/sources", {"name": "its-name", **({"adapter": code} if code else {})})
    answer = api("root").post("/sources/its-name/test")
    assert (answer.status, answer.body["ignored"], answer.body["parked"]) == (200, False, None)
    record = api("root").get(f"/events/{answer.body['events'][0]['id']}").body
    assert record["event"]["source"] == "its-name"
    assert record["event"]["subject"]["title"].startswith("Test: ")
    assert [one["login"] for one in record["recipients"]] == ["root"]
    assert api("carol").post("/sources/its-name/test").status == 403
    assert api("root").post("/sources/nothing/test").status == 404
    assert api(source="its-name").post("/sources/its-name/test").status == 403


def test_a_source_that_has_described_its_own_bodies_can_be_tested_too(api: Any, organisation: Any) -> None:
    api("root").post("/sources", {"name": "desk", "adapter": "json"})
    mapping = {
        "adapter": "json",
        "rows": [],
        "options": {"what": "body.kind", "status": "body.state", "subject_id": "body.no"},
    }
    assert api("root").put("/sources/desk/mapping", mapping).status == 200
    answer = api("root").post("/sources/desk/test")
    assert (answer.status, len(answer.body["events"]), answer.body["parked"]) == (200, 1, None)


def test_a_test_that_cannot_be_planned_is_not_kept_for_rules_that_would_tell_others(
    api: Any, organisation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidings.directory.lookup import LOOKUPS
    from tidings.events.models import Event

    api("root").post("/sources", {"name": "tickets", "adapter": "dms"})
    monkeypatch.delitem(cast(dict[str, Any], LOOKUPS), "submitter")
    answer = api("root").post("/sources/tickets/test")
    assert (answer.status, answer.code) == (503, "unavailable")
    assert not Event.objects.for_tenant(organisation.id).exists()
    monkeypatch.undo()
    assert len(api("root").post("/sources/tickets/test").body["events"]) == 1


# tried before it is saved

DESCRIBED = {"what": "body.kind", "status": "body.state", "subject_id": "body.no", "submitter": "body.by"}
DESK = {"kind": "Data change", "state": "approved", "no": 4711, "by": "ann"}


@pytest.fixture
def desk(organisation: Any) -> str:
    organisation.source_token("desk")
    return "/sources/desk"


def test_a_payload_is_tried_as_a_source_might_be_set_up(api: Any, desk: str, organisation: Any) -> None:
    from tidings.audit.models import Change

    answer = api("root").post(f"{desk}/try", {"adapter": "json", "options": DESCRIBED, "sample": DESK})
    assert (answer.status, answer.body["parked"], answer.body["ignored"]) == (200, None, False)
    [event], [plan] = answer.body["events"], answer.body["plans"]
    assert (event["source"], event["type"], event["people"]) == ("desk", "data_change.approved", {"submitter": "ann"})
    assert [(one["login"], one["because"]) for one in plan["recipients"]] == [("ann", [{"role": "submitter"}])]
    assert (plan["event"]["id"], plan["event"]["subject"]["id"]) == (None, "4711")
    # and nothing came of it
    assert api("root").get(f"{desk}/mapping").body["version"] == 0
    assert api("root").get(f"{desk}/activity").body["has_sent"] is False
    assert not Change.objects.for_tenant(organisation.id).filter(kind="mapping").exists()


def test_what_is_not_given_is_as_it_is_stored(api: Any, desk: str) -> None:
    rows = [{"status": "approved", "type": "data_change.rejected"}, {"status": "chat", "type": None}]
    stored = {"adapter": "json", "rows": rows, "options": DESCRIBED, "ignored_people": ["ann"]}
    assert api("root").put(f"{desk}/mapping", stored).status == 200

    def tried(**given: Any) -> Any:
        answer = api("root").post(f"{desk}/try", {"sample": DESK, **given})
        assert answer.status == 200, answer
        return answer.body

    [event] = tried()["events"]
    assert (event["type"], event["people"]) == ("data_change.rejected", {})
    assert tried(rows=[])["events"][0]["type"] == "data_change.approved"
    assert tried(ignored_people=[])["events"][0]["people"] == {"submitter": "ann"}
    assert tried(options={**DESCRIBED, "title": "body.by"})["events"][0]["subject"]["title"] == "ann"
    assert (
        tried(options={**DESCRIBED, "title": "headers.x_a"}, headers={"X-A": "b"})["events"][0]["subject"]["title"]
        == "b"
    )
    ignored = tried(sample={**DESK, "state": "chat"})
    assert (ignored["events"], ignored["parked"], ignored["ignored"]) == ([], None, True)
    # Of another adapter it has nothing.
    assert tried(adapter="dms")["parked"]["reason"] == "incomplete"


def test_why_a_payload_would_be_parked_is_told(api: Any, desk: str) -> None:
    def parked(sample: Any, **options: Any) -> Any:
        answer = api("root").post(f"{desk}/try", {"adapter": "json", "options": options, "sample": sample})
        assert (answer.status, answer.body["events"], answer.body["plans"]) == (200, [], [])
        return answer.body["parked"]

    words = {"what": "Data change", "status": "aproved"}
    assert (found := parked({**DESK, "state": "aproved"}, **DESCRIBED))["words"] == words, found
    assert parked("no JSON", **DESCRIBED)["detail"].startswith("The body is no JSON")
    assert parked(DESK, **DESCRIBED, url="'javascript:x'")["reason"] == "invalid_event"
    assert parked(DESK, **DESCRIBED, type="'own.done'")["reason"] == "unknown_event_type"
    ours = parked(DESK, **DESCRIBED, type="'tidings.channel_failing'")
    assert (ours["reason"], "come from Tidings alone" in ours["detail"]) == ("invalid_event", True)


def test_what_could_not_be_saved_is_not_tried(api: Any, desk: str) -> None:
    answer = api("root").post(f"{desk}/try", {"adapter": "json", "options": {"id": "ticket.id"}, "sample": DESK})
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "id")
    rows = [{"status": "x", "type": "no.such"}]
    answer = api("root").post(f"{desk}/try", {"adapter": "json", "rows": rows, "sample": DESK})
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "rows.0.type")
    assert api("root").post(f"{desk}/try", {"adapter": "fax", "sample": DESK}).status == 422
    assert api("root").post(f"{desk}/try", {"adapter": "json"}).status == 422
    answer = api("root").post(f"{desk}/try", {"adapter": "json", "sample": "x" * 262_145})
    assert (answer.status, answer.code) == (413, "event_too_large")


def test_a_payload_of_any_adapter_is_tried(api: Any, dms: str) -> None:
    from tests.events.sources.given_dms import body

    answer = api("root").post(f"{dms}/try", {"adapter": "dms", "sample": body().decode()})
    assert (answer.status, answer.body["events"][0]["type"]) == (200, "data_change.successful")


def test_only_the_first_plans_of_many_are_made(api: Any, desk: str) -> None:
    sample = [{**DESK, "no": number} for number in range(30)]
    said = {name: each.replace("body", "item") for name, each in DESCRIBED.items()}
    answer = api("root").post(f"{desk}/try", {"adapter": "json", "options": said, "sample": sample}).body
    assert (len(answer["events"]), len(answer["plans"])) == (30, 20)


def test_only_administrators_of_the_same_organisation_try(api: Any, desk: str) -> None:
    for login in ("ann", "carol", "eve"):
        assert api(login).post(f"{desk}/try", {"sample": 1}).status == 403
    assert api(source="desk").post(f"{desk}/try", {"sample": 1}).status == 403
    assert api("mallory").post(f"{desk}/try", {"sample": 1}).status == 404
    assert api("root").post("/sources/unknown/try", {"sample": 1}).status == 404


# who may


@pytest.mark.parametrize("what", ["mapping", "secret", "parked", "activity"])
def test_only_administrators_of_the_same_organisation_may(api: Any, dms: str, what: str) -> None:
    for login in ("ann", "carol", "eve"):
        assert api(login).get(f"{dms}/{what}").status == 403
    assert api(source="dms-prod").get(f"{dms}/{what}").status == 403
    assert api(token="").get(f"{dms}/{what}").status == 401
    assert api("mallory").get(f"{dms}/{what}").status == 404
    assert api("root").get(f"/sources/unknown/{what}").status == 404
    assert api("root").get(f"/sources/a%00b/{what}").status == 404


@pytest.mark.parametrize(("what", "body"), [("mapping", {"adapter": "dms", "rows": []}), ("secret", {"secret": "k"})])
def test_only_administrators_change_it(api: Any, dms: str, what: str, body: Any) -> None:
    assert api("carol").put(f"{dms}/{what}", body).status == 403
    assert api("mallory").put(f"{dms}/{what}", body).status == 404
