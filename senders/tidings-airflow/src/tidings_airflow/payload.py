"""What is sent, in Airflow's own names: `POST /api/v1/sources/airflow` reads it. Takes whatever stands for a run, a DAG
or a task in the process it runs in: rows of the metadata database, models of the Task SDK, or what the API answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import airflow

from tidings_airflow import __version__
from tidings_airflow.settings import airflow_url

ERROR_KEY = "tidings_error"
"""The XCom of a failed task, in which its error is."""
ERROR_LENGTH = 300
TEXT_LENGTH = 500
CONF_KEYS_AT_MOST = 50
OUTLETS_AT_MOST = 100
Payload = dict[str, Any]
RUN = (
    "run_id", "run_type", "state", "logical_date", "run_after", "queued_at", "start_date", "end_date",
    "data_interval_start", "data_interval_end", "partition_key", "triggered_by", "triggering_user_name", "clear_number",
)  # fmt: skip


def payload(event: str, *, dag: Payload, dag_run: Payload, time: datetime | str | None = None, **more: Any) -> Payload:
    """What is not known is left out."""
    whole = {
        "event": event,
        "time": _written(time),
        "url": airflow_url(),
        "dag": dag,
        "dag_run": dag_run,
        **more,
        "versions": {"airflow": airflow.__version__, "tidings_airflow": __version__},
    }
    return {name: value for name, value in whole.items() if value not in (None, "", [])}


def run_said(run: Any, note: str | None = None) -> Payload:
    """Of its conf only the names: the values may be anybody's data."""
    said = {name: _written(member(run, name)) for name in RUN}
    said["run_id"] = said["run_id"] or _written(member(run, "dag_run_id"))  # so the API calls it
    said["conf_keys"] = sorted(map(str, member(run, "conf") or ()))[:CONF_KEYS_AT_MOST]
    said["note"] = cut(note or "", TEXT_LENGTH)
    return {name: value for name, value in said.items() if value not in (None, "", [])}


def dag_said(dag_id: str, dag: Any, owners: Iterable[str] = ()) -> Payload:
    """The owners are those of its tasks, in their order: Airflow knows no other."""
    found = list(owners) or [str(member(task, "owner") or "") for task in member(dag, "tasks") or ()]
    said = {
        "dag_id": dag_id,
        "display_name": member(dag, "dag_display_name"),
        "owners": list(dict.fromkeys(part.strip() for each in found for part in each.split(",") if part.strip())),
        "tags": sorted(map(str, member(dag, "tags") or ())),
    }
    return {name: value for name, value in said.items() if value}


def task_said(task: Any, error: str = "") -> Payload:
    said = {name: member(task, name) for name in ("task_id", "map_index", "try_number")}
    said["error"] = error
    return {name: value for name, value in said.items() if value not in (None, "")}


def outlets_of(tasks: Iterable[Any]) -> list[str]:
    """The URIs of the assets that these tasks say they make, each once, and nothing of them but the address."""
    uris = (member(outlet, "uri") for task in tasks for outlet in member(task, "outlets") or ())
    found = dict.fromkeys(_address(uri) for uri in uris if isinstance(uri, str) and "://" in uri)
    return list(found)[:OUTLETS_AT_MOST]


def _address(uri: str) -> str:
    parts = urlsplit(uri)
    return cut(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}", TEXT_LENGTH)


def error_line(error: BaseException | str | None) -> str:
    """What it is, and the first line of what it says: the lines after it are where databases repeat the statement.
    Without what Airflow knows to be secret."""
    if error is None:
        return ""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    whole = lines[0] if isinstance(error, str) else f"{type(error).__name__}: {lines[0]}".rstrip(": ")
    return cut(_without_secrets(whole), ERROR_LENGTH)


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _without_secrets(text: str) -> str:
    """As in Airflow's own logs."""
    from airflow.sdk.log import redact  # type: ignore[attr-defined]

    return str(redact(text))


def member(one: Any, name: str) -> Any:
    """Of a mapping or of anything else; None where there is none."""
    return one.get(name) if isinstance(one, Mapping) else getattr(one, name, None)


def _written(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value


def names_of(owners: str | Sequence[str]) -> list[str]:
    return [owners] if isinstance(owners, str) else list(owners)
