"""The custom webhook of Alibaba Cloud DMS becomes events; what nobody can read is parked, never guessed, never lost."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.events.sources.given_dms import ANN, BO, DAN, HOOK, RECEIVED, URL, body, message, push

from tidings.catalog.features import built_in
from tidings.channels.contract import Parcel
from tidings.channels.webhook.dms import letter
from tidings.events.event import Event, PersonKey, read_event
from tidings.events.sources.contract import Known, Parked, Push
from tidings.events.sources.mapping import row_of
from tidings.events.sources.registry import ADAPTERS
from tidings.kernel.problems import Problem
from tidings.messages.document import Document, Occasion, Reader

DMS = ADAPTERS["dms"]
PARTS = DMS.mapping.parts
ELEVEN = [feature for feature in built_in().features.values() if feature.code != "tidings"]


def read(one: Push | None = None, **changes: Any) -> Event:
    [event] = found(one, **changes)
    return event


def found(one: Push | None = None, **changes: Any) -> Any:
    return DMS.read(one or push(**changes), Known(DMS.mapping))


def parked(one: Push | None = None, **changes: Any) -> Parked:
    reading = found(one, **changes)
    assert isinstance(reading, Parked)
    return reading


# what it becomes


def test_the_sample_of_the_page_becomes_an_event() -> None:
    event = read(to=(ANN, BO))
    assert event.type == "data_change.successful"
    assert event.subject == msgspec.convert(
        {"kind": "ticket", "id": "88123", "title": "为订单表添加索引"}, type(event.subject)
    )
    assert event.time == datetime(2021, 7, 7, 3, 54, 9, 930_000, UTC)
    assert event.people.submitter == PersonKey(external_id=ANN)
    assert (event.people.approvers, event.people.related) == ([], [PersonKey(external_id=BO)])
    assert (event.source, event.resources, event.details) == ("", [], {})


EARLIER = {
    "Precheck failed": ("Tickets", "Data change"),
    "预检查失败": ("工单", "数据变更"),
}
"""The samples of earlier editions, https://www.alibabacloud.com/help/doc-detail/215486.htm and
https://helpcdn.aliyun.com/document_detail/215486.html, with a ticket."""


@pytest.mark.parametrize("said", EARLIER)
def test_a_push_as_earlier_editions_of_the_page_have_it_is_read_too(said: str) -> None:
    category, module = EARLIER[said]
    flat = {
        "submitterName": "xxx",
        "submitterUid": ANN,
        "category": category,
        "event": said,
        "message": "【DMS数据管理】尊敬的客户:xxx用户提交的工单-数据变更,预检查校验不通过,可前往工单内检查后重新提交,请确认!",
        "module": module,
        "receivers": [{"name": "xxx1", "uid": BO}, {"name": "xxx2", "uid": ANN}],
    }
    assert parked(Push(HOOK, json.dumps(flat).encode(), RECEIVED)).reason == "incomplete"
    event = read(Push(HOOK, json.dumps(flat | {"taskId": "88123"}).encode(), RECEIVED))
    assert (event.type, event.subject.id) == ("data_change.precheck_failed", "88123")
    assert (event.people.submitter, event.people.related) == (PersonKey(external_id=ANN), [PersonKey(external_id=BO)])


def test_it_is_answered_as_dms_documents_success() -> None:
    assert DMS.answer == {"root": "", "success": True}


def test_whoever_is_told_of_a_pending_approval_is_an_approver() -> None:
    event = read(event="待审批", to=(DAN, BO, BO))
    assert event.type == "data_change.pending_approval"
    assert event.people.approvers == [PersonKey(external_id=BO), PersonKey(external_id=DAN)]
    assert event.people.related == []


def test_people_are_known_by_their_uid_else_by_mobile_else_by_name() -> None:
    users = [{"uid": 5, "name": "x"}, {"uid": " ", "mobile": "13800138000"}, {"name": " bo "}, {"name": ""}, {}]
    event = read(targetUsers=users, submitterUid=None, submitterName="ann")
    assert event.people.submitter == "ann"
    assert set(event.people.related) == {PersonKey(external_id="5"), PersonKey(mobile="13800138000"), "bo"}
    assert read(submitterUid=None, submitterName=None, targetUsers=None).people.submitter is None


