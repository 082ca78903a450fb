"""The webhook of dbt Cloud: https://docs.getdbt.com/docs/deploy/webhooks (`website/docs/docs/deploy/webhooks.md` of
dbt-labs/docs.getdbt.com). That a completed run which errored has `runFinishedAt` and a message of its own is what an
account sent: `zerver/webhooks/dbt/fixtures/job_run_completed_errored.json` of zulip/zulip."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.events.sources.given import event_of, parked_of

from tidings.events.event import Event, PersonKey
from tidings.events.sources.contract import Known, Parked, Push
from tidings.events.sources.mapping import row_of
from tidings.events.sources.registry import ADAPTERS

DBT = ADAPTERS["dbt"]
RECEIVED = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
OPTIONS = {"url": "https://cloud.getdbt.com/", "owner": None}
ERRORED: dict[str, Any] = {
    "accountId": 43786,
    "webhookId": "wsu_12345abcde",
    "eventId": "wev_2L6m5BggBw9uPNuSmtg4MUiW4Re",
    "timestamp": "2023-01-31T21:15:20.419714619Z",
    "eventType": "job.run.errored",
    "webhookName": "test",
    "data": {
        "jobId": "512049",
        "jobName": "dbt Vault",
        "runId": "318274655",
        "environmentId": "1234",
        "environmentName": "Production",
        "dbtVersion": "1.0.0",
        "projectName": "Snowflake Github Demo",
        "projectId": "167194",
        "runStatus": "Errored",
        "runStatusCode": 20,
        "runStatusMessage": "None",
        "runReason": "Kicked off from UI by test@test.com",
        "runStartedAt": "2023-01-31T21:14:41Z",
        "runErroredAt": "2023-01-31T21:15:20Z",
    },
}


def payload(event_type: str = "job.run.errored", **changes: Any) -> dict[str, Any]:
    """None takes a member of the run away."""
    run = ERRORED["data"] | changes
    return ERRORED | {
        "eventType": event_type,
        "data": {name: value for name, value in run.items() if value is not None},
    }


def completed(status: str = "Success", **changes: Any) -> dict[str, Any]:
    ended = {"runErroredAt": None, "runFinishedAt": "2023-01-31T21:15:19Z"}
    return payload("job.run.completed", **(ended | {"runStatus": status} | changes))


def reading(content: Any, options: dict[str, Any] = OPTIONS, *rows: Any) -> Any:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return DBT.read(Push({}, raw, RECEIVED), Known(DBT.mapping.before(rows), options))


def read(content: Any, **options: Any) -> Event:
    return event_of(reading(content, OPTIONS | options))


def parked(content: Any) -> Parked:
    return parked_of(reading(content))


# what it becomes


def test_the_errored_run_of_the_page_becomes_an_event() -> None:
    event = read(ERRORED)
    assert event.type == "data_warehouse_development.tasks_failed"
    assert (event.subject.kind, event.subject.id, event.subject.title) == ("task_flow", "318274655", "dbt Vault")
    assert event.subject.url == "https://cloud.getdbt.com/deploy/43786/projects/167194/runs/318274655"
    assert event.time == datetime(2023, 1, 31, 21, 15, 20, tzinfo=UTC)
    assert event.people.submitter == PersonKey(email="test@test.com")
    assert event.details == {
        "project": "Snowflake Github Demo",
        "environment": "Production",
        "job": "512049",
        "comment": "Kicked off from UI by test@test.com",
    }


def test_a_completed_run_says_by_its_status_what_became_of_it() -> None:
    event = read(completed())
    assert (event.type, event.id) == ("data_warehouse_development.tasks_run", "43786-318274655-success")
    assert event.time == datetime(2023, 1, 31, 21, 15, 19, tzinfo=UTC)
    failed = read(completed("Errored", runStatusMessage="dbt command failed"))
    assert (failed.type, failed.details["error"]) == ("data_warehouse_development.tasks_failed", "dbt command failed")
    said = "Database Error in model orders: Duplicate entry 'ann@example.com'\ncompiled: select email from people"
    told = read(completed("Errored", runStatusMessage=said))
    assert told.details["error"] == "Database Error in model orders: Duplicate entry '…' compiled: …"


def test_an_error_says_neither_sql_nor_values() -> None:
    message = "Database Error in model orders: invalid value 'ann@example.com' in select * from salaries"
    error = read(completed("Errored", runStatusMessage=message)).details["error"]
    assert error.startswith("Database Error in model orders")
    assert "ann@" not in error and "salaries" not in error


def test_both_deliveries_of_an_errored_run_are_one_event_whatever_else_differs() -> None:
    assert DBT.first_holds
    late = completed("Errored", runStatusMessage="dbt command failed") | {
        "eventId": "wev_2",
        "timestamp": "2023-02-01T00:00:00Z",
    }
    assert read(ERRORED).id == read(late).id == "43786-318274655-errored"
    assert read(payload(runId="318274656")).id != read(ERRORED).id


@pytest.mark.parametrize("content", [payload("job.run.started", runStatus="Running"), completed("Cancelled")])
def test_of_what_has_no_outcome_nobody_wants_to_know(content: Any) -> None:
    assert reading(content) == ()


def test_a_start_is_told_where_a_row_wants_it_with_the_time_of_the_start() -> None:
    row = row_of(DBT.mapping.parts, {"event": ["job.run.started"]}, "task_orchestration.tasks_run")
    [event] = reading(payload("job.run.started", runStatus="Running", runErroredAt=None), OPTIONS, row)
    assert (event.type, event.time) == ("task_orchestration.tasks_run", datetime(2023, 1, 31, 21, 14, 41, tzinfo=UTC))


@pytest.mark.parametrize(
    ("words", "kept"),
    [({"environment": ["CI*"]}, 0), ({"job": ["dbt *"], "project": ["snowflake*"]}, 0), ({"job": ["other"]}, 1)],
)
def test_rows_go_by_project_environment_and_job(words: Any, kept: int) -> None:
    assert len(reading(payload(environmentName="CI checks"), OPTIONS, row_of(DBT.mapping.parts, words, None))) == kept


# who


@pytest.mark.parametrize(
    ("reason", "owner", "who"),
    [
        ("Kicked off from UI by a@b.example", None, PersonKey(email="a@b.example")),
        ("Kicked off from the UI by a@b.example", "ann", PersonKey(email="a@b.example")),
        ("Kicked off by the scheduler", None, None),
        ("scheduled", "ann", "ann"),
        (None, "ann@example.com", PersonKey(email="ann@example.com")),
        # Over the API a cause is any text.
        ("Kicked off from UI by a@b.example, or so says the caller", None, None),
        ("Kicked off from UI by somebody", None, None),
    ],
)
def test_the_submitter_is_whoever_pressed_the_button_or_the_owner_that_the_source_has(
    reason: str | None, owner: str | None, who: Any
) -> None:
    assert read(payload(runReason=reason), owner=owner).people.submitter == who


# what is missing


def test_without_an_access_url_or_a_project_there_is_no_link() -> None:
    assert read(ERRORED, url=None).subject.url == ""
    assert read(payload(projectId=None)).subject.url == ""


def test_without_its_own_time_a_run_has_that_of_the_call_or_of_its_arrival() -> None:
    assert read(payload(runErroredAt=None)).time == datetime(2023, 1, 31, 21, 15, 20, 419714, tzinfo=UTC)
    assert read(payload(runErroredAt="None") | {"timestamp": "soon"}).time == RECEIVED


@pytest.mark.parametrize("lost", ["jobId", "runId", "runStatus"])
def test_what_an_event_cannot_do_without_is_missed(lost: str) -> None:
    assert parked(payload(**{lost: None})).reason == "incomplete"
    assert lost in parked(payload(**{lost: " "})).detail


def test_a_status_nobody_knows_is_parked_with_its_words() -> None:
    found = parked(completed("Succeeded"))
    assert (found.reason, found.words["status"], found.words["job"]) == ("unmapped", "Succeeded", "dbt Vault")
    assert "'Success'" in found.detail


def test_the_documented_sample_is_taken_for_the_test() -> None:
    assert parked(payload(jobId="123", runId="12345")).reason == "test_message"
    assert read(payload(jobId="123")).details["job"] == "123"


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"null", b"{}", b'{"data": null}', b'{"data": []}', b"\xff", b"[" * 100_000]
)
def test_what_is_not_what_dbt_documents_is_parked(raw: bytes) -> None:
    assert parked(raw).reason == "not_understood"


# the signature


def test_only_what_is_signed_with_the_secret_is_believed() -> None:
    raw = json.dumps(ERRORED).encode()
    digest = hmac.new(b"secret", raw, hashlib.sha256).hexdigest()
    assert DBT.signed(Push({"authorization": digest}, raw, RECEIVED), "secret")
    for headers, body, secret in (
        ({"authorization": digest}, raw + b" ", "secret"),
        ({"authorization": digest}, raw, "another"),
        ({"authorization": f"Bearer {digest}"}, raw, "secret"),
        ({"authorization": "é\ud800"}, raw, "secret"),
        ({}, raw, "secret"),
    ):
        assert not DBT.signed(Push(headers, body, RECEIVED), secret)
