"""Archery's generic webhook becomes events, though it does not say what happened and names no approvers; and no SQL, no
literal and no connection stays here."""

import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.events.sources.given import event_of, parked_of
from tests.events.sources.given_archery import (
    RECEIVED,
    SECRET_SQL,
    STATEMENT,
    archive,
    audit,
    finished,
    push,
    query,
    release,
)

from tidings.catalog.features import built_in
from tidings.channels.contract import InvalidField
from tidings.events.event import Event, Resource
from tidings.events.sources.archery.adapter import checked_groups
from tidings.events.sources.contract import Known, Parked, Push
from tidings.events.sources.registry import ADAPTERS

ARCHERY = ADAPTERS["archery"]
SECRET = "whsec_" + b64encode(b"k" * 32).decode()
NODE_2 = {"current_audit": "2"}
PASSED = {"current_audit": "-1", "current_status": 1}


def found(payload: Any, **options: str) -> Any:
    return ARCHERY.read(push(payload), Known(ARCHERY.mapping, options))


def read(payload: Any, **options: str) -> Event:
    return event_of(found(payload, **options))


def parked(payload: Any) -> Parked:
    return parked_of(found(payload))


# what it becomes


def test_a_release_that_waits_is_a_data_change_that_waits_for_approval() -> None:
    event = read(release(), url="https://archery.example.com/", approvers="1=dan, bo; 2=carol")
    assert event.type == "data_change.pending_approval"
    assert (event.subject.kind, event.subject.id, event.subject.title) == ("ticket", "57", "补发 11 月优惠券")
    assert event.subject.url == "https://archery.example.com/workflow/57/"
    assert event.time == datetime(2026, 11, 23, 10, 0, 4, 339504, UTC)
    assert event.people.submitter == "ann"
    assert event.people.approvers == ["dan", "bo"]
    assert event.resources == [Resource("rm-orders", "orders")]
    assert event.details == {"group": "orders team", "statements": 1, "affected_rows": 120}


@pytest.mark.parametrize(
    ("payload", "event_type"),
    [
        (release(), "data_change.pending_approval"),
        (release(audit_says=NODE_2), "data_change.pending_approval"),
        (release(status="workflow_review_pass", audit_says=PASSED), "data_change.approved"),
        (release(status="workflow_queuing", audit_says=PASSED), "data_change.approved"),
        (release(status="workflow_executing", audit_says=PASSED), "data_change.approved"),
        (release(status="workflow_timingtask", audit_says=PASSED), "data_change.pending_scheduling"),
        (finished(), "data_change.successful"),
        (finished("workflow_exception"), "data_change.failed"),
        (release(status="workflow_abort", audit_says={"current_status": 2}), "data_change.rejected"),
        (release(status="workflow_autoreviewwrong", audit_says={"current_status": 2}), "data_change.precheck_failed"),
        (release(is_offline_export=1, syntax_type=3), "data_export.pending_approval"),
        (release(syntax_type=3), "data_export.pending_approval"),
        (finished(is_offline_export=1, syntax_type=3), "data_export.successful"),
        (finished("workflow_exception", syntax_type=3), "data_export.failed"),
        (query(), "permission_application.pending_approval"),
        (query(status=1, audit_says=PASSED), "permission_application.approved"),
        (query(status=2, audit_says={"current_status": 2}), "permission_application.rejected"),
        (archive(), "data_change.pending_approval"),
        (archive(status=1, audit_says=PASSED), "data_change.approved"),
        (archive(status=2, audit_says={"current_status": 2}), "data_change.rejected"),
    ],
)
def test_how_things_stand_says_what_happened(payload: Any, event_type: str) -> None:
    event = read(payload)
    assert event.type == event_type
    assert event.people.submitter == "ann"
    assert built_in().event_types[event_type].subject_kind == event.subject.kind


@pytest.mark.parametrize(
    "payload",
    [
        release(status="workflow_review_pass"),  # decided before the push was made: that is a push of its own
        release(status="workflow_abort"),
        release(status="workflow_abort", audit_says=PASSED),
        query(status=1),
        archive(status=3),
        release(status="workflow_abort", audit_says={"current_status": 3}),
        query(status=3, audit_says={"current_status": 3}),
        archive(status=3, audit_says={"current_status": 3}),
    ],
)
def test_nobody_is_asked_for_what_is_decided_and_a_withdrawal_tells_nobody(payload: Any) -> None:
    assert found(payload) == ()


