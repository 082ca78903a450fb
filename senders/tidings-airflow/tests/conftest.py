"""A real Airflow beside a real Tidings: API server, scheduler, DAG processor and triggerer, each a process, on SQLite."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

# Before anything imports Airflow, which makes a folder where it thinks it is at home.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="tidings-airflow-")

SOURCE = "airflow-prod"
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
STOPWATCH = Path(__file__).with_name("stopwatch.py")
PASSWORDS = {"ann": "ann's", "dan": "dan's"}
UP_WITHIN, SOON = 150.0, 60.0


class Airflow:
    """`home` must not exist; `dags` is copied into it. Begins to make its database."""

    def __init__(self, home: Path, dags: Path) -> None:
        self.home = home
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._tokens: dict[str, str] = {}
        (home / "dags").mkdir(parents=True)
        for each in dags.glob("*.py"):
            (home / "dags" / each.name).write_text(each.read_text())
        (home / "dags" / "dwh_orders.py").write_text(_dag_of_the_page())
        (home / "plugins").mkdir()
        (home / "plugins" / "stopwatch.py").write_text(STOPWATCH.read_text())
        (home / "passwords.json").write_text(json.dumps(PASSWORDS))
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "TIDINGS"))
        }
        self.environment |= {
            "AIRFLOW_HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            **_section("core", load_examples="False", dags_are_paused_at_creation="False", parallelism="4",
                       execution_api_server_url=f"{self.url}/execution/",
                       simple_auth_manager_users=",".join(f"{name}:admin" for name in PASSWORDS),
                       simple_auth_manager_passwords_file=str(home / "passwords.json")),
            **_section("api", host="127.0.0.1", port=str(self.port), workers="1", base_url=self.url),
            **_section("scheduler", scheduler_heartbeat_sec="1", scheduler_idle_sleep_time="0.2",
                       enable_health_check="False"),
            **_section("dag_processor", parsing_processes="1", min_file_process_interval="3600"),
            **_section("logging", worker_log_server_port=str(_free_port()), trigger_log_server_port=str(_free_port())),
            **_section("triggerer", capacity="10"),
        }  # fmt: skip
        self._migration = subprocess.Popen(
            ["airflow", "db", "migrate"], env=self.environment, stdout=subprocess.DEVNULL, start_new_session=True
        )

    def start(self, settings: Mapping[str, str]) -> None:
        """`settings` go into the section [tidings]."""
        self.environment |= _section("tidings", **settings)
        assert self._migration.wait(120) == 0
        for component in COMPONENTS:
            self.start_one(component)
        self._wait("Airflow is up", UP_WITHIN, self._healthy)
        known = {path.stem for path in (self.home / "dags").glob("*.py")}
        self._wait("the DAGs are known", SOON, lambda: known <= {each["dag_id"] for each in self.get("/dags")["dags"]})

    def start_one(self, component: str) -> None:
        with (self.home / f"{component}.log").open("ab") as log:
            self._running[component] = subprocess.Popen(
                ["airflow", component], env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self) -> None:
        _kill(self._migration.pid, signal.SIGKILL)
        self._migration.wait(10)
        for process in self._running.values():
            _kill(process.pid, signal.SIGTERM)
        for component in list(self._running):
            self.stop_one(component)

    def stop_one(self, component: str, how: signal.Signals = signal.SIGTERM) -> None:
        """It and the processes it has started, which are a session of their own."""
        process = self._running.pop(component)
        _kill(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(3)
        _kill(process.pid, signal.SIGKILL)
        process.wait(10)

    def log(self, component: str) -> str:
        return (self.home / f"{component}.log").read_text(errors="replace")

    def command(self, *arguments: str, expect: int = 0, **settings: str) -> str:
        """What it says."""
        environment = {**self.environment, **_section("tidings", **settings)}
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == expect, (done.returncode, done.stdout[-3_000:], done.stderr[-3_000:])
        return done.stdout + done.stderr

    def hooks(self) -> list[tuple[str, float]]:
        """Which of our hooks were called for runs, in the scheduler, and the milliseconds that each took."""
        lines = [line.split() for line in (self.home / "hooks").read_text().splitlines()]
        return [(name, float(took)) for name, took in lines if name.startswith("on_dag_run")]

    # runs

    def trigger(self, dag: str, by: str = "ann", **more: Any) -> str:
        return str(self.call("POST", f"/dags/{dag}/dagRuns", {"logical_date": None, **more}, by=by)["dag_run_id"])

    def ended(self, dag: str, run: str, *, within: float = SOON) -> Any:
        """The run, once it has ended."""
        return self._wait(f"{dag} {run} has ended", within, lambda: self._ended(dag, run))

    def _ended(self, dag: str, run: str) -> Any:
        found = self.get(f"/dags/{dag}/dagRuns/{run}")
        return found if found["state"] in ("success", "failed") else None

    def runs(self, dag: str) -> Any:
        return self.get(f"/dags/{dag}/dagRuns")["dag_runs"]

    # the API

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def call(self, method: str, path: str, body: Any = None, by: str = "ann") -> Any:
        if by not in self._tokens:
            self._tokens[by] = _request("POST", f"{self.url}/auth/token",
                                        {"username": by, "password": PASSWORDS[by]})["access_token"]  # fmt: skip
        return _request(method, f"{self.url}/api/v2{path}", body, self._tokens[by])

    def _healthy(self) -> bool:
        try:
            found = _request("GET", f"{self.url}/api/v2/monitor/health")
        except OSError:
            for component, process in self._running.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{component} ended: {self.log(component)[-3_000:]}") from None
            return False
        return all(found[part]["status"] == "healthy" for part in ("scheduler", "triggerer", "dag_processor"))

    def _wait(self, what: str, within: float, found: Any) -> Any:
        ends = time.monotonic() + within
        while not (result := found()):
            if time.monotonic() > ends:
                tail = "\n".join(f"--- {each}\n{self.log(each)[-1_500:]}" for each in COMPONENTS)
                raise AssertionError(f"not so after {within:.0f} s: {what}\n{tail}")
            time.sleep(0.1)
        return result


def _section(section: str, **options: str) -> dict[str, str]:
    return {f"AIRFLOW__{section.upper()}__{name.upper()}": value for name, value in options.items()}


def _dag_of_the_page() -> str:
    """What `docs/sources/airflow.md` shows of a DAG."""
    page = (Path(__file__).parents[3] / "docs" / "sources" / "airflow.md").read_text("utf-8")
    [block] = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return str(block)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _kill(session: int, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(session, how)


def _request(method: str, url: str, body: Any = None, token: str = "") -> Any:
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {url}: {error.code} {error.read().decode()[:500]}") from None


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["AIRFLOW_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def new_airflow() -> Iterator[Airflow]:
    home = Path(tempfile.mkdtemp(prefix="tidings-airflow-"))
    made = Airflow(home / "home", Path(__file__).parent / "dags")
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow(new_airflow: Airflow, node: Any) -> Airflow:
    """It makes its database while the node starts."""
    for login in ("ann", "bo", "dan"):
        node.person(login)
    _, token = node.source(SOURCE)
    new_airflow.start({"url": node.url, "token": token})
    return new_airflow