@pytest.mark.parametrize(
    ("said", "event_type"),
    [
        (("工单", "数据变更", "待审批"), "data_change.pending_approval"),
        (("Tickets", "Data Change", "Pending Approval"), "data_change.pending_approval"),
        (("ticket", "data change", "succeeded"), "data_change.successful"),
        (("Tickets", "data change", "success"), "data_change.successful"),
        (("工单", "权限申请", "待审批"), "permission_application.pending_approval"),
        (("工单", "结构设计", "执行失败"), "schema_design.failed"),
        (("工单", "数据导出", "执行成功"), "data_export.successful"),
        (("工单", "SQL审核", "审核通过"), "sql_review.passed"),
        (("任务编排", "anything", "执行失败"), "task_orchestration.tasks_failed"),
        (("Task Orchestration", "", "Failed"), "task_orchestration.tasks_failed"),
        (("数仓开发", "x", "执行成功"), "data_warehouse_development.tasks_run"),
    ],
)
def test_words_of_both_languages_are_understood(said: tuple[str, ...], event_type: str) -> None:
    event = read(**dict(zip(PARTS, said, strict=True)))
    assert event.type == event_type
    assert event.subject.kind == built_in().event_types[event_type].subject_kind


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_all_58_event_types_can_be_said_by_the_names_of_the_catalogue(language: str) -> None:
    types = [event_type for feature in ELEVEN for event_type in feature.event_types]
    assert len(types) == 58
    for event_type in types:
        category = {"task_orchestration": "任务编排", "data_warehouse_development": "数仓开发"}.get(
            event_type.feature, "工单"
        )
        words = (category, event_type.feature_labels[language], event_type.labels[language])
        assert read(**dict(zip(PARTS, words, strict=True))).type == event_type.code


def test_the_page_about_it_shows_the_whole_mapping() -> None:
    page = (Path(__file__).parents[3] / "docs" / "sources" / "dms.md").read_text("utf-8")
    for row in DMS.mapping.rows:
        categories, modules, events = row.said
        module = ", ".join(modules) or f"{categories[0]} (any)"
        assert f"| {module} | {', '.join(events)} | `{row.type}` |" in page


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_what_our_webhook_sends_as_dms_is_read_as_what_it_was(language: str) -> None:
    for event_type in (one for feature in ELEVEN for one in feature.event_types):
        occasion = Occasion(
            event_id="e",
            event_type=event_type.code,
            tone=event_type.tone,
            time=RECEIVED,
            subject_kind=event_type.subject_kind,
            subject_id="88123",
            title="Add index",
            submitter="Ann",
            submitter_uid=ANN,
            feature_labels=event_type.feature_labels,
            event_labels=event_type.labels,
        )
        reader = Reader("bo", "Bo", language, "UTC", (), BO)
        document = Document(occasion, reader, language, "h", (), "t", "w")
        sent, headers = letter(Parcel(UUID(int=1), document, {"url": URL, "secret": "key"}, {}, RECEIVED))
        arrived = Push(headers, sent, RECEIVED, (URL,))
        event = read(arrived)
        assert (event.type, event.subject.kind, event.subject.id) == (event_type.code, event_type.subject_kind, "88123")
        assert (event.time, event.people.submitter) == (RECEIVED, PersonKey(external_id=ANN))
        assert PersonKey(external_id=BO) in (*event.people.approvers, *event.people.related)
        assert DMS.signed(arrived, "key")


# the time


@pytest.mark.parametrize(
    ("said", "time"),
    [
        (1625630049930, datetime(2021, 7, 7, 3, 54, 9, 930_000, UTC)),
        ("1625630049930", datetime(2021, 7, 7, 3, 54, 9, 930_000, UTC)),
        (1625630049930.0, datetime(2021, 7, 7, 3, 54, 9, 930_000, UTC)),
        (1625630049, datetime(2021, 7, 7, 3, 54, 9, 0, UTC)),
        ("2021-07-07 11:54:09", datetime(2021, 7, 7, 3, 54, 9, 0, UTC)),
        ("2021-07-07T11:54:09+08:00", datetime(2021, 7, 7, 3, 54, 9, 0, UTC)),
        (None, RECEIVED),
        ("", RECEIVED),
        ("yesterday", RECEIVED),
        (-5, RECEIVED),
        ("9" * 40, RECEIVED),
        ("9" * 5000, RECEIVED),
        (1e300, RECEIVED),
        ("0001-01-01 00:00:00", RECEIVED),
    ],
)
def test_the_time_is_read_however_it_is_written(said: Any, time: datetime) -> None:
    assert read(eventTime=said).time == time


