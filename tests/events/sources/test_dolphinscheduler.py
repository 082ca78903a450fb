"""The HTTP alert plug-in of DolphinScheduler becomes events: contents as its code makes them, and as its own tests have them
(`FeiShuSenderTest`, `WebexTeamsSenderTest`), in the bodies of `HttpSender`."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from tests.events.sources.given import event_of, parked_of

from tidings.channels.check import check_values
from tidings.events.event import Event, PersonKey, read_event
from tidings.events.sources.contract import Known, Parked, Push
from tidings.events.sources.mapping import row_of
from tidings.events.sources.park import SetUp
from tidings.events.sources.registry import ADAPTERS
from tidings.kernel.problems import Problem

RECEIVED = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
DOLPHIN = ADAPTERS["dolphinscheduler"]
PARTS = DOLPHIN.mapping.parts
# `WorkflowAlertManager.getContentWorkflowInstance` of an instance that succeeded, and of one that failed.
SUCCEEDED = {
    "projectCode": 15279842313600,
    "projectName": "orders",
    "owner": "ann",
    "workflowInstanceId": 412,
    "workflowDefinitionCode": 15279845102208,
    "workflowInstanceName": "load-2024-20261123100000123",
    "commandType": "SCHEDULER",
    "workflowExecutionStatus": "SUCCESS",
    "modifyBy": "bo",
    "recovery": "NO",
    "runTimes": 1,
    "workflowStartTime": "2026-11-23 10:00:00",
    "workflowEndTime": "2026-11-23 10:00:04",
    "workflowHost": "10.0.0.7:5678",
}
FAILED = {
    "projectCode": 15279842313600,
    "projectName": "orders",
    "owner": "ann",
    "workflowInstanceId": 412,
    "workflowDefinitionCode": 15279845102208,
    "workflowInstanceName": "load-2024-20261123100000123",
    "modifyBy": "bo",
    "taskCode": 15279844009344,
    "taskName": "clean",
    "taskType": "SQL",
    "taskState": "FAILURE",
    "taskStartTime": "2026-11-23 10:00:01",
    "taskEndTime": "2026-11-23 10:00:02",
    "taskHost": "10.0.0.8:1234",
    "taskPriority": "medium",
    "logPath": "/opt/logs/20261123/1.log",
}
KILLED = FAILED | {"taskName": "publish", "taskState": "KILL", "taskEndTime": "2026-11-23 10:00:03"}
# Of `FeiShuSenderTest`, and of `WebexTeamsSenderTest`.
OLDEST = {
    "owner": "dolphinscheduler", "processEndTime": "2021-01-29 19:01:11", "processHost": "10.81.129.4:5678",
    "processId": 2926, "processName": "3-20210129190038108", "processStartTime": "2021-01-29 19:00:38",
    "processState": "SUCCESS", "processType": "START_PROCESS", "projectId": 2, "projectName": "testdelproject",
    "recovery": "NO", "retryTimes": 0, "runTimes": 1, "taskId": 0,
}  # fmt: skip
OLD_FAILURE = {
    "projectId": 90001, "projectName": "test-k8s", "owner": "test@cisco.com", "processId": 90019,
    "processDefinitionCode": 1111111, "processName": "test-name", "taskCode": 2222222, "taskName": "test",
    "taskType": "SQL", "taskState": "FAILURE", "taskStartTime": "2022-01-12 11:05:27",
    "taskEndTime": "2022-01-12 11:05:28", "taskHost": "dolphinscheduler-test", "logPath": "test.log",
}  # fmt: skip
# `AlertDao.sendWorkflowTimeoutAlert`, `sendTaskTimeoutAlert`, `sendServerStoppedAlert`;
# `WorkflowAlertManager.getWorkerToleranceContent`, `sendWorkflowBlockingAlert`, `getTaskAlterContent`,
# `getDataQualityAlterContent`.
WORKFLOW_TIMEOUT = SUCCEEDED | {
    "workflowExecutionStatus": "RUNNING_EXECUTION", "workflowEndTime": None, "event": "TIME_OUT", "warnLevel": "MIDDLE",
}  # fmt: skip
TASK_TIMEOUT = FAILED | {"taskState": None, "taskEndTime": None, "event": "TIME_OUT", "warnLevel": "MIDDLE"}
SERVER_DOWN = {"type": "WORKER", "host": "/nodes/worker/10.0.0.8", "event": "SERVER_DOWN", "warningLevel": "SERIOUS"}
TOLERANCE = {
    "workflowInstanceId": 412, "workflowDefinitionCode": 15279845102208, "workflowInstanceName": "test", "modifyBy": "bo",
    "taskCode": 1, "taskName": "test-task-1", "taskHost": "127.0.0.1", "taskPriority": "medium", "retryTimes": 3,
}  # fmt: skip
BLOCKED = SUCCEEDED | {"workflowExecutionStatus": "BLOCK"}
TASK = {
    "taskInstanceId": 7, "taskName": "clean", "taskType": "SQL", "processDefinitionId": 0, "processInstanceId": 412,
    "processInstanceName": "load-2024-20261123100000123", "state": "FAILURE", "startTime": "2026-11-23 10:00:01",
    "endTime": "2026-11-23 10:00:02", "host": "10.0.0.8:1234", "taskPriority": "medium", "logPath": "/opt/1.log",
}  # fmt: skip
QUALITY = {
    "processDefinitionId": 1, "processInstanceId": 412, "taskInstanceId": 7, "taskName": "check", "ruleType": 0,
    "ruleName": "null_check", "statisticsValue": 3.0, "comparisonValue": 0.0, "checkType": 0, "threshold": 0.0,
    "operator": 0, "failureStrategy": 0, "userId": 1, "state": 6,
}  # fmt: skip


def push(content: Any, **beside: Any) -> Push:
    """As `HttpSender` puts it into a body: the content is a text."""
    body = {"content": content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)} | beside
    return Push({"content-type": "application/json"}, json.dumps(body).encode(), RECEIVED)


def found(one: Push, **options: Any) -> Any:
    return DOLPHIN.read(one, Known(DOLPHIN.mapping, {**SetUp().known(DOLPHIN).options, **options}))


def read(*contents: dict[str, Any], **options: Any) -> Event:
    return event_of(found(push(list(contents)), **options))


def parked(one: Push) -> Parked:
    return parked_of(found(one))


# what it becomes


def test_a_workflow_that_succeeded() -> None:
    event = read(SUCCEEDED)
    assert event.type == "task_orchestration.tasks_run"
    assert (event.subject.kind, event.subject.id, event.subject.title) == ("task_flow", "412", "load-2024 (412)")
    assert event.time == datetime(2026, 11, 23, 10, 0, 4, tzinfo=UTC)
    assert (event.people.submitter, event.people.related) == ("ann", ["bo"])
    assert event.details == {
        "project": "orders", "run": "412", "run_name": "load-2024-20261123100000123", "run_times": "1",
        "started_by": "SCHEDULER", "state": "SUCCESS",
    }  # fmt: skip


def test_a_workflow_that_failed_is_one_event_though_each_of_its_tasks_has_a_content() -> None:
    event = read(FAILED, KILLED)
    assert event.type == "task_orchestration.tasks_failed"
    assert event.time == datetime(2026, 11, 23, 10, 0, 3, tzinfo=UTC)
    assert event.details["tasks"] == ["clean", "publish"]
    assert event.details["failed_tasks"] == ["clean"], "the other was killed"
    assert event.details["state"] == "FAILURE"


def test_workflows_of_one_alert_are_events_of_their_own() -> None:
    one, other = found(push([SUCCEEDED, SUCCEEDED | {"workflowInstanceId": 413}]))
    assert {one.details["run"], other.details["run"]} == {"412", "413"}


def test_the_names_of_older_versions_are_understood() -> None:
    event = read(OLDEST, timezone="Asia/Shanghai")
    assert (event.type, event.subject.id, event.subject.title) == ("task_orchestration.tasks_run", "2926", "3 (2926)")
    assert event.time == datetime(2021, 1, 29, 11, 1, 11, tzinfo=UTC)
    event = read(OLD_FAILURE)
    assert (event.type, event.subject.id, event.subject.title) == (
        "task_orchestration.tasks_failed", "90019", "test-name (90019)",
    )  # fmt: skip
    assert event.people.submitter == PersonKey(email="test@cisco.com")


@pytest.mark.parametrize(
    ("name", "field", "title"),
    [
        ("load-2024-20261123100000123", "workflowInstanceName", "load-2024"),
        ("load-3-20261123100000123", "processName", "load"),
        ("load-2024-3-20261123100000123", "processName", "load-2024"),
        ("load", "processName", "load"),
        ("load-20261123", "workflowInstanceName", "load-20261123"),
    ],
)
def test_the_title_is_the_name_of_the_workflow_and_the_number_of_the_run(name: str, field: str, title: str) -> None:
    assert read(SUCCEEDED | {"workflowInstanceName": None, field: name}).subject.title == f"{title} (412)"


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([SUCCEEDED]),
        json.dumps({"content": [SUCCEEDED]}),
        json.dumps({"content": SUCCEEDED}),
        json.dumps(SUCCEEDED),
        json.dumps({"content": json.dumps([SUCCEEDED], indent=2), "title": "x", "tenant": {"a": 1}}),
    ],
)
def test_however_the_body_is_set_up_it_is_the_same_event(body: str) -> None:
    [event] = found(Push({}, body.encode(), RECEIVED))
    assert event == read(SUCCEEDED)


@pytest.mark.parametrize(
    "content", [WORKFLOW_TIMEOUT, TASK_TIMEOUT, SERVER_DOWN, TOLERANCE, BLOCKED, TASK, QUALITY], ids=len
)
def test_other_alerts_are_nobodys_business_until_a_source_says_so(content: dict[str, Any]) -> None:
    assert found(push([content])) == found(push(content)) == []


@pytest.mark.parametrize(
    ("content", "alert", "tasks"),
    [
        (WORKFLOW_TIMEOUT, "workflow timeout", None),
        (TASK_TIMEOUT, "task timeout", ["clean"]),
        (TOLERANCE, "fault tolerance", ["test-task-1"]),
        (BLOCKED, "workflow", None),
        (TASK, "task", ["clean"]),
    ],
)
def test_a_source_may_want_to_hear_of_them(content: dict[str, Any], alert: str, tasks: Sequence[str] | None) -> None:
    own = row_of(PARTS, {"alert": [alert], "state": ["*"]}, "task_orchestration.tasks_failed")
    [event] = DOLPHIN.read(push([content]), Known(DOLPHIN.mapping.before([own])))  # type: ignore[misc]
    assert event.type == "task_orchestration.tasks_failed"
    assert event.details.get("tasks") == tasks


def test_a_project_may_be_something_else() -> None:
    own = row_of(PARTS, {"project": ["ord*"], "state": ["SUCCESS"]}, "data_warehouse_development.tasks_run")
    [event] = DOLPHIN.read(push([SUCCEEDED]), Known(DOLPHIN.mapping.before([own])))  # type: ignore[misc]
    assert event.type == "data_warehouse_development.tasks_run"


# what a source says of its system


def test_the_link_leads_to_the_run() -> None:
    event = read(SUCCEEDED, url="http://ds.example.com:12345/dolphinscheduler/ui/")
    assert event.subject.url == (
        "http://ds.example.com:12345/dolphinscheduler/ui/projects/15279842313600/workflow/instances/412?code=15279845102208"
    )
    assert read(OLDEST, url="http://ds.example.com").subject.url == ""


def test_times_are_in_the_zone_of_its_servers() -> None:
    assert read(SUCCEEDED, timezone="Asia/Shanghai").time == datetime(2026, 11, 23, 2, 0, 4, tzinfo=UTC)
    assert check_values(DOLPHIN.options, {"timezone": "Asia/Shanghai"}, {})["timezone"] == "Asia/Shanghai"
    for zone in ("Mars/Olympus", "../etc", "A" * 500):
        with pytest.raises(Problem, match="cannot be used"):
            check_values(DOLPHIN.options, {"timezone": zone}, {})


def test_who_last_changed_it_may_be_whom_it_concerns() -> None:
    people = read(SUCCEEDED, submitter="modify_by").people
    assert (people.submitter, people.related) == ("bo", ["ann"])
    people = read(SUCCEEDED | {"modifyBy": ""}, submitter="modify_by").people
    assert (people.submitter, people.related) == ("ann", [])


# identity


def test_the_same_alert_is_the_same_event_and_a_run_once_more_is_another() -> None:
    assert read(SUCCEEDED).id == read(SUCCEEDED).id
    assert read(FAILED, KILLED).id == read(FAILED, KILLED).id
    again = {
        read(SUCCEEDED).id,
        read(SUCCEEDED | {"runTimes": 2, "workflowEndTime": "2026-11-23 11:00:00"}).id,
        read(SUCCEEDED | {"workflowInstanceId": 413}).id,
        read(FAILED).id,
        read(FAILED | {"taskEndTime": "2026-11-23 11:00:00"}).id,
    }
    assert len(again) == 5


def test_an_event_passes_the_checks_that_every_event_passes() -> None:
    for event in (read(SUCCEEDED), read(FAILED, KILLED), read(OLDEST)):
        assert read_event(msgspec.json.encode(event), now=RECEIVED, source="ds").event.source == "ds"


# what is none


def test_of_a_workflow_that_was_stopped_nothing_is_said_and_nothing_told() -> None:
    # `getContentWorkflowInstance` makes an empty text of one that neither succeeded nor failed.
    assert found(push("")) == []


def test_a_failure_without_a_task_is_not_lost() -> None:
    assert parked(push("[]")).reason == parked(Push({}, b"[]", RECEIVED)).reason == "incomplete"


def test_the_test_of_an_alarm_instance_is_no_event() -> None:
    content = '[{"message":" This is a test alert message form DolphinScheduler"}]'
    assert parked(push(content)).reason == "test_message"


def test_a_state_nobody_knows_is_parked_with_its_words() -> None:
    reading = parked(push([SUCCEEDED | {"workflowExecutionStatus": "SUCESS"}]))
    assert reading.reason == "unmapped"
    assert reading.words == {"project": "orders", "alert": "workflow", "state": "SUCESS"}
    assert "nearest state known is 'SUCCESS'" in reading.detail


@pytest.mark.parametrize(
    "content", ['[{"name": "x", "amount": 5}]', "[[]]", "plain words", '{"a": [', "5", "${msg}", '[{"taskName": []}]']
)
def test_what_is_no_alert_is_parked(content: str) -> None:
    assert parked(push(content)).reason == "not_understood"


def test_what_tells_of_thousands_of_runs_at_once_is_no_alert() -> None:
    runs = [SUCCEEDED | {"workflowInstanceId": number} for number in range(101)]
    assert len(found(push(runs[:100]))) == 100
    assert "101 things at once" in parked(push(runs)).detail
