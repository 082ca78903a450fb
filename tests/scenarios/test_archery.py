"""Archery pushes a ticket on its way: the right people are told at each step, and its SQL stays nowhere here."""

import json
from typing import Any

import pytest
from tests.events.sources.given_archery import SECRET_SQL, STATEMENT, finished, query, release
from tests.scenarios.stage import Answer, Stage, in_django

NODE_2 = {"current_audit": "2"}
PASSED = {"current_audit": "-1", "current_status": 1}
SET_UP = {
    "adapter": "archery",
    "rows": [],
    "options": {"url": "https://archery.example.com", "approvers": "1=bo; 2=dan"},
}


async def push(stage: Stage, payload: Any) -> Answer:
    return await stage.send(
        "POST", f"/api/v1/sources/archery?token={stage.token}", json.dumps(payload).encode(), token=""
    )


@pytest.fixture
async def archery(stage: Stage) -> Stage:
    secret = await in_django(lambda: stage.organisation.token("root"))
    answer = await stage.send("PUT", "/api/v1/sources/dms/mapping", SET_UP, token=secret)
    assert answer.status == 200, answer
    return stage


async def test_each_node_hears_of_its_turn_and_the_submitter_of_the_end(archery: Stage) -> None:
    story = [
        release(),
        release(audit_says=NODE_2),
        release(status="workflow_review_pass", audit_says=PASSED),
        finished(),
    ]
    for payload in story:
        answer = await push(archery, payload)
        assert answer.status == 202, answer
        assert answer.body["parked"] is None
    [first] = await archery.messages("bo")
    [second] = await archery.messages("dan")
    told = await archery.messages("ann", 2)
    assert first.payload["type"] == second.payload["type"] == "data_change.pending_approval"
    assert {each.payload["type"] for each in told} == {"data_change.approved", "data_change.successful"}
    assert first.payload["data"]["subject"]["url"] == "https://archery.example.com/workflow/57/"
    assert "update coupons" not in json.dumps([each.payload for each in (first, second, *told)])
    again = await push(archery, story[-1])
    assert again.body["events"][0]["duplicate"] is True
    await archery.settled("sent", "sent", "sent", "sent")
    await archery.ledger()


async def test_a_decision_repeated_is_a_duplicate_though_it_has_no_time(archery: Stage) -> None:
    approved = release(status="workflow_review_pass", audit_says=PASSED)
    answers = [await push(archery, approved) for _ in range(2)]
    assert [each.body["events"][0]["duplicate"] for each in answers] == [False, True]


async def test_a_ticket_with_much_sql_is_taken_and_more_is_refused(archery: Stage) -> None:
    long = STATEMENT | {"sql": SECRET_SQL * 20_000}
    answer = await push(archery, release(rows=(long,)))
    assert (answer.status, answer.body["parked"]) == (202, None)
    assert (await push(archery, release(rows=(STATEMENT | {"sql": "x" * 9_000_000},)))).status == 413


async def test_what_is_parked_holds_no_sql_and_no_connection(archery: Stage) -> None:
    paused = release(status="workflow_paused", audit_says=PASSED, rows=(STATEMENT | {"sql": SECRET_SQL * 20_000},))
    answer = await push(archery, paused)
    assert answer.body["parked"]["reason"] == "unmapped"
    [(body,)] = await archery.rows("SELECT body FROM events_parked")
    assert "update coupons" not in body
    assert "10.0.0.5" not in body
    assert len(body) < 3_000


async def test_what_cannot_be_read_and_is_large_is_refused(archery: Stage) -> None:
    answer = await push(archery, {"audit": 5, "more": "x" * 300_000})
    assert (answer.status, answer.body["code"]) == (413, "body_too_large")


async def test_a_permission_that_waits_tells_nobody_who_is_not_named(archery: Stage) -> None:
    answer = await push(archery, query(audit_says={"current_audit": "9"}))
    record = await archery.record(answer.body["events"][0]["id"])
    assert [skip["reason"] for skip in record["skips"]] == ["role_empty"]


async def test_both_ways_at_once_tell_once(archery: Stage) -> None:
    approved = release(status="workflow_review_pass", audit_says=PASSED)
    step = {"audit_user": "carol", "audit_time": "2026-11-23T18:20:00", "remark": "ok"}
    by_notifier = await push(archery, approved | {"tidings": {"event_type": "audit", "step": step}})
    by_webhook = await push(archery, approved)
    assert len(by_notifier.body["events"]) == 1
    assert (by_webhook.body["events"], by_webhook.body["ignored"], by_webhook.body["parked"]) == ([], True, None)
    await archery.messages("ann")
    await archery.settled("sent")
