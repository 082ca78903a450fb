"""A real daemon of Dagster evaluates the sensors of a real code location, whose runs it launches, against a real
Tidings."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, RunsFilter
from dagster._core.scheduler.instigation import InstigatorStatus, TickStatus

BIN = Path(sys.executable).parent
CONFIG = """
run_retries: {enabled: true, max_retries: 0}
telemetry: {enabled: false}
"""


class Platform:
    """Dagster, with a home of its own, and `source` as Tidings knows it."""

    def __init__(self, home: Path, node: Any) -> None:
        self.home, self.node = home, node
        self.source, token = node.source()
        self.file = home / "definitions.py"
        shutil.copy(Path(__file__).parent / "definitions.py", self.file)
        (home / "dagster.yaml").write_text(CONFIG)
        self._environment = {**os.environ, "DAGSTER_HOME": str(home), "TIDINGS_URL": node.url, "TIDINGS_TOKEN": token}
        (home / "wanted").mkdir()
        self._numbers = count(1)
        self.instance = DagsterInstance.from_config(str(home))

    def start(self) -> None:
        command = [str(BIN / "dagster-daemon"), "run", "-f", str(self.file)]
        with (self.home / "daemon.log").open("ab") as log:
            self._daemon = subprocess.Popen(command, env=self._environment, cwd=self.home, stdout=log, stderr=log)
        self.until(lambda: len(self._cursors()) == 2, "the sensors began")

    def stop(self) -> None:
        self._daemon.send_signal(signal.SIGTERM)
        try:
            self._daemon.wait(30)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()

    def run(self, *jobs: str) -> list[str]:
        """The ids of runs of these jobs, which have ended, with all that Dagster made of them."""
        wanted = [f"{next(self._numbers)}.{job}" for job in jobs]
        for name in wanted:
            (self.home / "wanted" / name).touch()
        self.until(lambda: all(map(self._ended, wanted)), f"{jobs} ended")
        return [self._first(name).run_id for name in wanted]

    def _first(self, wanted: str) -> Any:
        """Those that are executed again have the tags of the first."""
        runs = self.instance.get_runs(RunsFilter(tags={"wanted": wanted}))
        return next((run for run in runs if run.root_run_id is None), None)

    def _ended(self, wanted: str) -> bool:
        run = self._first(wanted)
        return run is not None and run.is_finished

    def failed_ticks(self) -> list[str]:
        return [
            tick.error.message
            for state in self._sensors()
            for tick in self.instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=50)
            if tick.status == TickStatus.FAILURE and tick.error
        ]

    def told(self, at_least: int = 1) -> list[Any]:
        return list(self.node.events(self.source, at_least))

    def record(self, run: str) -> Any:
        [event] = [one for one in self.told() if one["source_id"].startswith(run)]
        return self.node.record(event["id"])["event"]

    def until(self, true: Callable[[], Any], what: str, within: float = 240.0) -> None:
        ends = time.monotonic() + within
        while not true():
            assert time.monotonic() < ends, f"not in time: {what}\n{(self.home / 'daemon.log').read_text()[-4_000:]}"
            time.sleep(0.2)

    def _sensors(self) -> list[Any]:
        states = self.instance.all_instigator_state()
        return [one for one in states if one.instigator_name.startswith("tidings_")]

    def _cursors(self) -> list[str]:
        return [
            one.instigator_data.cursor
            for one in self._sensors()
            if one.status in (InstigatorStatus.RUNNING, InstigatorStatus.DECLARED_IN_CODE)
            and one.instigator_data.cursor
        ]


@pytest.fixture(scope="module")
def dagster(node: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("dagster"), node)
    node.person("ann", email="ann@example.com")
    node.person("bo", email="bo@example.com")
    node.person("dan", email="dan@example.com")
    platform.start()
    yield platform
    platform.stop()


def test_a_run_that_succeeds_is_told_to_whom_its_tag_names(dagster: Platform) -> None:
    [run] = dagster.run("good")
    dagster.until(lambda: [one for one in dagster.told(0) if one["source_id"] == f"{run}:SUCCESS"], "it was told")
    event = dagster.record(run)
    assert event["type"] == "task_orchestration.tasks_run"
    assert event["subject"]["id"] == run
    assert event["subject"]["title"] == "good"
    assert event["subject"]["url"] == f"https://dagster.example.com/runs/{run}"
    assert event["people"] == {"submitter": "ann", "related": [{"email": "bo@example.com"}]}
    assert event["details"]["teams"] == ["team:dwh"]
    ended = dagster.instance.get_run_record_by_id(run)
    assert ended
    assert event["time"][:19] == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ended.end_time))


def test_a_run_that_fails_is_told_with_what_went_wrong(dagster: Platform) -> None:
    [run] = dagster.run("bad")
    dagster.until(lambda: [one for one in dagster.told(0) if one["source_id"] == f"{run}:FAILURE"], "it was told")
    event = dagster.record(run)
    assert event["type"] == "task_orchestration.tasks_failed"
    assert event["people"] == {"submitter": {"email": "bo@example.com"}}
    assert event["details"]["error"] == "ZeroDivisionError: division by zero"
    assert event["details"]["failed_tasks"] == ["divide"]
    assert event["details"]["code_location"] == "definitions.py"


def test_a_run_that_dagster_executes_again_is_one_subject_that_is_mended(dagster: Platform) -> None:
    [run] = dagster.run("flaky")

    def of_the_subject() -> list[Any]:
        return [one for one in dagster.told(0) if one["subject"]["id"] == run]

    dagster.until(lambda: len(of_the_subject()) == 2, "both were told")
    failed, mended = sorted(of_the_subject(), key=lambda one: one["time"])
    assert (failed["type"], mended["type"]) == ("task_orchestration.tasks_failed", "task_orchestration.tasks_run")
    subject = dagster.node.call("GET", f"/subjects/task_flow/{run}")
    assert subject["status"] == "task_orchestration.tasks_run"
    details = dagster.node.record(failed["id"])["event"]["details"]
    assert details["will_retry"] is True
    assert details["error"] == 'RuntimeError: relation "orders" does not exist …'
    assert dagster.node.record(mended["id"])["event"]["details"]["parent_run"] == run


def test_owners_of_assets_are_told(dagster: Platform) -> None:
    [run] = dagster.run("refresh")
    dagster.until(lambda: [one for one in dagster.told(0) if one["source_id"] == f"{run}:SUCCESS"], "it was told")
    assert dagster.record(run)["people"] == {"submitter": {"email": "dan@example.com"}}


def test_what_ends_while_tidings_is_away_is_told_once_when_it_is_back(dagster: Platform) -> None:
    """Ticks fail, and say why; the sensor stays where it is. A daemon that is stopped meanwhile makes no difference."""
    with dagster.node.away():
        runs = dagster.run("bad", "good", "bad")
        dagster.until(
            lambda: [said for said in dagster.failed_ticks() if "is told at the next tick" in said], "it failed"
        )
        dagster.stop()
    dagster.start()
    keys = [f"{runs[0]}:FAILURE", f"{runs[1]}:SUCCESS", f"{runs[2]}:FAILURE"]
    dagster.until(lambda: set(keys) <= {one["source_id"] for one in dagster.told(0)}, "all were told")
    time.sleep(3)
    told = [one["source_id"] for one in dagster.told()]
    assert [told.count(key) for key in keys] == [1, 1, 1]