# identity


def test_the_same_push_is_the_same_event_and_another_change_is_another() -> None:
    first = read()
    assert read().id == first.id
    for change in (
        {"event": "执行失败"},
        {"eventTime": 1625630049931},
        {"taskId": "88124"},
        {"module": "数据导出"},
        {"to": (ANN, BO)},
        {"taskName": "another"},
        {"submitterUid": BO},
    ):
        assert read(**change).id != first.id


def test_what_differs_between_two_readers_of_one_change_makes_no_other_event() -> None:
    one = read(to=(BO, DAN), event="待审批", message="【DMS数据管理】请审批", receivers=[])
    other = read(
        to=(DAN, BO), event="Pending Approval", module="Data change", category="Tickets", message="[DMS] approve",
        receivers=[{"uid": BO, "name": "Bo"}],
    )  # fmt: skip
    assert one == other


def test_an_event_passes_the_checks_that_every_event_passes() -> None:
    incoming = read_event(msgspec.json.encode(read(to=(ANN, BO))), now=RECEIVED, source="dms-prod")
    assert incoming.event.source == "dms-prod"
    assert len(incoming.event.id) == 32


# what is parked


def test_words_nobody_knows_are_parked_with_what_to_do() -> None:
    reading = parked(event="已撤回")
    assert reading.reason == "unmapped"
    assert reading.words == {"category": "工单", "module": "数据变更", "event": "已撤回"}
    assert "event '已撤回'" in reading.detail
    assert parked(module="新功能").reason == parked(category="别的").reason == "unmapped"
    assert "nearest event known is 'Pending approval'" in parked(event="Pending approvals").detail


def test_a_row_of_the_source_says_what_was_meant_or_that_nobody_wants_to_know() -> None:
    one = push(event="已撤回")
    withdrawn = DMS.mapping.before([row_of(PARTS, {"event": ["已撤回"]}, "data_change.rejected")])
    [event] = DMS.read(one, Known(withdrawn))  # type: ignore[misc]
    assert event.type == "data_change.rejected"
    assert DMS.read(one, Known(DMS.mapping.before([row_of(PARTS, {"event": ["已撤回"]}, None)]))) == ()


def test_a_test_message_shows_its_code_and_is_no_event() -> None:
    reading = parked(taskId=None, taskName="Webhook test", message="【DMS数据管理】Webhook test, code: 144619 ")
    assert reading.reason == "test_message"
    assert "code: 144619" in reading.detail
    # A ticket may be called so.
    assert read(taskName="Webhook test").type == "data_change.successful"


@pytest.mark.parametrize("lost", ["taskId", "event"])
def test_what_an_event_cannot_do_without_is_missed(lost: str) -> None:
    for nothing in (None, "", "  "):
        reading = parked(**{lost: nothing})
        assert (reading.reason, lost in reading.detail) == ("incomplete", True)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{}", b"[]", b"null", b"nonsense", b'{"messageEvent": "x"}', b'{"messageEvent": null}', b"\xff\xfe", b"\0",
        b'{"messageEvent": {"targetUsers": {}}}', b'{"messageEvent": {"event": ["x"]}}', b"[" * 100_000,
        b'{"messageEvent": {"x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}}", b'{"messageEvent": {"event": "\\ud800"}}',
    ],
)  # fmt: skip
def test_what_is_not_what_dms_documents_is_parked(raw: bytes) -> None:
    assert parked(Push(HOOK, raw, RECEIVED)).reason in ("not_understood", "incomplete")


def test_another_hook_of_dms_is_parked_and_none_is_taken_for_this_one() -> None:
    assert parked(Push({"dms-event": "Audit Hook"}, body(), RECEIVED)).reason == "not_understood"
    assert read(Push({}, body(), RECEIVED)) == read()


