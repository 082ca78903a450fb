"""A change that was answered governs every event after it, on every node; what is planned goes out."""

import asyncio
from typing import Any

import pytest
from tests.delivery.given import event
from tests.scenarios.stage import WEB, WORKER, Stage, in_django

from tidings.channels.testing.webhook_receiver import Reply

APPROVAL, SUCCESS = "data_change.pending_approval", "data_change.successful"


async def as_root(stage: Stage, method: str, path: str, body: Any, **more: Any) -> Any:
    secret = await in_django(lambda: stage.organisation.token("root"))
    answer = await stage.send(method, f"/api/v1{path}", body, token=secret, **more)
    assert answer.status < 300, answer
    return answer.body


async def test_a_rule_that_is_off_tells_nobody_and_shows_why(stage: Stage) -> None:
    await stage.rule(SUCCESS, enabled=False)
    [event_id] = await stage.post(event(to="ann"))
    await stage.post(event(type="data_change.failed", to="bo"))
    await stage.messages("bo")
    record = await stage.record(event_id)
    assert (record["recipients"], record["skips"]) == ([], [{"reason": "rule_off"}])
    assert stage.arrived("ann") == []
    await stage.ledger()


async def test_a_role_added_by_the_api_is_told_of_the_very_next_event(stage: Stage) -> None:
    await stage.post(event(to="ann"))
    await stage.messages("ann")
    rule = await as_root(stage, "GET", f"/rules/{SUCCESS}", None)
    changed = {"optional_roles": ["administrator"], "additional_users": ["bo"], "version": rule["version"]}
    await as_root(stage, "PATCH", f"/rules/{SUCCESS}", changed)
    await stage.post(event(to="ann"))
    await stage.messages("root")
    await stage.messages("bo")
    await stage.over()
    assert len(stage.receiver.arrivals) == 4


