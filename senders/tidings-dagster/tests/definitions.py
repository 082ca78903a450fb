"""A code location as somebody has it."""

from collections.abc import Iterator
from pathlib import Path

from dagster import (
    DefaultSensorStatus,
    Definitions,
    RunRequest,
    asset,
    define_asset_job,
    in_process_executor,
    job,
    op,
    sensor,
)

from tidings_dagster import tidings_sensors

HERE = Path(__file__).parent
"""The test copies this file into a folder of its own."""


@op
def load() -> None: ...


@op
def divide() -> None:
    _ = 1 / 0


@op
def second_time_lucky() -> None:
    mark = HERE / "tried"
    if not mark.exists():
        mark.touch()
        raise RuntimeError("relation \"orders\" does not exist LINE 1: SELECT * FROM orders WHERE card = '4711'")


@job(tags={"owner": "ann"}, owners=["bo@example.com", "team:dwh"])
def good() -> None:
    load()


@job(owners=["bo@example.com", "team:dwh"])
def bad() -> None:
    divide()


@job(tags={"dagster/max_retries": "1"})
def flaky() -> None:
    second_time_lucky()


@asset(owners=["dan@example.com"])
def orders() -> None: ...


refresh = define_asset_job("refresh", [orders])


@sensor(jobs=[good, bad, flaky, refresh], minimum_interval_seconds=1, default_status=DefaultSensorStatus.RUNNING)
def on_demand() -> Iterator[RunRequest]:
    """The test asks for a run by a file: `wanted/1.good`."""
    for wanted in sorted((HERE / "wanted").iterdir()):
        yield RunRequest(run_key=wanted.name, job_name=wanted.suffix[1:], tags={"wanted": wanted.name})


defs = Definitions(
    assets=[orders],
    jobs=[good, bad, flaky, refresh],
    executor=in_process_executor,
    sensors=[
        on_demand,
        *tidings_sensors(minimum_interval_seconds=1, webserver_url="https://dagster.example.com"),
    ],
)