def test_a_permission_says_until_when_and_for_how_many_rows() -> None:
    assert read(query()).details == {"group": "orders team", "valid_until": "2026-12-31", "row_limit": 100}


def test_resources_are_those_that_the_payload_names() -> None:
    assert read(query()).resources == []  # Archery sends no instance with it
    named = {"instance": {"instance_name": "rm-orders"}}
    assert read(query() | named).resources == [
        Resource("rm-orders", "orders", "orders"),
        Resource("rm-orders", "orders", "refunds"),
    ]
    assert read(query(db_list="a,b", table_list="", priv_type=1) | named).resources == [
        Resource("rm-orders", "a"),
        Resource("rm-orders", "b"),
    ]
    moved = archive(dest_db_name="old", dest_table_name="orders_2024") | named
    assert read(moved | {"dest_instance": {"instance_name": "rm-cold"}}).resources == [
        Resource("rm-orders", "orders", "orders"),
        Resource("rm-cold", "old", "orders_2024"),
    ]
    assert len(read(query(table_list=",".join(f"t{n}" for n in range(500))) | named).resources) == 100


def test_many_databases_of_many_tables_are_not_all_written_out_before_a_hundred_are_taken() -> None:
    many = ",".join(map(str, range(30_000)))
    asked = query(db_list=many, table_list=many) | {"instance": {"instance_name": "rm-orders"}}
    assert len(read(asked).resources) == 100


def test_a_failure_says_how_many_statements_failed_and_nothing_of_what_they_were() -> None:
    wrong = STATEMENT | {"errlevel": 2, "errormessage": "Duplicate entry 'bob@example.com' for key", "affected_rows": 0}
    event = read(finished("workflow_exception", done=(STATEMENT, wrong, wrong)))
    assert event.details == {
        "group": "orders team", "statements": 3, "failed_statements": 2, "affected_rows": 120,
    }  # fmt: skip


def test_rows_are_counted_of_what_changes_rows_and_only_where_all_are_known() -> None:
    assert "affected_rows" not in read(release(syntax_type=1)).details
    assert "affected_rows" not in read(release(rows=(STATEMENT, STATEMENT | {"affected_rows": "many"}))).details
    assert read(release(rows=(STATEMENT, STATEMENT | {"affected_rows": "7"}))).details["affected_rows"] == 127
    broken = finished()
    broken["workflow_content"]["execute_result"] = "{TypeError('x')}"  # as Archery writes a failure of its own
    assert read(broken).details == {"group": "orders team"}


# the time


def test_times_are_those_of_the_zone_that_the_source_names() -> None:
    assert read(finished()).time == datetime(2026, 11, 23, 10, 30, 0, 416324, UTC)
    assert read(finished(), timezone="UTC").time == datetime(2026, 11, 23, 18, 30, 0, 416324, UTC)
    assert read(release(), timezone="UTC").time == datetime(2026, 11, 23, 18, 0, 4, 339504, UTC)
    for said, hour in (("UTC", 18), ("Asia/Shanghai", 10), ("../etc/passwd", 10), ("nowhere", 10)):
        assert read(finished() | {"tidings": {"timezone": said}}).time == datetime(
            2026, 11, 23, hour, 30, 0, 416324, UTC
        )


def test_a_decision_has_no_time_in_the_payload_so_it_is_when_it_arrived() -> None:
    assert read(release(audit_says=NODE_2)).time is None
    assert read(release(status="workflow_review_pass", audit_says=PASSED)).time is None
    assert read(query(status=2, audit_says={"current_status": 2})).time is None
    unasked = {"audit_auth_groups": "", **PASSED}
    assert read(release(status="workflow_review_pass", audit_says=unasked)).time is not None


# identity


def test_a_push_repeated_is_the_same_event_and_every_change_is_another() -> None:
    story = [
        release(), release(audit_says=NODE_2), release(status="workflow_review_pass", audit_says=PASSED), finished(),
        finished("workflow_exception"), release(status="workflow_abort", audit_says={"current_status": 2}), query(),
        archive(), release(audit_says={"audit_id": 60}), release(audit_says={"create_time": "2025-01-01T00:00:00"}),
    ]  # fmt: skip
    assert [read(each) for each in story] == [read(each) for each in story]
    assert len({read(each).id for each in story}) == len(story)


