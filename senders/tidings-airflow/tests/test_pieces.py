"""What can be said without a running Airflow: how it is configured, what is sent, and that nothing is ever raised."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from tidings_airflow.__main__ import main
from tidings_airflow.listen import Listener, run_ended
from tidings_airflow.notifier import TidingsNotifier
from tidings_airflow.outbox import outbox
from tidings_airflow.payload import dag_said, error_line, outlets_of, run_said, task_said
from tidings_airflow.provider import provider_info
from tidings_airflow.settings import Settings, settings

NOW, DAY = datetime.now(UTC), timedelta(days=1)
Configure = Callable[..., Settings | None]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Configure]:
    """Sets what is given in [tidings], and forgets what was set before."""

    def set_up(**options: str) -> Settings | None:
        for name, value in {"buffer": str(tmp_path / "buffer.sqlite"), **options}.items():
            monkeypatch.setenv(f"AIRFLOW__TIDINGS__{name.upper()}", value)
        settings.cache_clear()
        outbox.cache_clear()
        return settings()

    yield set_up
    if outbox.cache_info().currsize:
        outbox(settings()).close(0)  # type: ignore[arg-type]
    settings.cache_clear()
    outbox.cache_clear()


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of one who takes every call and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def taking() -> Iterator[Any]:
    """One who takes everything, as Tidings does when nobody wants to know."""
    taken: list[tuple[str, Any]] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(202)
            self.end_headers()
            self.wfile.write(b'{"events": [], "ignored": true, "parked": null}')

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", taken=taken)
        server.shutdown()


def run(**changes: Any) -> Any:
    """As the scheduler hands it over."""
    dag = SimpleNamespace(
        dag_id="orders", dag_display_name="Orders", tags={"dwh"},
        tasks=[SimpleNamespace(owner=owner) for owner in ("dan, bo", "dan", "eve")],
    )  # fmt: skip
    members = {"dag_id": "orders", "run_id": "manual__1", "run_type": "manual", "state": "success", "end_date": NOW,
               "conf": {"region": "eu"}, "clear_number": 0, "triggering_user_name": "ann", "dag": dag}  # fmt: skip
    return SimpleNamespace(**{**members, **changes})


# configuration


def test_without_an_address_nothing_is_sent_and_nothing_goes_wrong(configure: Configure) -> None:
    assert configure() is None
    Listener().on_dag_run_success(run(), "success")
    TidingsNotifier().notify({"dag_run": run(), "reason": "success"})


def test_an_address_without_a_token_is_said_and_not_raised(
    configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ValueError, match="AIRFLOW__TIDINGS__TOKEN"):
        configure(url="https://tidings.example.com")
    Listener().on_dag_run_success(run(), "success")
    assert "AIRFLOW__TIDINGS__TOKEN" in caplog.text


def test_the_environment_of_any_sender_will_do(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "token"
    secret.write_text("tdg_one\n")
    monkeypatch.setenv("TIDINGS_URL", "https://tidings.example.com")
    monkeypatch.setenv("TIDINGS_TOKEN_FILE", str(secret))
    found = configure()
    assert found and callable(found.token)
    secret.write_text("tdg_two\n")
    assert (found.url, found.token()) == ("https://tidings.example.com", "tdg_two")


def test_a_token_may_come_from_a_command_as_airflows_own_secrets_may(configure: Configure) -> None:
    found = configure(url="https://tidings.example.com", token_cmd="echo tdg_said")
    assert found and found.token == "tdg_said"


@pytest.mark.parametrize(
    ("dags", "watched"),
    [
        ("*", {"dwh_a", "dwh_test_b", "x"}),
        ("dwh_*", {"dwh_a", "dwh_test_b"}),
        ("dwh_*, !dwh_test_*", {"dwh_a"}),
        ("!dwh_*", {"x"}),
        ("", set()),
    ],
)
def test_patterns_say_whose_runs_are_told(configure: Configure, dags: str, watched: set[str]) -> None:
    found = configure(url="https://tidings.example.com", token="t", dags=dags)
    assert found and {each for each in ("dwh_a", "dwh_test_b", "x") if found.watches(each)} == watched


def test_every_option_is_among_those_that_airflow_lists(configure: Configure) -> None:
    assert set(provider_info()["config"]["tidings"]["options"]) == set(Settings.__dataclass_fields__)


def test_trying_it_says_what_is_wrong(configure: Configure, taking: Any, capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    assert main(["test"]) == 2
    assert "AIRFLOW__TIDINGS__URL" in capsys.readouterr().err
    configure(url="http://127.0.0.1:9", token="t")
    assert main(["test"]) == 1
    assert "127.0.0.1:9 cannot be reached" in capsys.readouterr().err
    configure(url=taking.url, token="t")
    assert main(["test"]) == 0
    assert taking.taken[0][1]["event"] == "test"
    assert main(["tset"]) == 2


# what is sent


def test_owners_are_those_of_the_tasks_each_once_in_their_order() -> None:
    assert dag_said("orders", run().dag) == {
        "dag_id": "orders", "display_name": "Orders", "owners": ["dan", "bo", "eve"], "tags": ["dwh"],
    }  # fmt: skip
    assert dag_said("orders", None) == {"dag_id": "orders"}


def test_it_sends_what_the_page_shows() -> None:
    page = (Path(__file__).parents[3] / "docs" / "sources" / "airflow.md").read_text("utf-8")
    shown = json.loads(page.split("```json\n")[1].split("```")[0])
    moments = dict.fromkeys([name for name, value in shown["dag_run"].items() if str(value).startswith("20")], NOW)
    asset = SimpleNamespace(uri="mysql://rm-orders/orders/items")
    made = SimpleNamespace(**{**vars(run().dag), "tasks": [SimpleNamespace(owner="dan", outlets=[asset])]})
    ended = run(**{**moments, "run_type": "scheduled", "triggered_by": "timetable", "triggering_user_name": None,
                   "conf": {}, "dag": made})  # fmt: skip
    said = run_ended("dag_run.failed", ended, "task_failure")
    assert said.keys() | {"failed_tasks", "failed_task_count", "url"} == shown.keys() | {"url"}
    assert (said["dag"].keys(), said["dag_run"].keys()) == (shown["dag"].keys(), shown["dag_run"].keys())
    assert task_said(SimpleNamespace(task_id="load", map_index=-1, try_number=2), "no").keys() == {
        *shown["failed_tasks"][0]
    }


def test_of_an_asset_only_the_address_is_sent_and_nothing_of_what_has_none() -> None:
    outlets = [SimpleNamespace(uri=uri) for uri in ("mysql://ann:secret@h:3306/db/t?key=x#y", "plain", None)]
    assert outlets_of([SimpleNamespace(outlets=[*outlets, *outlets]), None]) == ["mysql://h:3306/db/t"]


def test_of_conf_only_the_names_are_sent() -> None:
    said = run_said(run())
    assert said["conf_keys"] == ["region"]
    assert "eu" not in str(said)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no\nsecond line"), "ValueError: no"),
        (ValueError(), "ValueError"),
        (KeyError("x"), "KeyError: 'x'"),
        ("Task was killed", "Task was killed"),
        (None, ""),
        (RuntimeError("x" * 1_000), "RuntimeError: " + "x" * 285 + "…"),
    ],
)
def test_an_error_is_what_it_is_and_the_first_line_of_what_it_says(error: Any, line: str) -> None:
    assert error_line(error) == line


def test_what_airflow_knows_to_be_secret_is_no_part_of_an_error() -> None:
    from airflow.sdk.log import mask_secret

    mask_secret("swordfish")
    assert "swordfish" not in error_line(ValueError("password swordfish is wrong"))


def test_a_run_that_had_ended_and_is_set_by_hand_changed_now() -> None:
    now, then = (run_ended("dag_run.success", run(end_date=ended), "")["time"] for ended in (NOW - 2 * DAY, NOW))
    assert datetime.fromisoformat(now) - NOW < timedelta(minutes=10)
    assert datetime.fromisoformat(then) == NOW


def test_a_failure_is_told_though_airflows_database_does_not_say_what_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = run_ended("dag_run.failed", run(id=1, state="failed"), "task_failure")
    assert (said["event"], said["reason"], said["dag"]["dag_id"]) == ("dag_run.failed", "task_failure", "orders")
    assert "failed_tasks" not in said
    assert "not told of which tasks failed" in caplog.text


# it never waits and never raises


def test_the_listener_returns_in_milliseconds_though_tidings_says_nothing(configure: Configure, silent: str) -> None:
    configure(url=silent, token="t")
    listener, took = Listener(), []
    for number in range(100):
        begun = time.perf_counter()
        listener.on_dag_run_success(run(run_id=f"manual__{number}"), "success")
        took.append((time.perf_counter() - begun) * 1_000)
    took.sort()
    assert took[50] < 20
    assert took[95] < 200


def test_a_callback_waits_no_longer_than_it_may(
    configure: Configure, silent: str, caplog: pytest.LogCaptureFixture
) -> None:
    configure(url=silent, token="t", patience="0.5", dags="")
    begun = time.perf_counter()
    TidingsNotifier().notify({"dag_run": run(), "reason": "task_failure"})
    assert 0.4 < time.perf_counter() - begun < 3
    assert "1 payloads for Tidings wait" in caplog.text


def test_a_task_that_may_not_write_to_the_buffer_sends_at_once(configure: Configure, taking: Any) -> None:
    configure(url=taking.url, token="t", buffer="/dev/null/buffer")
    TidingsNotifier().notify({"dag_run": run(), "ti": SimpleNamespace(state="up_for_retry", task_id="load")})
    [(path, said)] = taking.taken
    assert (path, said["event"], said["task"]) == ("/api/v1/sources/airflow", "task.retry", {"task_id": "load"})


def test_a_disk_that_keeps_nothing_is_said_and_not_raised(
    configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    configure(url="http://127.0.0.1:9", token="t", buffer="/dev/null/buffer")
    with caplog.at_level(logging.WARNING):
        Listener().on_dag_run_failed(run(state="failed"), "task_failure")
        TidingsNotifier().notify({"dag_run": run(), "ti": SimpleNamespace(state="failed", task_id="load")})
    assert caplog.text.count("Tidings is not told of") >= 2


def test_whatever_a_hook_is_given_it_raises_nothing(configure: Configure) -> None:
    configure(url="http://127.0.0.1:9", token="t")
    listener = Listener()
    for strange in (None, 5, object(), SimpleNamespace()):
        listener.on_starting(strange)
        listener.on_dag_run_success(strange, "")
        listener.on_dag_run_failed(strange, "")
        listener.on_task_instance_failed(None, strange, strange)
        TidingsNotifier().notify(strange)
