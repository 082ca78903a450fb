"""Dagster: what the sensors of `tidings-dagster` push. That a real Dagster pushes this is tested with it, in
`senders/tidings-dagster/tests`."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.events.sources.given import event_of

from tidings.events.event import Event, People, PersonKey, Subject
from tidings.events.sources.contract import Known, Parked, Push
from tidings.events.sources.mapping import row_of
from tidings.events.sources.registry import ADAPTERS

DAGSTER = ADAPTERS["dagster"]
RECEIVED = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
RUN, ROOT = "4ac0a1f6-5f3e-4a5e-9f06-6f7a1c2b3d4e", "1b2c3d4e-0000-4a5e-9f06-6f7a1c2b3d4e"


def payload(**changes: Any) -> dict[str, Any]:
    """None takes a member away."""
    assert DAGSTER.sample
    said = {**json.loads(DAGSTER.sample.body), **changes}
    return {name: value for name, value in said.items() if value is not None}


def found(options: dict[str, str] | None = None, rows: Any = (), **changes: Any) -> Any:
    known = Known(DAGSTER.mapping.before(rows), options or {})
    return DAGSTER.read(Push({}, json.dumps(payload(**changes)).encode(), RECEIVED), known)


def read(options: dict[str, str] | None = None, **changes: Any) -> Event:
    return event_of(found(options, **changes))


def test_the_sample_of_the_page_becomes_an_event() -> None:
    assert read() == Event(
        id=f"{RUN}:FAILURE",
        type="task_orchestration.tasks_failed",
        subject=Subject("task_flow", ROOT, "load_orders (2026-11-25)", f"https://dagster.example.com/runs/{RUN}"),
        time=datetime(2026, 11, 26, 2, 34, 31, tzinfo=UTC),
        people=People("ann", related=[PersonKey(email="bo@example.com")]),
        details={
            "run": RUN,
            "parent_run": ROOT,
            "error": "ValueError: no table orders",
            "failed_tasks": ["load"],
            "partition": "2026-11-25",
            "code_location": "dwh",
            "teams": ["team:dwh"],
            "schedule": "nightly",
        },
    )


@pytest.mark.parametrize(
    ("status", "event_type"),
    [
        ("SUCCESS", "task_orchestration.tasks_run"),
        ("FAILURE", "task_orchestration.tasks_failed"),
        *((status, None) for status in ("QUEUED", "STARTING", "STARTED", "CANCELING", "CANCELED")),
    ],
)
def test_a_status_means_what_the_table_says(status: str, event_type: str | None) -> None:
    assert [event.type for event in found(status=status)] == ([event_type] if event_type else [])


def test_the_page_about_it_shows_the_whole_mapping() -> None:
    page = (Path(__file__).parents[3] / "docs" / "sources" / "dagster.md").read_text("utf-8")
    for row in DAGSTER.mapping.rows:
        statuses = ", ".join(f"`{status}`" for status in row.said[-1])
        assert f"| any | {statuses} | {f'`{row.type}`' if row.type else 'nobody wants to know'} |" in page


def test_a_failure_that_dagster_mends_by_itself_need_not_be_told() -> None:
    rows = [row_of(DAGSTER.mapping.parts, {"will_retry": ["true"], "status": ["FAILURE"]}, None)]
    assert found(rows=rows, tags={"dagster/will_retry": "true"}) == ()
    assert len(found(rows=rows, tags={"dagster/will_retry": "false"})) == 1
    assert read(tags={"dagster/will_retry": "true"}).details["will_retry"] is True


def test_whoever_launched_it_is_the_submitter_and_owners_are_related() -> None:
    people = read(tags={"user": "carol@example.com", "owner": "ann, bo@example.com"}).people
    bo = PersonKey(email="bo@example.com")
    assert people == People(PersonKey(email="carol@example.com"), related=["ann", bo])
    assert read(tags={}).people == People(bo)
    assert read(tags={}, owners=[]).people == People()
    assert read({"owner": "dan"}, tags={}, owners=["team:dwh"]).people == People("dan")
    assert read({"owner": "dan"}, tags={}).people == People(bo)
    assert read({"owner_tag": "team-lead"}, tags={"team-lead": "eve", "owner": "ann"}).people == People(
        "eve", related=[bo]
    )


def test_a_run_of_chosen_assets_is_called_after_them() -> None:
    asked = {"job_name": "__ASSET_JOB", "partition_key": None}
    assert read(**asked, asset_selection=["dwh/orders"]).subject.title == "dwh/orders"
    assert read(**asked, asset_selection=["a", "b", "c", "d", "e"]).subject.title == "a, b, c (+2)"
    assert read(**asked).subject.title == "__ASSET_JOB"


def test_a_first_run_is_its_own_subject_and_a_run_that_never_ended_was_now() -> None:
    event = read(root_run_id=None, parent_run_id=None, end_time=None, start_time=None, url=None)
    assert (event.subject.id, event.subject.url, event.time) == (RUN, "", RECEIVED)
    assert read({"url": "https://dg.example.com/"}).subject.url == f"https://dg.example.com/runs/{RUN}"
    for unfit in ("javascript:alert(1)", "https://ann:pw@dg.example.com", "http://<host>:3000"):
        assert read(url=unfit).subject.url == ""


def test_neither_statements_nor_values_stand_in_the_error() -> None:
    said = "ProgrammingError: relation \"orders\" does not exist LINE 1: SELECT * FROM orders WHERE card = '4711'"
    assert read(error=said).details["error"] == 'ProgrammingError: relation "orders" does not exist …'


@pytest.mark.parametrize("name", ["job_name", "run_id", "status"])
def test_what_says_nothing_of_a_run_is_parked(name: str) -> None:
    for nothing in (None, "", " "):
        reading = found(**{name: nothing})
        assert isinstance(reading, Parked)
        assert (reading.reason, reading.detail) == ("incomplete", f"{name} missing: nobody can say what changed.")


def test_a_status_that_is_new_is_parked_with_its_words() -> None:
    reading = found(status="FAILED")
    assert isinstance(reading, Parked)
    assert reading.reason == "unmapped"
    assert reading.words == {"job": "load_orders", "will_retry": "false", "status": "FAILED"}
