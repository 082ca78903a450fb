"""A sensor for each status. What it cannot tell now, it tells at a later tick.

Nothing is kept on disk here: code locations are containers that come and go, while Dagster keeps the place of each
sensor in its own database, and that is the buffer. But a sensor of a run status goes on to the next run when its
function raises (https://github.com/dagster-io/dagster/pull/6807), so an alert that raises is lost. What Dagster raises
itself ends the tick, and leaves the sensor where it was: hence `NotTold`. What the tick had told by then, it tells
again; Tidings knows it by its id. One that Tidings fails at for an hour is passed over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from dagster import (
    DagsterError,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunStatusSensorContext,
    SensorDefinition,
    run_status_sensor,
)

from tidings_client import Client, Refused, Unavailable
from tidings_dagster.payload import payload

ADAPTER = "dagster"
PATIENCE = 5.0
"""Seconds within a tick, of which Dagster gives 60 at most: the next one is the real second try."""
PASSED_OVER_AFTER = 3600.0
"""Seconds since the end of a run that Tidings fails at for a reason of its own. It needs no memory."""


class NotTold(DagsterError):
    """Tidings could not be told now; the next tick tries again, from this run on."""


def tidings_sensors(
    *,
    statuses: Sequence[DagsterRunStatus] = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE),
    client: Client | None = None,
    webserver_url: str = "",
    monitored_jobs: Sequence[Any] | None = None,
    monitor_all_code_locations: bool = False,
    minimum_interval_seconds: int | None = None,
    default_status: DefaultSensorStatus = DefaultSensorStatus.RUNNING,
    name: str = "tidings",
) -> list[SensorDefinition]:
    """For `Definitions(sensors=[*tidings_sensors()])`. Without a `client` it is the one of the environment
    (`TIDINGS_URL`, `TIDINGS_TOKEN`), asked for at the first run that is to be told. `webserver_url`: where people open
    Dagster, for links; a source of Tidings may say it too. The others are those of `run_status_sensor`; runs of all
    jobs of the code location are told unless they say otherwise."""
    told_by = _lazily(client)

    def sensor(status: DagsterRunStatus) -> SensorDefinition:
        @run_status_sensor(
            run_status=status,
            name=f"{name}_{status.value.lower()}",
            description=f"Tells Tidings of runs that are {status.value}.",
            monitored_jobs=monitored_jobs,
            monitor_all_code_locations=monitor_all_code_locations,
            minimum_interval_seconds=minimum_interval_seconds,
            default_status=default_status,
        )
        def tell(context: RunStatusSensorContext) -> None:
            _tell(context, told_by, webserver_url)

        return tell

    return [sensor(status) for status in statuses]


def _tell(context: RunStatusSensorContext, client: Callable[[], Client], webserver_url: str) -> None:
    """Raises `NotTold`, which ends the tick; and `Refused` for what will never be taken, which the tick shows while the
    sensor goes on."""
    run = context.dagster_run
    try:
        pushed = client().push(ADAPTER, payload(context, webserver_url))
    except Unavailable as away:
        if away.code == "internal_error" and _ended(context) < time.time() - PASSED_OVER_AFTER:
            context.log.error(f"Tidings fails at run {run.run_id}, which is passed over: {away}")
            return
        raise NotTold(f"Run {run.run_id} is told at the next tick: {away}") from away
    except Refused as refused:
        if refused.of_the_event:
            raise
        raise NotTold(f"Run {run.run_id} is told when this is mended: {refused}") from refused
    if pushed.parked:
        context.log.warning(f"Tidings parked run {run.run_id}: {pushed.parked.detail} See {pushed.parked.see}")


def _ended(context: RunStatusSensorContext) -> float:
    """Or began, where it is a status of a run that goes on; long ago, when Dagster no longer has it."""
    record = context.instance.get_run_record_by_id(context.dagster_run.run_id)
    if record is None:
        return 0.0
    return record.end_time or record.start_time or record.create_timestamp.timestamp()


def _lazily(client: Client | None) -> Callable[[], Client]:
    """Code that defines things is loaded in many places, and in few of them is there an environment to tell from."""
    made = [client] if client else []

    def told_by() -> Client:
        if not made:
            try:
                made.append(Client.from_environment(patience=PATIENCE))
            except (ValueError, OSError) as missing:
                raise NotTold(f"Runs are told when this is mended: {missing}") from missing
        return made[0]

    return told_by
