"""A plug-in for the tests: how long the listeners of Airflow's own processes take, in `hooks` beside its plug-ins."""

import sys
import time
from pathlib import Path
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

FILE = Path(__file__).parents[1] / "hooks"
_began: list[float] = []


def _before(name: str, *_: Any) -> None:
    _began.append(time.perf_counter())


def _after(_: Any, name: str, *__: Any) -> None:
    took = (time.perf_counter() - _began.pop()) * 1_000
    with FILE.open("a") as file:
        file.write(f"{name} {took:.1f}\n")


class Stopwatch:
    @hookimpl
    def on_starting(self, component: Any) -> None:
        if sys.argv[1:2] == ["scheduler"] and type(component).__name__ == "Job":
            from airflow.listeners.listener import get_listener_manager

            get_listener_manager().pm.add_hookcall_monitoring(_before, _after)
            FILE.touch()


class StopwatchPlugin(AirflowPlugin):
    name = "stopwatch"
    listeners = [Stopwatch()]  # noqa: RUF012
