"""A code location as somebody has it."""

from pathlib import Path

from dagster import Definitions, asset, define_asset_job, job, op

from tidings_dagster import tidings_sensors

TRIED = Path(__file__).parent  # replaced by the test, which copies this file


@op
def load() -> None: ...


@op
def divide() -> None:
    _ = 1 / 0


@op
def second_time_lucky() -> None:
    mark = TRIED / "tried"
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


defs = Definitions(
    assets=[orders],
    jobs=[good, bad, flaky, define_asset_job("refresh", [orders])],
    sensors=tidings_sensors(minimum_interval_seconds=1, webserver_url="https://dagster.example.com"),
)