async def test_a_change_made_at_one_node_governs_the_next_event_at_another(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    one, other = await stage.start(WEB), await stage.start(WEB)
    await stage.start(WORKER)
    await stage.post(event(), at=other)
    for enabled in (False, True, False):
        await as_root(stage, "POST", "/rules/batch", {"event_types": [SUCCESS], "enabled": enabled}, at=one)
        [event_id] = await stage.post(event(), at=other)
        record = await stage.record(event_id)
        assert (record["skips"] == []) == enabled


async def test_what_is_planned_when_a_rule_is_switched_off_goes_out(stage: Stage) -> None:
    stage.answers("ann", Reply(503), Reply())
    await stage.post(event(to="ann"))
    await stage.messages("ann")
    await stage.rule(SUCCESS, enabled=False)
    await stage.messages("ann", 2)
    await stage.settled("sent")


async def test_who_is_switched_off_meanwhile_gets_nothing_more(stage: Stage) -> None:
    stage.answers("ann", Reply(503))
    await stage.post(event(to="ann"))
    await stage.messages("ann")
    await stage.change(
        "UPDATE accounts_person SET active = false WHERE id = %s",
        stage.organisation.people["ann"].id,
        version="directory",
    )
    await stage.settled("cancelled")
    assert await stage.value("SELECT reason FROM delivery_delivery") == "person_disabled"
    count = len(stage.arrived("ann"))
    [event_id] = await stage.post(event(to="ann"))
    record = await stage.record(event_id)
    assert {"person": "ann", "reason": "person_disabled"} in record["skips"]
    assert len(stage.arrived("ann")) == count


async def test_a_token_that_was_revoked_fails_at_the_next_group(stage: Stage) -> None:
    await stage.post(event())
    await stage.change(
        "UPDATE accounts_token SET revoked_at = now() WHERE tenant_id = %s AND source_id IS NOT NULL",
        stage.organisation.id,
        version="access",
    )
    answer = await stage.send("POST", "/api/v1/events", event())
    assert (answer.status, answer.body["code"]) == (401, "token_revoked")
    batch = await stage.post_batch(event(), event())
    assert batch.status == 401 or {each["code"] for each in batch.body["rejected"]} == {"token_revoked"}
    again = await stage.send("POST", "/api/v1/events", event())
    assert again.status == 401
    assert await stage.value("SELECT count(*) FROM events_event") == 1


async def test_a_revoked_token_fails_at_a_node_that_has_not_heard_of_it(empty_stage: Stage) -> None:
    stage = empty_stage
    one, other = await stage.start(WEB), await stage.start(WEB)
    await stage.post(event(), at=one)
    await stage.post(event(), at=other)
    tokens = await as_root(stage, "GET", "/tokens", None, at=one)
    [ours] = [each for each in tokens["items"] if each.get("source") == "dms"]
    secret = await in_django(lambda: stage.organisation.token("root"))
    answer = await stage.send("DELETE", f"/api/v1/tokens/{ours['id']}", token=secret, at=one)
    assert answer.status < 300, answer
    assert (await stage.send("POST", "/api/v1/events", event(), at=other)).status == 401
    assert (await stage.send("POST", "/api/v1/events", event(), at=one)).status == 401


@pytest.mark.parametrize(
    ("token", "status"), [("", 401), ("nonsense", 401), ("tdg_" + "x" * 40, 401), ("\xff\xfe", 401)]
)
async def test_without_a_token_nothing_is_kept(stage: Stage, token: str, status: int) -> None:
    for path in ("/api/v1/events", "/api/v1/events/batch", "/api/v1/preview"):
        assert (await stage.send("POST", path, event(), token=token)).status == status
    assert await stage.value("SELECT count(*) FROM events_event") == 0


async def test_a_source_speaks_for_itself_only(stage: Stage) -> None:
    answer = await stage.send("POST", "/api/v1/events", event(source="airflow"))
    assert (answer.status, answer.body["code"]) == (403, "wrong_source")
    batch = await stage.post_batch(event(source="airflow"), event())
    assert (batch.body["accepted"], batch.body["rejected"][0]["code"]) == (1, "wrong_source")


async def test_a_repeat_is_a_repeat_after_its_event_type_is_gone(stage: Stage) -> None:
    done = {"type": "release.done", "en": "Done", "class": "success", "default_role": "submitter"}
    feature = {"subject": "release", "en": "Release", "events": [done]}
    await as_root(stage, "PUT", "/catalog/features/release", feature)
    content = event(type="release.done", to="ann")
    [first] = await stage.post(content)
    await as_root(stage, "PUT", "/catalog/features/release", feature | {"events": [done | {"type": "release.out"}]})
    answer = await stage.send("POST", "/api/v1/events", content)
    assert (answer.status, answer.body) == (202, {"id": first, "duplicate": True})
    answer = await stage.send("POST", "/api/v1/events", content | {"actor": "bo"})
    assert (answer.status, answer.body["code"]) == (409, "event_id_reused")
    answer = await stage.send("POST", "/api/v1/events", event(type="release.done", to="ann"))
    assert (answer.status, answer.body["code"]) == (422, "unknown_event_type")


async def test_nobody_passes_for_tidings_itself(stage: Stage) -> None:
    root = await in_django(lambda: stage.organisation.token("root"))
    notice = event(type="tidings.contact_point_disabled") | {
        "subject": {"kind": "notice", "id": "1", "title": "Pay here"}
    }
    answer = await stage.send("POST", "/api/v1/events", notice)
    assert (answer.status, answer.body["code"]) == (403, "reserved")
    assert "/api/v1/catalog/features" in answer.body["detail"]
    for source in ("tidings", "Tidings"):
        answer = await stage.send("POST", "/api/v1/events", event(source=source), token=root)
        assert (answer.status, answer.body["code"]) == (403, "reserved")
    batch = await stage.send(
        "POST", "/api/v1/events/batch", [notice, event(source="tidings"), event(source="airflow")], token=root
    )
    assert batch.body["accepted"] == 1
    assert [(each["index"], each["code"]) for each in batch.body["rejected"]] == [(0, "reserved"), (1, "reserved")]
    assert await stage.value("SELECT count(*) FROM events_event WHERE source = 'tidings'") == 0
    # Who would hear of one may be looked up all the same.
    assert (await stage.send("POST", "/api/v1/preview", notice, token=root)).status == 200


async def test_a_person_who_is_no_administrator_sends_no_events(stage: Stage) -> None:
    secret = await in_django(lambda: stage.organisation.token("ann"))
    assert (await stage.send("POST", "/api/v1/events", event(), token=secret)).status == 403


async def test_a_new_token_works_at_once(stage: Stage) -> None:
    await stage.post(event())
    secret = await in_django(lambda: stage.organisation.source_token("airflow"))
    assert (await stage.send("POST", "/api/v1/events", event(source="airflow"), token=secret)).status == 202


async def test_a_preview_answers_before_anything_happens(stage: Stage) -> None:
    content = event(type=APPROVAL, people={"submitter": "ann", "approvers": ["bo", "eve", "zoe"]})
    answer = await stage.send("POST", "/api/v1/preview", content)
    assert answer.status == 200
    assert [(one["login"], [send["channel"] for send in one["sends"]]) for one in answer.body["recipients"]] == [
        ("bo", ["webhook"]),
        ("eve", []),
    ]
    await asyncio.sleep(0.1)
    assert await stage.value("SELECT count(*) FROM events_event") == 0
    [event_id] = await stage.post(content)
    record = await stage.record(event_id)
    assert [one["login"] for one in record["recipients"]] == ["bo", "eve"]
    assert record["skips"] == answer.body["skips"]
