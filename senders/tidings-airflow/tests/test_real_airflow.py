"""A real Airflow runs real DAGs, and what a real Tidings makes of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGKILL
from typing import Any

SOURCE = "airflow-prod"
RUN, FAILED = "task_orchestration.tasks_run", "task_orchestration.tasks_failed"
LISTENER_WITHIN, SLOWEST = 50.0, 1_000.0
"""Milliseconds. It waits for the disk alone, which on a machine that does much else may take longer once in a while."""


def told(node: Any, dag: str, at_least: int = 1, within: float = 30.0) -> list[Any]:
    """The records of what was told of this DAG's runs, the oldest first, once there are so many."""
    ends = time.monotonic() + within
    while True:
        found = [each for each in node.events(SOURCE, 0) if each["subject"]["id"].startswith(f"{dag}/")]
        if len(found) >= at_least or time.monotonic() > ends:
            assert len(found) >= at_least, found
            return [node.record(each["id"]) for each in found]
        time.sleep(0.1)


def short(record: Any) -> tuple[str, str, str]:
    event = record["event"]
    return event["type"], event["details"]["event"], event["people"].get("submitter", "")


@contextmanager
def hanging(port: int) -> Iterator[None]:
    """Who takes every call and answers none."""
    with socket.create_server(("127.0.0.1", port), backlog=64):
        yield


def test_the_plugin_is_there_and_says_whether_tidings_takes_what_it_sends(airflow: Any, node: Any) -> None:
    plugins = airflow.get("/plugins")["plugins"]
    assert "tidings" in [each["name"] for each in plugins]
    assert airflow.get("/importErrors")["import_errors"] == []
    said = airflow.command("python", "-m", "tidings_airflow", "test")
    assert f"{node.url} takes what Airflow sends" in said
    parked = node.call("GET", f"/sources/{SOURCE}/parked")["items"]
    assert [each["reason"] for each in parked] == ["test_message"]


def test_whoever_starts_a_run_is_told_how_it_ended(airflow: Any, node: Any) -> None:
    run = airflow.trigger("orders", by="ann", conf={"region": "eu"})
    assert airflow.ended("orders", run)["state"] == "success"
    [record] = told(node, "orders")
    event = record["event"]
    assert short(record) == (RUN, "dag_run.success", "ann")
    assert event["people"]["related"] == ["dan", "bo"]
    assert event["subject"]["id"] == f"orders/{run}"
    assert event["subject"]["url"].startswith(f"{airflow.url}/dags/orders/runs/manual__")
    assert (event["details"]["tags"], event["details"]["conf_keys"]) == (["dwh", "orders"], ["region"])
    assert [(each["login"], each["because"]) for each in record["recipients"]] == [("ann", [{"role": "submitter"}])]


def test_of_a_scheduled_run_the_owner_is_told(airflow: Any, node: Any) -> None:
    airflow.call("PATCH", "/dags/daily", {"is_paused": False})
    [record] = told(node, "daily", within=60)
    assert short(record) == (RUN, "dag_run.success", "dan")
    assert record["event"]["subject"]["title"] == "daily (2026-01-01 00:00 UTC)"


def test_a_failure_says_what_failed_and_a_run_that_was_cleared_is_told_again(airflow: Any, node: Any) -> None:
    run = airflow.trigger("broken")
    assert airflow.ended("broken", run)["state"] == "failed"
    [first] = told(node, "broken")
    assert short(first) == (FAILED, "dag_run.failed", "ann")
    assert first["event"]["details"]["error"] == "extract: ValueError: no column '…' in the export"
    assert first["event"]["details"]["failed_tasks"] == ["extract"]
    assert first["event"]["resources"] == [{"instance": "rm-orders", "database": "orders", "table": "orders"}]

    airflow.call("POST", f"/dags/broken/dagRuns/{run}/clear", {"dry_run": False})
    assert airflow.ended("broken", run)["state"] == "failed"
    _, again = told(node, "broken", 2)
    assert short(again) == short(first)
    assert again["event"]["subject"] == first["event"]["subject"]
    assert again["event"]["details"]["clear_number"] == 1

    # By hand, which the API server tells.
    airflow.call("PATCH", f"/dags/broken/dagRuns/{run}", {"state": "success"}, by="dan")
    *_, by_hand = told(node, "broken", 3)
    assert by_hand["event"]["type"] == RUN
    assert "manually" in by_hand["event"]["details"]["reason"]
    assert node.call("GET", f"/subjects/task_flow/broken/{run}")["status"] == RUN


