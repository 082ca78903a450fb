"""What the plug-in tidings-airflow sends becomes events. That it sends what is written here, beside a real Airflow, is
tested in `senders/tidings-airflow`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import Any

import msgspec
import pytest
from tests.events.sources.given import event_of, parked_of

from tidings.events.event import Event, PersonKey, read_event
from tidings.events.sources.contract import Known, Parked, Push
from tidings.events.sources.error_line import error_line
from tidings.events.sources.mapping import row_of
from tidings.events.sources.registry import ADAPTERS

AIRFLOW = ADAPTERS["airflow"]
PARTS = AIRFLOW.mapping.parts
RECEIVED = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
URL = "https://airflow.example.com"
SAMPLE: dict[str, Any] = {
    "event": "dag_run.failed",
    "time": "2026-11-26T02:14:31.207114+00:00",
    "reason": "task_failure",
    "url": URL,
    "dag": {"dag_id": "dwh_orders", "display_name": "dwh_orders", "owners": ["ann", "bo"], "tags": ["dwh", "orders"]},
    "dag_run": {
        "run_id": "scheduled__2026-11-26T02:00:00+00:00",
        "run_type": "scheduled",
        "state": "failed",
        "logical_date": "2026-11-26T02:00:00+00:00",
        "run_after": "2026-11-26T02:00:00+00:00",
        "queued_at": "2026-11-26T02:00:00.410220+00:00",
        "start_date": "2026-11-26T02:00:01.102334+00:00",
        "end_date": "2026-11-26T02:14:31.207114+00:00",
        "data_interval_start": "2026-11-25T02:00:00+00:00",
        "data_interval_end": "2026-11-26T02:00:00+00:00",
        "triggered_by": "timetable",
        "clear_number": 0,
    },
    "failed_tasks": [
        {
            "task_id": "load",
            "map_index": -1,
            "try_number": 2,
            "error": 'UndefinedTable: relation "orders" does not exist',
        }
    ],
    "failed_task_count": 1,
    "versions": {"airflow": "3.3.2", "tidings_airflow": "0.1.0"},
}


def payload(**changes: Any) -> dict[str, Any]:
    """`dag`, `dag_run` and the like are changed member by member; None takes a member away."""
    merged = {**SAMPLE, **{name: {**SAMPLE.get(name, {}), **value} if isinstance(value, dict) else value
                           for name, value in changes.items()}}  # fmt: skip
    return {name: value for name, value in merged.items() if value is not None}


def found(known: Known | None = None, **changes: Any) -> Any:
    return AIRFLOW.read(Push({}, json.dumps(payload(**changes)).encode(), RECEIVED), known or Known(AIRFLOW.mapping))


def read(known: Known | None = None, **changes: Any) -> Event:
    return event_of(found(known, **changes))


def parked(**changes: Any) -> Parked:
    return parked_of(found(**changes))


# what it becomes


def test_a_run_that_failed_becomes_an_event_that_says_what_failed() -> None:
    event = read()
    assert event.type == "task_orchestration.tasks_failed"
    assert event.subject == msgspec.convert(
        {
            "kind": "task_flow",
            "id": "dwh_orders/scheduled__2026-11-26T02:00:00+00:00",
            "title": "dwh_orders (2026-11-26 02:00 UTC)",
            "url": f"{URL}/dags/dwh_orders/runs/scheduled__2026-11-26T02%3A00%3A00%2B00%3A00",
        },
        type(event.subject),
    )
    assert event.time == datetime(2026, 11, 26, 2, 14, 31, 207_114, UTC)
    assert event.details == {
        "event": "dag_run.failed",
        "reason": "task_failure",
        "error": 'load: UndefinedTable: relation "orders" does not exist',
        "failed_tasks": ["load"],
        "failures": [{"task": "load", "try_number": 2, "error": 'UndefinedTable: relation "orders" does not exist'}],
        "run_type": "scheduled",
        "tags": ["dwh", "orders"],
        "logical_date": "2026-11-26T02:00:00Z",
        "data_interval_start": "2026-11-25T02:00:00Z",
        "data_interval_end": "2026-11-26T02:00:00Z",
        "start_date": "2026-11-26T02:00:01.102334Z",
        "end_date": "2026-11-26T02:14:31.207114Z",
    }
    assert read_event(msgspec.json.encode(event), now=RECEIVED, source="airflow-prod").event.subject == event.subject


def test_a_run_that_succeeded_is_tasks_run() -> None:
    event = read(event="dag_run.success", failed_tasks=None, failed_task_count=None, reason="success")
    assert event.type == "task_orchestration.tasks_run"
    assert not {"error", "failed_tasks", "failures"} & event.details.keys()


def test_only_the_first_tasks_are_named_when_very_many_failed() -> None:
    many = [{"task_id": "load", "map_index": n, "try_number": 1} for n in range(50)]
    details = read(failed_tasks=many, failed_task_count=300).details
    assert details["failed_tasks"] == [one["task"] for one in details["failures"]] == [f"load[{n}]" for n in range(20)]
    assert details["failed_task_count"] == 300


# people


def test_the_first_owner_is_the_submitter_of_a_run_that_nobody_started() -> None:
    people = read().people
    assert (people.submitter, people.related, people.approvers) == ("ann", ["bo"], [])


def test_whoever_started_a_run_is_its_submitter_and_owners_are_related() -> None:
    people = read(dag_run={"run_type": "manual", "triggering_user_name": "dan"}).people
    assert (people.submitter, people.related) == ("dan", ["ann", "bo"])
    people = read(dag_run={"triggering_user_name": "bo"}).people
    assert (people.submitter, people.related) == ("bo", ["ann"])


@pytest.mark.parametrize("nobody", ["airflow", "Airflow", "anonymous", "root", "", None])
def test_airflows_default_names_are_nobody(nobody: str | None) -> None:
    assert read(dag={"owners": [nobody, "bo"]}, dag_run={"triggering_user_name": nobody}).people.submitter == "bo"
    assert read(dag={"owners": [nobody]}).people.submitter is None


def test_an_owner_may_be_several_and_a_mail_address_is_one() -> None:
    people = read(dag={"owners": ["ann@example.com, bo", "bo", " dan "]}).people
    assert people.submitter == PersonKey(email="ann@example.com")
    assert people.related == ["bo", "dan"]


# resources


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("postgres://rm-orders.pg.rds.aliyuncs.com:5432/orders/public/orders", "rm-orders/orders/orders"),
        ("postgresql://rm-orders:5432/orders/sales/items", "rm-orders/orders/sales.items"),
        ("mysql://10.0.0.5:3306/orders/items", "10.0.0.5/orders/items"),
        ("mysql://[fd00::5]:3306/orders/items", "[fd00::5]/orders/items"),
        ("mysql://user:secret@rm-orders/orders/items?ssl=true#x", "rm-orders/orders/items"),
        ("snowflake://acme/analytics/sales/daily", "acme/analytics/sales.daily"),
        ("bigquery://acme-prod/sales/daily%20totals", "acme-prod/sales/daily totals"),
        ("mysql://rm-orders/orders", "rm-orders/orders"),
        ("mysql://rm-orders", "rm-orders"),
        ("mysql://rm-orders/public/items", "rm-orders/public/items"),
        ("s3://bucket/orders/items.csv", None),
        ("orders", None),
        ("mysql:///orders/items", None),
        ("mysql://[broken/orders", None),
        ("mysql://rm-orders/a/b/c/d", None),
        (f"mysql://rm-orders/{'x' * 300}/items", None),
        (None, None),
    ],
)
def test_the_assets_that_a_dag_makes_are_databases_and_tables_where_their_uri_is_one(
    uri: str | None, path: str | None
) -> None:
    assert [each.path() for each in read(outlets=[uri, uri]).resources] == ([path] if path else [])


def test_no_more_resources_than_an_event_may_have() -> None:
    event = read(outlets=[f"mysql://rm-orders/orders/t{n}" for n in range(300)])
    assert len(read_event(msgspec.json.encode(event), now=RECEIVED).event.resources) == 100


# the link


def test_the_source_says_where_airflow_is_and_what_airflow_says_of_itself_comes_after_it() -> None:
    known = Known(AIRFLOW.mapping, {"url": "https://flows.example.com/airflow/"})
    assert read(known).subject.url.startswith("https://flows.example.com/airflow/dags/dwh_orders/runs/")
    assert read().subject.url.startswith(URL)
    assert read(url=None).subject.url == ""
    for unfit in ("javascript:alert(1)", "https://ann:pw@flows.example.com", "http://<host>:8080"):
        assert read(url=unfit).subject.url == ""


def test_a_task_has_a_page_of_its_own() -> None:
    at = f"{URL}/dags/dwh_orders/runs/scheduled__2026-11-26T02%3A00%3A00%2B00%3A00/tasks/group.load"
    assert read(event="task.failed", task={"task_id": "group.load", "map_index": -1}).subject.url == at
    assert read(event="task.failed", task={"task_id": "group.load", "map_index": 3}).subject.url == f"{at}/mapped/3"


def test_a_task_that_called_its_notifier_says_what_went_wrong() -> None:
    task = {"task_id": "load", "map_index": -1, "try_number": 1, "error": "ValueError: no"}
    event = read(event="task.failed", task=task, failed_tasks=None, failed_task_count=None)
    assert event.type == "task_orchestration.tasks_failed"
    assert event.details["error"] == "load: ValueError: no"
    assert event.details["task"] == {"task": "load", "try_number": 1, "error": "ValueError: no"}
    assert event.details["failed_tasks"] == ["load"]
    assert "failed_tasks" not in read(event="task.failed", task=None, failed_tasks=None).details


# identity


def test_the_same_push_is_the_same_event_and_a_run_that_was_cleared_is_another() -> None:
    first = read()
    assert read().id == first.id
    later = "2026-11-26T05:00:00+00:00"
    again = read(time=later, dag_run={"end_date": later, "clear_number": 1})
    assert again.id != first.id
    assert again.subject == first.subject
    assert again.details["clear_number"] == 1
    assert read(dag_run={"clear_number": 1}).id != first.id
    assert read(event="dag_run.success").id != first.id
    assert read(versions={"airflow": "3.4.0"}).id == first.id


def test_two_runs_whose_long_ids_begin_alike_are_two() -> None:
    one, other = (read(dag_run={"run_id": "r" * 240 + end}).subject.id for end in "ab")
    assert one != other
    assert len(one) == len(other) == 200


# the mapping


def with_rows(*rows: tuple[dict[str, list[str]], str | None]) -> Known:
    return Known(AIRFLOW.mapping.before([row_of(PARTS, words, event_type) for words, event_type in rows]))


def test_a_row_may_name_a_dag_a_tag_or_a_kind_of_run() -> None:
    warehouse = "data_warehouse_development.tasks_failed"
    assert read(with_rows(({"dag": ["dwh_*"], "event": ["dag_run.failed"]}, warehouse))).type == warehouse
    assert read(with_rows(({"tag": ["orders"]}, warehouse))).type == warehouse
    assert read(with_rows(({"tag": ["sales"]}, warehouse))).type == "task_orchestration.tasks_failed"
    backfills = with_rows(({"run_type": ["backfill"]}, None))
    assert found(backfills, dag_run={"run_type": "backfill"}) == ()
    assert found(backfills) != ()


def test_the_first_row_of_the_table_counts_whichever_tag_it_is_about() -> None:
    known = with_rows(
        ({"tag": ["orders"]}, "data_warehouse_development.tasks_run"),
        ({"tag": ["dwh"]}, "data_warehouse_development.tasks_failed"),
    )
    assert read(known).type == "data_warehouse_development.tasks_run"
    assert read(known, dag={"tags": []}).type == "task_orchestration.tasks_failed"


@pytest.mark.parametrize("event", ["deadline.missed", "task.retry", "task.success"])
def test_what_the_catalogue_has_no_type_for_waits_until_somebody_says_what_it_means(event: str) -> None:
    deadline = {"id": "d", "time": "2026-11-26T02:10:00+00:00"}
    reading = parked(event=event, deadline=deadline)
    assert reading.reason == "unmapped"
    assert reading.words == {"dag": "dwh_orders", "tag": "dwh", "run_type": "scheduled", "event": event}
    own = with_rows(({"event": [event]}, "airflow.deadline_missed"))
    assert read(own, event=event, deadline=deadline).details["deadline"] == "2026-11-26T02:10:00Z"


def test_the_page_about_it_shows_the_whole_mapping() -> None:
    page = (Path(__file__).parents[3] / "docs" / "sources" / "airflow.md").read_text("utf-8")
    for row in AIRFLOW.mapping.rows:
        events = ", ".join(f"`{said}`" for said in row.said[-1])
        assert f"| {events} | `{row.type}` |" in page


# what is parked


def test_a_test_is_no_event() -> None:
    reading = parked(event="test", dag={"dag_id": ""}, dag_run={"run_id": ""}, message="from scheduler-1")
    assert reading.reason == "test_message"
    assert "from scheduler-1" in reading.detail


def test_what_an_event_cannot_do_without_is_missed() -> None:
    for nothing in (None, "", " "):
        assert parked(dag={"dag_id": nothing}).reason == "incomplete"
        assert "dag_run.run_id" in parked(dag_run={"run_id": nothing}).detail


def test_without_a_time_the_run_ended_when_it_says_or_when_it_arrived() -> None:
    assert read(time=None).time == datetime(2026, 11, 26, 2, 14, 31, 207_114, UTC)
    assert read(time=None, dag_run={"end_date": None}).time == RECEIVED
    assert read(time="2026-11-26T10:14:31+08:00").time - RECEIVED == -timedelta(minutes=45, seconds=29)


# the line of an error


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("ValueError: no", "ValueError: no"),
        ("a\nb\tc\x1b[31m", "a b c [31m"),
        ('relation "orders" does not exist\nLINE 1: select 1', 'relation "orders" does not exist …'),
        ("(psycopg2.Error) x\n[SQL: INSERT INTO t VALUES (1)]\n[parameters: (5,)]", "(psycopg2.Error) x …"),
        ("Query failed: SELECT * FROM people WHERE id = 5", "Query failed: …"),
        ("could not run `with x as (select 1) select 2`", "could not run ` …"),
        ("DELETE FROM t", "…"),
        ("Duplicate entry '4711' for key 'PRIMARY'", "Duplicate entry '…' for key '…'"),
        ("Key error. DETAIL: Key (id)=(5) already exists.", "Key error. …"),
        ("Please select a region from the list", "Please …"),
        ("Couldn't find ann's table, update it", "Couldn't find ann's table, update it"),
        ("Bash command failed. The command returned a non-zero exit code 1.",) * 2,
        ("", ""),
        (None, ""),
    ],
)
def test_an_error_is_one_line_without_sql_and_without_values(said: str | None, shown: str) -> None:
    assert error_line(said) == shown


def test_an_error_is_cut_and_read_in_no_time_whatever_it_is() -> None:
    started = datetime.now(UTC)
    for piece in ("x", "select ", "with x as ", "'", "create temp ", "grant x ", "[SQL", " update a "):
        assert len(error_line(piece * 100_000)) <= 300
    assert datetime.now(UTC) - started < timedelta(seconds=2)


def test_a_push_of_costly_errors_and_of_ten_thousands_of_tags_is_read_in_no_time() -> None:
    started = process_time()
    selects = "select " * 600
    event = read(failed_tasks=[{"task_id": "t", "error": selects}] * 60, dag_run={"note": selects})
    assert len(event.details["failed_tasks"]) == 20
    assert len(read(dag={"tags": [",".join(map(str, range(40_000)))]}).details["tags"]) == 100
    assert process_time() - started < 0.4  # without a limit, a second and a half
