"""The messages of DataWorks OpenEvent, as EventBridge sends them, become events. The samples are those of its page "Event list
and message format", the masked digits of their ids made up."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from tests.events.sources.given import event_of, parked_of

from tidings.channels.check import check_values
from tidings.events.event import Event, PersonKey, Resource, read_event
from tidings.events.sources.contract import Known, Parked, Push
from tidings.events.sources.mapping import row_of
from tidings.events.sources.park import SetUp
from tidings.events.sources.registry import ADAPTERS
from tidings.kernel.problems import Problem

RECEIVED = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
DATAWORKS = ADAPTERS["dataworks"]
PARTS = DATAWORKS.mapping.parts
INSTANCE = "dataworks:InstanceStatusChanges:InstanceStatusChanges"
DAG = "dataworks:DagStatusChanges:DagStatusChanges"
ASKED = "dataworks:ApprovalChange:ApprovalChangeCreated"
OPERATOR = "1107550004253538"
STATUS = {
    "beginWaitTimeTime": 1652700576000, "dagId": 446555330, "dagType": 0, "eventCode": "instance-status-changes",
    "taskType": 0, "modifyTime": 1652700577000, "createTime": 1652543233000, "appId": 307302,
    "tenantId": 235454000432001, "opCode": 31, "flowId": 1, "nodeId": 1002698219, "beginWaitResTime": 1652700577000,
    "taskId": 4532688169, "status": 6, "finishTime": 1652700600000,
}  # fmt: skip
WORKFLOW = {
    "bizDate": "2022-11-07 00:00:00", "createTime": "2022-11-08 10:56:32", "dagId": 500358972116,
    "dagName": "P_test_spark_true_copy_20221108_105631", "eventCode": "dag-status-changes", "dagType": 3, "flowId": 1,
    "flowName": "ATCLOUD_FLOW", "operator": OPERATOR, "projectEnv": "PROD", "projectId": 25263, "status": 6,
    "tenantId": 52736,
}  # fmt: skip
APPROVAL = {
    "appId": 194209, "assignee": "286098539641742899", "assigneeName": "yupeng.sunyp", "createTime": 1652094363000,
    "eventType": "approval",
    "process": {
        "applicant": OPERATOR, "applicantName": "ann",
        "approvalContent": {
            "applyReason": "Test", "projectEnv": "1", "resourceSummary": "loghub_070103", "workspaceId": 194209,
            "arrayData": [{
                "objectType": "TABLE", "odpsTable": "loghub_070103", "odpsProject": "B_MC1", "projectId": 90004,
                "actions": ["Select", "Describe"],
            }],
        },
        "assignmentCategory": "MaxCompute", "createTime": 1652094363000, "processId": "528535869984706",
        "status": "Pending", "title": "MaxComputeTable", "updateTime": 1652094363000,
    },
    "processId": "528535869984706", "status": "Submit", "eventCode": "approval-change-created",
    "taskId": "528535870015424", "tenantId": 28656, "updateTime": 1652094364000,
}  # fmt: skip


def cloud_event(data: Any, kind: str, **changes: Any) -> dict[str, Any]:
    event = {
        "datacontenttype": "application/json;charset=utf-8", "data": data, "id": "539fd8f4-4ea1-4625-aa8b-6c9066740001",
        "source": "acs.dataworks", "specversion": "1.0", "subject": "", "time": "2020-11-19T21:04:41+08:00", "type": kind,
        "aliyunaccountid": "1234567890980001", "aliyunpublishtime": "2020-11-19T21:04:42.179PRC",
        "aliyuneventbusname": "default", "aliyunregionid": "cn-hangzhou", "aliyunpublishaddr": "172.25.0.1",
    } | changes  # fmt: skip
    return {name: value for name, value in event.items() if value is not None}


def push(data: Any, kind: str, **changes: Any) -> Push:
    body = json.dumps(cloud_event(data, kind, **changes)).encode()
    return Push({"content-type": "application/cloudevents+json"}, body, RECEIVED)


def found(one: Push, **options: Any) -> Any:
    return DATAWORKS.read(one, Known(DATAWORKS.mapping, {**SetUp().known(DATAWORKS).options, **options}))


def read(data: Any, kind: str, changes: dict[str, Any] | None = None, **options: Any) -> Event:
    return event_of(found(push(data, kind, **(changes or {})), **options))


def parked(one: Push) -> Parked:
    return parked_of(found(one))


# what it becomes


def test_an_instance_that_succeeded() -> None:
    event = read(STATUS, INSTANCE, owner="ann")
    assert event.type == "data_warehouse_development.tasks_run"
    assert event.id == "539fd8f4-4ea1-4625-aa8b-6c9066740001"
    assert (event.subject.kind, event.subject.id, event.subject.title) == ("task_flow", "4532688169", "1002698219")
    assert event.time == datetime(2022, 5, 16, 11, 30, tzinfo=UTC)
    assert event.people.submitter == "ann"
    assert event.details == {"workspace": "307302", "instance": "4532688169"}


def test_an_instance_that_failed() -> None:
    event = read(STATUS | {"status": 5, "finishTime": None}, INSTANCE)
    assert event.type == "data_warehouse_development.tasks_failed"
    assert event.time == datetime(2022, 5, 16, 11, 29, 37, tzinfo=UTC)
    assert event.people.submitter is None
    assert read(STATUS, INSTANCE, owner="ann@example.com").people.submitter == PersonKey(email="ann@example.com")


def test_a_workflow_names_whoever_triggered_it() -> None:
    event = read(WORKFLOW, DAG, owner="bo")
    assert event.type == "data_warehouse_development.tasks_run"
    assert (event.subject.id, event.subject.title) == ("500358972116", "P_test_spark_true_copy_20221108_105631")
    assert event.people.submitter == PersonKey(external_id=OPERATOR)
    assert event.details == {
        "workspace": "25263", "environment": "prod", "flow": "ATCLOUD_FLOW", "business_date": "2022-11-07 00:00:00",
    }  # fmt: skip


def test_a_permission_that_is_asked_for_names_who_is_to_decide_and_the_tables() -> None:
    event = read(APPROVAL, ASKED)
    assert event.type == "permission_application.pending_approval"
    assert (event.subject.kind, event.subject.id, event.subject.title) == (
        "ticket", "528535869984706", "MaxComputeTable",
    )  # fmt: skip
    assert event.people.submitter == PersonKey(external_id=OPERATOR)
    assert event.people.approvers == [PersonKey(external_id="286098539641742899")]
    assert event.resources == [Resource("B_MC1", "B_MC1", "loghub_070103")]
    assert "instance" not in event.details


@pytest.mark.parametrize("status", [1, 2, 3, 4, 7, 8, "3"])
def test_what_only_moves_on_is_nobodys_business(status: int | str) -> None:
    assert found(push(STATUS | {"status": status}, INSTANCE)) == ()


@pytest.mark.parametrize("task", [3, 4, 5, 6, 7])
def test_a_dry_run_has_run_nothing(task: int) -> None:
    assert found(push(STATUS | {"taskType": task}, INSTANCE)) == ()
    assert read(STATUS | {"taskType": task, "status": 5}, INSTANCE).type.endswith(".tasks_failed")


def test_numbers_may_be_words() -> None:
    words = {name: str(value) if isinstance(value, int) else value for name, value in STATUS.items()}
    assert read(words, INSTANCE) == read(STATUS, INSTANCE)


def test_the_older_envelope_is_understood() -> None:
    body = {"messageBody": STATUS, "messageId": "d62427a0-eb1d-4ec6-926e-8665068f7cbc", "blockBusiness": False}
    [one] = found(Push({}, json.dumps(body).encode(), RECEIVED))
    assert (one.id, one.type) == ("d62427a0-eb1d-4ec6-926e-8665068f7cbc", "data_warehouse_development.tasks_run")
    older = {name: value for name, value in STATUS.items() if name != "eventCode"}
    body |= {"messageBody": older, "eventCategoryType": "instance-status-change"}
    [other] = found(Push({}, json.dumps(body).encode(), RECEIVED))
    assert other == one


# the time


@pytest.mark.parametrize(
    ("time", "published", "read_as"),
    [
        ("2020-11-19T21:04:41+08:00", "2020-11-19T21:04:42.179PRC", datetime(2020, 11, 19, 13, 4, 41, tzinfo=UTC)),
        # As the page has it: local, and yet with a Z.
        ("2023-12-11T10:10:00.117Z", "2023-12-11T02:10:00.194Z", datetime(2023, 12, 11, 2, 10, 0, 117_000, UTC)),
        ("2023-12-11T02:10:00.117Z", "2023-12-11T02:10:00.194Z", datetime(2023, 12, 11, 2, 10, 0, 117_000, UTC)),
        ("2023-12-11T02:10:00.117Z", None, datetime(2023, 12, 11, 2, 10, 0, 117_000, UTC)),
        ("2023-12-11T02:10:00.117Z", "nonsense", datetime(2023, 12, 11, 2, 10, 0, 117_000, UTC)),
        (None, "2023-12-11T02:10:00.194Z", None),
        ("nonsense", "2020-11-19T21:04:42.179PRC", None),
    ],
)
def test_the_time_of_a_message_is_read_as_it_was_meant(time: Any, published: Any, read_as: datetime | None) -> None:
    assert read(WORKFLOW, DAG, {"time": time, "aliyunpublishtime": published}).time == read_as


# identity


def test_a_message_that_comes_twice_is_one_event_though_it_was_published_anew() -> None:
    again = read(
        STATUS, INSTANCE, {"aliyunpublishtime": "2020-11-19T21:05:42.179PRC", "aliyunpublishaddr": "172.25.0.2"}
    )
    assert again == read(STATUS, INSTANCE)


def test_a_message_without_an_id_is_known_by_what_it_says() -> None:
    one = read(STATUS, INSTANCE, {"id": None})
    assert len(one.id) == 32
    assert read(STATUS, INSTANCE, {"id": None}).id == one.id
    assert read(STATUS | {"taskId": 1}, INSTANCE, {"id": None}).id != one.id


def test_an_event_passes_the_checks_that_every_event_passes() -> None:
    link = "https://dw.example.com/{region}/{workspace}?i={instance}"
    for data, kind in ((STATUS, INSTANCE), (WORKFLOW, DAG), (APPROVAL, ASKED)):
        event = read(data, kind, owner="ann", link=link)
        assert read_event(msgspec.json.encode(event), now=RECEIVED, source="dw").event.source == "dw"


# what a source says of its system


def test_the_link_is_made_of_what_the_message_has() -> None:
    link = "https://dw.example.com/{region}/{workspace}?instance={instance}"
    assert (
        read(STATUS, INSTANCE, link=link).subject.url == "https://dw.example.com/cn-hangzhou/307302?instance=4532688169"
    )
    assert read(WORKFLOW, DAG, link=link).subject.url == ""
    assert (
        read(WORKFLOW, DAG, link="https://dw.example.com/{workflow}").subject.url
        == "https://dw.example.com/500358972116"
    )
    assert read(STATUS, INSTANCE, {"aliyunregionid": "@evil"}, link="https://{region}/x").subject.url == ""
    assert read(STATUS | {"taskId": "a/b?c"}, INSTANCE, link=link).subject.url.endswith("?instance=a%2Fb%3Fc")


@pytest.mark.parametrize(
    "link",
    [
        "dw.example.com", "javascript:alert(1)", "https://dw.example.com/{project}", "https://dw.example.com/{", "https:// x/",
        'https://x/"', "https://x/\u202e", "https://ann@x/", "{region}",
    ],
)  # fmt: skip
def test_a_link_that_is_none_is_refused_when_it_is_set(link: str) -> None:
    with pytest.raises(Problem, match="cannot be used"):
        check_values(DATAWORKS.options, {"link": link}, {})


# what is none


@pytest.mark.parametrize(
    "kind", ["dataworks:NodeChange:NodeChangeCreated", "oss:ObjectCreated:PutObject", "com.example.x"]
)
def test_another_event_is_parked_with_its_words_until_a_source_says_what_it_means(kind: str) -> None:
    one = push({"nodeName": "load", "nodeId": 70003, "projectId": 94, "ownerId": OPERATOR, "operator": OPERATOR}, kind)
    reading = parked(one)
    assert reading.reason == "unmapped"
    assert reading.words == {"event": kind, "workspace": "94", "dag": "", "task": "", "status": ""}
    own = [row_of(PARTS, {"event": [kind], "status": ["*"]}, "data_warehouse_development.tasks_run")]
    [event] = DATAWORKS.read(one, Known(DATAWORKS.mapping.before(own)))  # type: ignore[misc]
    assert (event.subject.id, event.subject.title) == ("70003", "load")
    assert DATAWORKS.read(one, Known(DATAWORKS.mapping.before([row_of(PARTS, {"event": [kind]}, None)]))) == ()


def test_how_an_approval_ended_is_not_guessed() -> None:
    kind = "dataworks:ApprovalChange:ApprovalChangeFinished"
    reading = parked(push({**APPROVAL, "status": "Agree", "eventCode": "approval-change-finished"}, kind))
    assert (reading.reason, reading.words["status"]) == ("unmapped", "Agree")


def test_what_names_nothing_is_incomplete() -> None:
    assert parked(push({"status": 6, "dagId": " "}, INSTANCE)).reason == "incomplete"


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{}", b'{"data": "x"}', b'{"data": []}', b'{"data": {"status": []}}', b'{"data": null}', b"\xff"],
)
def test_what_is_no_message_is_parked(raw: bytes) -> None:
    assert parked(Push({}, raw, RECEIVED)).reason == "not_understood"


# the token


def test_only_the_token_that_was_agreed_on_is_believed() -> None:
    one = push(STATUS, INSTANCE)
    for token, believed in (("a long one", True), ("a long one ", False), ("", False), ("é", False)):
        signed = msgspec.structs.replace(one, headers={"x-eventbridge-signature-token": token})
        assert DATAWORKS.signed(signed, "a long one") is believed
    assert not DATAWORKS.signed(one, "a long one")
    for secret in ("señal", "密钥"):
        as_http_gives_it = {"x-eventbridge-signature-token": secret.encode().decode("latin-1")}
        assert DATAWORKS.signed(msgspec.structs.replace(one, headers=as_http_gives_it), secret)