def test_an_approval_that_execution_overtook_is_the_same_as_its_end() -> None:
    """Archery reads the ticket when the push of its approval is made; it may have ended by then. Its end is pushed too."""
    assert read(finished()) == read(finished())
    queued = release(status="workflow_queuing", audit_says=PASSED)
    assert read(queued).id == read(release(status="workflow_review_pass", audit_says=PASSED)).id


# what our notifier adds


def test_the_notifier_names_the_event_the_people_and_the_time() -> None:
    step = {"audit_user": "bo", "audit_time": "2026-11-23T18:20:00", "remark": "looks good"}
    more = {"event_type": "audit", "approvers": ["carol", "carl", " "], "approval_node": "DBA", "step": step}
    event = read(release(audit_says=NODE_2) | {"tidings": more}, approvers="2=mallory")
    assert event.people.approvers == ["carl", "carol"]
    assert (event.actor, event.time) == ("bo", datetime(2026, 11, 23, 10, 20, tzinfo=UTC))
    assert (event.details["approval_node"], event.details["comment"]) == ("DBA", "looks good")


def test_an_approval_is_one_for_the_notifier_whatever_the_ticket_has_become() -> None:
    step = {"audit_user": "carol", "audit_time": "2026-11-23T18:20:00", "remark": ""}
    event = read(finished() | {"tidings": {"event_type": "audit", "step": step}})
    assert (event.type, event.time) == ("data_change.approved", datetime(2026, 11, 23, 10, 20, tzinfo=UTC))
    done = read(finished() | {"tidings": {"event_type": "execute"}})
    assert (done.type, done.time) == ("data_change.successful", datetime(2026, 11, 23, 10, 30, 0, 416324, UTC))
    assert done.id == read(finished()).id


# options


@pytest.mark.parametrize(
    "written", ["1=bo", " 1 = bo , dan ;2=carol; ", "12=a b", "orders team/1=bo; 1=dan", "a/b/1=c"]
)
def test_approvers_are_written_by_group(written: str) -> None:
    assert checked_groups(written) == written


def test_who_approves_may_depend_on_the_resource_group() -> None:
    listed = "orders team / 1=bo; 1=dan; 2=carol"
    assert read(release(), approvers=listed).people.approvers == ["bo"]
    assert read(release(audit_says={"group_name": "others"}), approvers=listed).people.approvers == ["dan"]
    assert read(release(audit_says=NODE_2), approvers=listed).people.approvers == ["carol"]
    assert read(release(audit_says={"current_audit": "9"}), approvers=listed).people.approvers == []


@pytest.mark.parametrize("written", ["bo", "1=", "=bo", "1=bo=dan", "DBA=bo", "1=,;", "1:bo", "/1=bo", "a/=bo"])
def test_what_is_not_written_so_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(InvalidField, match="1=bo,dan; orders team/2=carol"):
        checked_groups(written)


# what is parked


def test_words_nobody_knows_are_parked_with_what_to_do() -> None:
    reading = parked(release(status="workflow_paused", audit_says=PASSED))
    assert reading.reason == "unmapped"
    assert reading.words == {"kind": "release", "audit": "passed", "status": "workflow_paused"}
    assert parked(release(audit_says={"workflow_type": 4})).words["kind"] == "4"
    assert parked(query(audit_says={"current_status": 9})).words["audit"] == "9"


@pytest.mark.parametrize("lost", ["audit_id", "workflow_type", "current_status"])
def test_what_an_event_cannot_do_without_is_missed(lost: str) -> None:
    reading = parked(release(audit_says={lost: None}))
    assert (reading.reason, lost in reading.detail) == ("incomplete", True)


@pytest.mark.parametrize("payload", [{}, [], None, "x", {"audit": 5}, {"audit": {}, "workflow_content": []}])
def test_what_is_not_what_archery_sends_is_parked(payload: Any) -> None:
    assert parked(payload).reason in ("not_understood", "incomplete")


