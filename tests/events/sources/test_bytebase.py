"""The custom webhook of Bytebase becomes events: as its code made it (`plugin/webhook/custom.go` with the titles of
`server/activity_manager.go` at 3233d6a, 2022, and of `component/webhook/manager.go` at 3.4.1, 2025), and as the pull request
16901 would have (25d34db)."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from tests.events.sources.given import event_of, parked_of

from tidings.catalog.features import built_in
from tidings.events.event import Event, PersonKey, read_event
from tidings.events.sources.contract import Known, Parked, Push
from tidings.events.sources.mapping import row_of
from tidings.events.sources.park import SetUp
from tidings.events.sources.registry import ADAPTERS

RECEIVED = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
BYTEBASE = ADAPTERS["bytebase"]
PARTS = BYTEBASE.mapping.parts
# A release of 2022, then one of 2025: a project has an id and a name, then a name and a title.
OLD = {
    "level": "ERROR", "activity_type": "bb.pipeline.task.status.update", "title": "Task failed - Update schema of orders",
    "description": "", "link": "https://bytebase.example.com/issue/add-index-on-orders-88123", "creator_id": 1,
    "creator_name": "Bytebase", "created_ts": 1668247200,
    "issue": {"id": 88123, "name": "Add index on orders", "status": "OPEN", "type": "bb.issue.database.schema.update",
              "description": "by VCS"},
    "project": {"id": 104, "name": "Orders"},
}  # fmt: skip
LATE = {
    "level": "INFO", "activity_type": "bb.issue.approval.notify", "title": "Issue approval needed", "description": "",
    "link": "https://bytebase.example.com/projects/orders/issues/add-index-on-orders-88123", "creator_id": 102,
    "creator_name": "Ann", "created_ts": 1739354400,
    "issue": {"id": 88123, "name": "Add index on orders", "status": "OPEN", "type": "bb.issue.database.general",
              "description": "please"},
    "project": {"name": "projects/orders", "title": "Orders"},
}  # fmt: skip
PULL_REQUEST = {
    "title": "Task run failed", "link": "https://bytebase.example.com/projects/orders/issues/add-index-on-orders-88123",
    "actor": "Bo (DBA) Li (bo@example.com)",
    "meta": {"Project Title": "Orders", "Project ID": "projects/orders", "Issue": "Add index on orders",
             "Issue Creator": "Ann (ann@example.com)", "Issue Description": "please", "Stage": "Prod", "Task": "alter orders",
             "Status": "FAILED", "Result Detail": "near \"select 1\""},
}  # fmt: skip
ANN, BO = PersonKey(email="ann@example.com"), PersonKey(email="bo@example.com")


def push(body: Any) -> Push:
    return Push({"content-type": "application/json"}, json.dumps(body).encode(), RECEIVED)


def found(body: Any, **options: Any) -> Any:
    return BYTEBASE.read(push(body), Known(BYTEBASE.mapping, {**SetUp().known(BYTEBASE).options, **options}))


def read(body: Any, **options: Any) -> Event:
    return event_of(found(body, **options))


def parked(body: Any) -> Parked:
    return parked_of(found(body))


# what it becomes


def test_a_task_that_failed_in_an_old_release() -> None:
    event = read(OLD, owner="ann")
    assert event.type == "data_change.failed"
    assert (event.subject.kind, event.subject.id, event.subject.title) == ("ticket", "88123", "Add index on orders")
    assert event.subject.url == "https://bytebase.example.com/issue/add-index-on-orders-88123"
    assert event.time == datetime(2022, 11, 12, 10, tzinfo=UTC)
    # The robot that ran it is nobody.
    assert (event.people.submitter, event.actor) == ("ann", None)
    assert event.details == {
        "project": "Orders", "issue_type": "bb.issue.database.schema.update", "issue_status": "OPEN",
    }  # fmt: skip


def test_an_approval_that_is_needed_in_a_late_release() -> None:
    event = read(LATE, approvers="bo, dan@example.com,", owner="eve")
    assert event.type == "data_change.pending_approval"
    assert event.people.approvers == ["bo", PersonKey(email="dan@example.com")]
    assert (event.people.submitter, event.actor) == ("eve", "Ann")
    assert event.details["project"] == "Orders"
    assert read(LATE).people.approvers == []
    assert read(LATE | {"title": "Issue approved"}, approvers="bo").people.approvers == []


def test_who_creates_an_issue_is_its_submitter() -> None:
    own = row_of(PARTS, {"title": ["Issue created*"]}, "data_change.pending_approval")
    body = LATE | {"title": "Issue created - Add index", "activity_type": "bb.issue.create"}
    [event] = BYTEBASE.read(push(body), Known(BYTEBASE.mapping.before([own])))  # type: ignore[misc]
    assert (event.people.submitter, event.actor) == (PersonKey(external_id="102"), "Ann")
    robot = body | {"creator_id": 1, "creator_name": "Bytebase"}
    [event] = BYTEBASE.read(push(robot), Known(BYTEBASE.mapping.before([own])))  # type: ignore[misc]
    assert (event.people.submitter, event.actor) == (None, None)


def test_what_the_pull_request_sends() -> None:
    event = read(PULL_REQUEST, owner="eve")
    assert event.type == "data_change.failed"
    assert (event.subject.id, event.subject.title) == ("88123", "Add index on orders")
    assert (event.people.submitter, event.actor, event.time) == (ANN, BO, RECEIVED)
    assert event.details == {"project": "Orders", "stage": "Prod", "task": "alter orders"}
    rollout = PULL_REQUEST | {
        "link": "https://bytebase.example.com/projects/orders/rollouts/7", "meta": {"Rollout": "Nightly"},
    }  # fmt: skip
    event = read(rollout)
    assert (event.subject.id, event.subject.title, event.people.submitter) == ("rollout-7", "Nightly", None)


@pytest.mark.parametrize(
    ("issue", "title", "event_type"),
    [
        ("bb.issue.database.general", "Issue approval needed", "data_change.pending_approval"),
        ("bb.issue.database.general", "Issue approval needed - Add index", "data_change.pending_approval"),
        ("bb.issue.database.general", "Issue approved", "data_change.approved"),
        ("bb.issue.database.schema.update", "Task approved - Update schema", "data_change.approved"),
        ("bb.issue.database.schema.update", "Stage tasks approved - Prod", "data_change.approved"),
        ("bb.issue.database.general", "Issue is waiting for rollout", "data_change.pending_scheduling"),
        (
            "bb.issue.database.general",
            "Issue is waiting for rollout (Prod) - Add index",
            "data_change.pending_scheduling",
        ),
        ("bb.issue.database.data.update", "Issue resolved - Add index", "data_change.successful"),
        ("bb.issue.database.general", "Task run failed", "data_change.failed"),
        ("bb.issue.database.general", "Task run failed - alter orders", "data_change.failed"),
        ("", "Issue sent back", "data_change.rejected"),
        ("", "工单待审批", "data_change.pending_approval"),
        ("", "工单被退回", "data_change.rejected"),
        ("", "发布失败", "data_change.failed"),
        ("", "Rollout completed", "data_change.successful"),
        ("bb.issue.grant.request", "Issue approval needed", "permission_application.pending_approval"),
        ("bb.issue.grant.request", "Issue approved", "permission_application.approved"),
        ("bb.issue.grant.request", "Issue resolved", None),
        ("bb.issue.database.data-export", "Issue approval needed", "data_export.pending_approval"),
        ("bb.issue.database.data-export", "Issue resolved", "data_export.successful"),
        ("bb.issue.database.data-export", "Task run failed", "data_export.failed"),
        ("bb.issue.database.general", "Issue created", None),
        ("bb.issue.database.general", "Issue canceled - Issue approved", None),
        ("bb.issue.database.general", "Comment created - Task run failed", None),
        ("bb.issue.database.general", "Task run completed", None),
        ("bb.issue.general", "Reassigned issue from Ann to Bo - x", None),
        ("bb.issue.database.general", "Changed issue name", None),
    ],
)
def test_the_title_says_what_happened_and_the_issue_to_what(issue: str, title: str, event_type: str | None) -> None:
    reading = found(LATE | {"title": title, "issue": {**LATE["issue"], "type": issue}})  # type: ignore[dict-item]
    if event_type is None:
        assert reading == ()
        return
    [event] = reading
    assert event.type == event_type
    assert event.subject.kind == built_in().event_types[event_type].subject_kind


def test_it_is_answered_as_it_wants_to_be() -> None:
    assert (BYTEBASE.status, BYTEBASE.answer) == (200, {"code": 0, "message": ""})


# identity


def test_the_same_push_is_the_same_event_and_another_moment_another() -> None:
    assert read(LATE).id == read(LATE).id
    others = ({"created_ts": 1739354401}, {"title": "Issue approved"}, {"issue": {**LATE["issue"], "id": 5}})  # type: ignore[dict-item]
    assert len({read(LATE).id, *(read(LATE | change).id for change in others)}) == 4


def test_an_event_passes_the_checks_that_every_event_passes() -> None:
    for body in (OLD, LATE, PULL_REQUEST):
        event = read(body, owner="ann", approvers="bo")
        assert read_event(msgspec.json.encode(event), now=RECEIVED, source="bb").event.source == "bb"


# links


@pytest.mark.parametrize(
    "page",
    [
        "https://www.bytebase.com/docs/get-started/install/external-url/issue/add-index-88123",
        "/projects/orders/issues/add-index-88123", "javascript:alert(1)", "https://x y/", "", None,
    ],
)  # fmt: skip
def test_a_link_that_leads_nowhere_is_none(page: str | None) -> None:
    event = read(LATE | {"link": page})
    assert (event.subject.url, event.subject.id) == ("", "88123")


@pytest.mark.parametrize(
    ("page", "key"),
    [
        ("https://b.example.com/issue/add-3-columns-101#activity7", "101"),
        ("https://b.example.com/projects/p/issues/x-102?stage=3", "102"),
        ("https://b.example.com/projects/p/issues/103", "103"),
    ],
)
def test_the_issue_is_known_by_its_link(page: str, key: str) -> None:
    assert read({"title": "Issue approved", "link": page}).subject.id == key


# what is none


def test_the_test_of_a_webhook_is_no_event() -> None:
    assert parked(LATE | {"title": 'Test webhook "Tidings"', "creator_id": 1}).reason == "test_message"


def test_a_title_nobody_knows_is_parked_with_its_words() -> None:
    reading = parked(LATE | {"title": "Issue escalated - x"})
    assert reading.reason == "unmapped"
    assert reading.words == {
        "project": "Orders", "issue": "bb.issue.database.general", "activity": "bb.issue.approval.notify",
        "title": "Issue escalated - x",
    }  # fmt: skip


@pytest.mark.parametrize(
    "body", [{}, {"title": " "}, {"title": "Issue approved"}, {"title": "Issue approved", "link": "https://b/x"}]
)
def test_what_names_nothing_is_incomplete(body: dict[str, Any]) -> None:
    assert parked(body).reason == "incomplete"


@pytest.mark.parametrize("body", [[], None, {"title": {}}, {"issue": []}, {"meta": {"a": {}}}])
def test_what_is_no_webhook_of_bytebase_is_parked(body: Any) -> None:
    assert parked(body).reason == "not_understood"
