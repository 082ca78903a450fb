"""What is told of a run, in Dagster's own words: the adapter `dagster` of Tidings reads it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dagster import AssetKey, DagsterEvent, DagsterRun, DagsterRunStatus, RunStatusSensorContext
from dagster import __version__ as dagster_version
from dagster._core.storage.tags import HIDDEN_TAG_PREFIX

ERROR_AT_MOST = 2_000
LISTED_AT_MOST = 100
ASSETS_LOOKED_AT = 500


def payload(context: RunStatusSensorContext, webserver_url: str = "") -> dict[str, Any]:
    """The same for the same run and status, however often it is asked for. No configuration of the run, nothing that it
    computed."""
    run = context.dagster_run
    record = context.instance.get_run_record_by_id(run.run_id)
    failures = _step_failures(context)
    return {
        "job_name": run.job_name,
        "run_id": run.run_id,
        "root_run_id": run.root_run_id,
        "parent_run_id": run.parent_run_id,
        # What the sensor is about: the run itself may be further by now.
        "status": _status(context.dagster_event, run),
        "tags": {name: value for name, value in run.tags.items() if not name.startswith(HIDDEN_TAG_PREFIX)},
        "start_time": record.start_time if record else None,
        "end_time": record.end_time if record else None,
        "error": _error(context.dagster_event, failures)[:ERROR_AT_MOST],
        "failed_step_keys": [event.step_key for event in failures[:LISTED_AT_MOST]],
        "partition_key": context.partition_key,
        "asset_selection": sorted(key.to_user_string() for key in run.asset_selection or ())[:LISTED_AT_MOST],
        "owners": _owners(context)[:LISTED_AT_MOST],
        "code_location": _code_location(run),
        "url": webserver_url,
        "versions": {"dagster": dagster_version, "tidings_dagster": "0.1.0"},
    }


def _status(event: DagsterEvent, run: DagsterRun) -> str:
    """`PIPELINE_FAILURE` is the event of the status FAILURE."""
    from dagster._core.events import EVENT_TYPE_TO_PIPELINE_RUN_STATUS

    return EVENT_TYPE_TO_PIPELINE_RUN_STATUS.get(event.event_type, run.status).value


def _step_failures(context: RunStatusSensorContext) -> Sequence[DagsterEvent]:
    if _status(context.dagster_event, context.dagster_run) != DagsterRunStatus.FAILURE.value:
        return ()
    return context.for_run_failure().get_step_failure_events()


def _error(event: DagsterEvent, failures: Sequence[DagsterEvent]) -> str:
    """What went wrong first in the code of people, without the frames around it; else what Dagster says of the run."""
    for failure in failures:
        error = failure.step_failure_data.error
        while error and error.cause:
            error = error.cause
        if error:
            return error.message.strip()
    return (event.message or "").strip() if failures or event.is_job_failure else ""


def _owners(context: RunStatusSensorContext) -> list[str]:
    """Of the job and of the assets that it was to make, each once: mail addresses, and teams as `team:dwh`. A run of
    another code location is known here without its owners."""
    run, repository = context.dagster_run, context.repository_def
    if repository is None or not repository.has_job(run.job_name):
        return []
    job = repository.get_job(run.job_name)
    made: Iterable[AssetKey] = run.asset_selection or job.asset_layer.selected_asset_keys
    found = list(getattr(job, "owners", None) or ())
    for key in sorted(made)[:ASSETS_LOOKED_AT]:
        if repository.asset_graph.has(key):
            found += repository.asset_graph.get(key).owners
    return list(dict.fromkeys(found))


def _code_location(run: DagsterRun) -> str | None:
    origin = run.remote_job_origin
    return origin.repository_origin.code_location_origin.location_name if origin else None