@pytest.mark.parametrize("payload", [release(), finished(), query(), archive()])
def test_what_is_parked_holds_no_sql_no_literal_and_no_connection_and_reads_as_before(payload: Any) -> None:
    before = push(payload)
    kept = ARCHERY.parked_body(before.body)
    for secret in (b"update coupons", b"bob@example.com", b"10.0.0.5", b'"user": "archery"', b"3306"):
        assert secret not in kept
    again = Push(before.headers, kept, RECEIVED)
    assert ARCHERY.read(again, Known(ARCHERY.mapping)) == ARCHERY.read(before, Known(ARCHERY.mapping))
    assert ARCHERY.parked_body(kept) == kept


@pytest.mark.parametrize("raw", [b"", b"nonsense", b"[1]", b"\xff", b'{"workflow_content": 5, "instance": null}'])
def test_what_cannot_be_opened_is_kept_as_it_is(raw: bytes) -> None:
    assert ARCHERY.parked_body(raw).replace(b" ", b"") == raw.replace(b" ", b"")


def test_odd_members_do_not_let_sql_through() -> None:
    payload = release()
    payload["workflow_content"] |= {"review_content": {"sql": SECRET_SQL}, "execute_result": SECRET_SQL}
    payload |= {"instance": None, "audit": audit()}
    assert b"update coupons" not in ARCHERY.parked_body(push(payload).body)


# the signature


def signed(payload: Any, secret: str = SECRET, *, at: datetime = RECEIVED, key: bytes = b"k" * 32) -> Push:
    body, moment = json.dumps(payload).encode(), str(int(at.timestamp()))
    content = b"msg_1." + moment.encode() + b"." + body
    text = b64encode(hmac.digest(key, content, "sha256")).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": moment, "webhook-signature": f"v1a,x v1,{text}"}
    return Push(headers, body, RECEIVED)


def test_a_push_signed_just_now_is_believed_and_no_other() -> None:
    one = signed(release())
    assert ARCHERY.signed(one, SECRET)
    assert not ARCHERY.signed(one, "whsec_" + b64encode(b"q" * 32).decode())
    assert not ARCHERY.signed(one, "whsec_!")
    for changed in (
        msgspec.structs.replace(one, body=one.body.replace(b"ann", b"bob")),
        msgspec.structs.replace(one, headers={}),
        msgspec.structs.replace(one, headers=dict(one.headers) | {"webhook-id": "msg_2"}),
        msgspec.structs.replace(one, headers=dict(one.headers) | {"webhook-timestamp": "9" * 30}),
        msgspec.structs.replace(one, headers=dict(one.headers) | {"webhook-timestamp": "x"}),
        msgspec.structs.replace(one, headers=dict(one.headers) | {"webhook-signature": "é " * 50}),
    ):
        assert not ARCHERY.signed(changed, SECRET)


@pytest.mark.parametrize(("age", "believed"), [(0, True), (299, True), (301, False), (-299, True), (-301, False)])
def test_what_was_recorded_on_its_way_cannot_be_sent_again_later(age: int, believed: bool) -> None:
    assert ARCHERY.signed(signed(release(), at=RECEIVED - timedelta(seconds=age)), SECRET) is believed


def test_a_secret_of_any_other_kind_is_the_key_as_it_is_written() -> None:
    assert ARCHERY.signed(signed(release(), key=b"a pass phrase"), "a pass phrase")


def test_its_signature_is_the_one_of_standard_webhooks() -> None:
    standard = pytest.importorskip("standardwebhooks")
    body = json.dumps(release())
    text = standard.Webhook(SECRET).sign("msg_1", RECEIVED, body)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(RECEIVED.timestamp())),
        "webhook-signature": text,
    }
    assert ARCHERY.signed(Push(headers, body.encode(), RECEIVED), SECRET)


# the page


def test_the_page_about_it_shows_the_whole_mapping() -> None:
    page = (Path(__file__).parents[3] / "docs" / "sources" / "archery.md").read_text("utf-8")
    for row in ARCHERY.mapping.rows:
        kind, approval, status = (", ".join(each) or "any" for each in row.said)
        means = f"`{row.type}`" if row.type else "nobody"
        status = {"*": "anything", "workflow_*": "any other"}.get(status, status)
        assert f"| {kind} | {approval} | {status} | {means} |" in page
