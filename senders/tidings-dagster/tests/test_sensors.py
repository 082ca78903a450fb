"""A tick of a sensor, evaluated as the daemon does: what it tells, and where it stands afterwards."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    SensorDefinition,
    build_sensor_context,
    job,
    op,
    run_status_sensor,
)

from tidings_client import Client
from tidings_dagster import NotTold, payload, sensors, tidings_sensors

AWAY = Client("http://127.0.0.1:9", "tdg_x", patience=0)


@op
def divide() -> None:
    _ = 1 / 0


@job(tags={"owner": "ann"})
def bad() -> None:
    divide()


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


def failure(client: Client | None) -> SensorDefinition:
    [sensor] = tidings_sensors(statuses=[DagsterRunStatus.FAILURE], client=client)
    return sensor


def tick(sensor: SensorDefinition, instance: DagsterInstance, cursor: str | None) -> Any:
    with build_sensor_context(instance=instance, cursor=cursor) as context:
        return sensor.evaluate_tick(context)


def begun(instance: DagsterInstance, runs: int) -> str:
    """The place of a sensor that began, and then so many runs failed."""
    cursor = tick(failure(AWAY), instance, None).cursor
    for _ in range(runs):
        assert not bad.execute_in_process(instance=instance, raise_on_error=False).success
    return str(cursor)


def test_a_tick_tells_what_has_ended_and_goes_on(instance: DagsterInstance, node: Any) -> None:
    source, token = node.source()
    sensor = failure(Client(node.url, token))
    cursor = begun(instance, runs=2)
    after = tick(sensor, instance, cursor).cursor
    assert after != cursor
    assert len(node.events(source, 2)) == 2
    assert tick(sensor, instance, after).cursor == after
    tick(sensor, instance, cursor)  # as after a tick that failed at its end
    assert len(node.events(source)) == 2


def test_a_tick_that_cannot_tell_leaves_the_sensor_in_its_place(
    instance: DagsterInstance, node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, token = node.source()
    cursor = begun(instance, runs=1)
    with pytest.raises(NotTold, match="is told at the next tick"):
        tick(failure(AWAY), instance, cursor)
    with pytest.raises(NotTold, match="when this is mended: 401 unauthorized"):
        tick(failure(Client(node.url, "tdg_nobody")), instance, cursor)
    from_environment = failure(None)
    with pytest.raises(NotTold, match="TIDINGS_URL is not set"):
        tick(from_environment, instance, cursor)
    monkeypatch.setenv("TIDINGS_URL", f"{node.url}/api/v1/sources/dagster?token={token}")
    assert tick(from_environment, instance, cursor).cursor != cursor
    assert len(node.events(source)) == 1


@pytest.fixture
def problem() -> Iterator[Callable[[int, str], Client]]:
    """A client of what answers every push with this status and code, as Tidings says it."""
    running: list[HTTPServer] = []

    def client(status: int, code: str) -> Client:
        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps({"code": code, "detail": f"because {code}"}).encode())

        server = HTTPServer(("127.0.0.1", 0), Answers)
        running.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return Client(f"http://127.0.0.1:{server.server_port}", "tdg_x", patience=0)

    yield client
    for server in running:
        server.shutdown()
        server.server_close()


def test_a_run_that_tidings_fails_at_for_an_hour_is_passed_over(
    instance: DagsterInstance,
    problem: Callable[[int, str], Client],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    cursor = begun(instance, runs=2)
    fails = failure(problem(500, "internal_error"))
    with pytest.raises(NotTold, match="because internal_error"):
        tick(fails, instance, cursor)
    later = time.time() + 3601
    monkeypatch.setattr(sensors, "time", SimpleNamespace(time=lambda: later))
    for status, code in [(429, "parked_full"), (503, "unavailable"), (500, "")]:
        with pytest.raises(NotTold):
            tick(failure(problem(status, code)), instance, cursor)
    capfd.readouterr()
    after = tick(fails, instance, cursor).cursor
    assert after != cursor
    assert tick(fails, instance, after).cursor == after
    said = [line for line in capfd.readouterr().err.splitlines() if "ERROR - Tidings fails at run" in line]
    assert len(said) == 2
    assert all(run.run_id in "".join(said) for run in instance.get_runs())


def test_without_that_dagster_would_go_on_and_the_run_would_be_lost(instance: DagsterInstance) -> None:
    """Why `NotTold` is an error of Dagster's own kind. When this fails, Dagster has changed, and it may be simpler."""

    @run_status_sensor(run_status=DagsterRunStatus.FAILURE)
    def raises() -> None:
        raise ConnectionError

    cursor = begun(instance, runs=1)
    assert tick(raises, instance, cursor).cursor != cursor


def test_what_is_told_is_the_same_each_time_and_keeps_the_configuration_to_itself(instance: DagsterInstance) -> None:
    seen: list[dict[str, Any]] = []

    @run_status_sensor(run_status=DagsterRunStatus.FAILURE)
    def look(context) -> None:  # type: ignore[no-untyped-def]
        seen.append(payload(context))

    cursor = begun(instance, runs=1)
    tick(look, instance, cursor)
    tick(look, instance, cursor)
    assert seen[0] == seen[1]
    assert seen[0]["error"] == "ZeroDivisionError: division by zero"
    assert (seen[0]["status"], seen[0]["failed_step_keys"], seen[0]["tags"]["owner"]) == ("FAILURE", ["divide"], "ann")
    assert "run_config" not in seen[0]