def test_a_task_says_at_once_that_it_failed_and_its_run_is_told_once(airflow: Any, node: Any) -> None:
    run = airflow.trigger("watched")
    assert airflow.ended("watched", run)["state"] == "success"
    task, ended = told(node, "watched", 2)
    assert short(task) == (FAILED, "task.failed", "ann")
    assert task["event"]["details"]["message"] == "check of watched"
    assert task["event"]["details"]["error"] == "check: RuntimeError: too few rows"
    # The DAG has a callback too, which sees that the listener tells of it.
    assert short(ended) == (RUN, "dag_run.success", "ann")


def test_a_missed_deadline_waits_until_somebody_says_what_it_means(airflow: Any, node: Any) -> None:
    run = airflow.trigger("late")
    ends = time.monotonic() + 40
    while len(parked := late(node)) < 2:
        assert time.monotonic() < ends, parked
        time.sleep(0.2)
    assert {each["payload"]["message"] for each in parked} == {"by the triggerer", "by the executor"}
    assert {each["payload"]["dag_run"]["state"] for each in parked} == {"running"}
    own = {"type": "airflow.deadline_missed", "en": "Deadline missed", "class": "failure", "default_role": "submitter"}
    node.call("PUT", "/catalog/features/airflow", {"subject": "task_flow", "en": "Airflow", "events": [own]})
    rows = [{"event": "deadline.missed", "type": own["type"]}]
    node.call("PUT", f"/sources/{SOURCE}/mapping", {"adapter": "airflow", "version": 0, "rows": rows})
    assert node.call("POST", f"/sources/{SOURCE}/parked/replay")["replayed"] == 2
    airflow.ended("late", run)
    found = sorted(short(each) for each in told(node, "late", 3))
    assert found == [("airflow.deadline_missed", "deadline.missed", "ann")] * 2 + [(RUN, "dag_run.success", "ann")]
    # The run ended after its deadline, whatever came here first.
    assert node.call("GET", f"/subjects/task_flow/late/{run}")["status"] == RUN


def late(node: Any) -> list[Any]:
    return [each for each in node.call("GET", f"/sources/{SOURCE}/parked")["items"] if each["reason"] == "unmapped"]


def test_tidings_is_away_and_hangs_and_a_scheduler_is_killed_and_nothing_is_lost_and_no_dag_waits(
    airflow: Any, node: Any
) -> None:
    before = len(told(node, "orders"))
    with node.away():
        runs = [airflow.trigger("orders", by="dan")]
        airflow.ended("orders", runs[0])
        with hanging(node.port):
            runs.append(airflow.trigger("orders", by="dan"))
            noticed = airflow.trigger("watched", by="dan")
            airflow.ended("orders", runs[1])
            airflow.ended("watched", noticed)
        assert "wait in" in airflow.command("python", "-m", "tidings_airflow", "waiting", expect=1, patience="0.1")
        airflow.stop_one("scheduler", SIGKILL)
        airflow.start_one("scheduler")
    found = told(node, "orders", before + 2)
    assert [each["event"]["subject"]["id"] for each in found[before:]] == [f"orders/{run}" for run in runs]
    assert {short(each) for each in found[before:]} == {(RUN, "dag_run.success", "dan")}
    assert len(told(node, "watched", 4)) == 4
    said = airflow.command("python", "-m", "tidings_airflow", "waiting")
    assert said.startswith("0 wait in")

    took = sorted(each for name, each in airflow.hooks() if name != "on_dag_run_running")
    print("milliseconds of the listener, sorted:", took)
    assert len(took) >= 8
    assert took[len(took) // 2] < LISTENER_WITHIN
    assert took[-1] < SLOWEST