def test_no_control_character_gets_into_what_is_shown() -> None:
    reading = parked(event="a\0b\x1b[31m\u202e", module="x" * 5000)
    assert all(word.isprintable() and len(word) <= 200 for word in reading.words.values())
    assert reading.detail.isprintable()


# the signature


def test_a_push_signed_with_the_secret_is_believed_and_no_other() -> None:
    signed = Push(HOOK, body("key"), RECEIVED, (URL, "http://other/"))
    assert DMS.signed(signed, "key")
    assert not DMS.signed(signed, "another key")
    for changed in (
        msgspec.structs.replace(signed, body=signed.body.replace(b"88123", b"88124")),
        msgspec.structs.replace(signed, body=body()),
        msgspec.structs.replace(signed, urls=("https://elsewhere/",)),
        msgspec.structs.replace(signed, urls=()),
        msgspec.structs.replace(signed, body=b'{"signatureText": ""}'),
        msgspec.structs.replace(signed, body=b"nonsense"),
    ):
        assert not DMS.signed(changed, "key")


@pytest.mark.parametrize("way", range(4))
@pytest.mark.parametrize("sort", [False, True])
def test_every_way_to_put_the_documented_parts_together_is_understood(way: int, sort: bool) -> None:
    import base64
    import hashlib
    import hmac

    event = message()
    written = json.dumps(event, ensure_ascii=False, separators=(",", ":"), sort_keys=sort).encode()
    content = (URL.encode() + written, written + URL.encode(), URL.encode() + b"\n" + written, written)[way]
    text = base64.b64encode(hmac.new(b"key", content, hashlib.sha1).digest()).decode()
    spaced = json.dumps({"messageEvent": event, "signatureMethod": "HMAC_SHA1", "signatureText": text}, indent=1)
    assert DMS.signed(Push(HOOK, spaced.encode(), RECEIVED, (URL,)), "key")


# whatever comes


_texts = st.one_of(
    st.none(), st.integers(), st.text(), st.sampled_from(["工单", "数据变更", "待审批", "执行成功", "88123"])
)
_users = st.one_of(
    st.none(), st.lists(st.dictionaries(st.sampled_from(["uid", "name", "mobile", "x"]), _texts), max_size=3)
)
_json = st.recursive(
    _texts | st.booleans() | st.floats(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)
_events = st.fixed_dictionaries(
    {},
    optional={
        "submitterUid": _texts, "submitterName": _texts, "category": _texts, "module": _texts, "event": _texts,
        "taskId": _texts, "taskName": _texts, "eventTime": _texts | st.floats(), "message": _texts, "targetUsers": _users,
        "receivers": _users, "new": _json,
    },
)  # fmt: skip


def check(raw: bytes) -> None:
    """Parked with a reason, or events that pass every check or are refused by one; never anything else."""
    one = Push(HOOK, raw, RECEIVED, (URL,))
    reading = DMS.read(one, Known(DMS.mapping))
    assert DMS.read(one, Known(DMS.mapping)) == reading
    assert not DMS.signed(one, "key")
    if isinstance(reading, Parked):
        assert reading.detail.isprintable()
        return
    for event in reading:
        try:
            read_event(msgspec.json.encode(event), now=RECEIVED, source="dms")
        except Problem as problem:
            assert problem.status in (413, 422)


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(raw: bytes) -> None:
    check(raw)


@given(_json)
def test_any_json_is_answered(value: Any) -> None:
    check(json.dumps(value).encode())
    check(json.dumps({"messageEvent": value}).encode())


@given(_events)
def test_any_message_event_is_answered(event: dict[str, Any]) -> None:
    check(json.dumps({"messageEvent": event, "signatureText": event.get("message")}, ensure_ascii=True).encode())
    check(json.dumps({"messageEvent": message() | event}).encode())


def test_the_zone_of_the_console_is_the_one_of_china() -> None:
    here = datetime(2021, 7, 7, 11, 54, 9, tzinfo=timezone(timedelta(hours=8)))
    assert read(eventTime="2021-07-07 11:54:09").time == here
