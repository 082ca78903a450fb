"""Apache Airflow: what the plug-in `tidings-airflow` pushes when a DAG run ends, a task calls its notifier or a
deadline is missed. The payload is ours (`senders/tidings-airflow/src/tidings_airflow/payload.py`), its names Airflow's.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from tidings.channels.contract import Field
from tidings.channels.field_words import words_beside
from tidings.channels.words import one_line
from tidings.events.event import Event, People, PersonRef, Subject
from tidings.events.sources.airflow.assets import resources_of
from tidings.events.sources.contract import Adapter, Known, Parked, Push, Reading, with_made_up_id
from tidings.events.sources.error_line import error_line
from tidings.events.sources.mapping import Row, WordMap, mapping_beside
from tidings.events.sources.steps import told_beside
from tidings.events.sources.understand import (
    Text,
    decoded,
    incomplete,
    line,
    moment,
    page,
    person,
    several,
    text,
    title,
    unmapped,
)

WORDS = words_beside(__file__)
# Airflow's default owner of a task, whom it names where nobody has to sign in, and who runs it in its containers.
NOBODY = frozenset({"", "airflow", "anonymous", "root"})
TEST = "test"
"""`python -m tidings_airflow`."""
TASK_FAILED = "task.failed"
ID_LENGTH = 200
PEOPLE_AT_MOST = 100
TASKS_AT_MOST = 20
TAGS_AT_MOST = 100
CONF_KEYS_AT_MOST = 50
Moment = str | int | float | None


class Dag(msgspec.Struct):
    dag_id: Text = None
    display_name: Text = None
    owners: list[Text] | None = None
    tags: list[Text] | None = None


class DagRun(msgspec.Struct):
    run_id: Text = None
    run_type: Text = None
    logical_date: Moment = None
    run_after: Moment = None
    start_date: Moment = None
    end_date: Moment = None
    data_interval_start: Moment = None
    data_interval_end: Moment = None
    partition_key: Text = None
    triggering_user_name: Text = None
    note: Text = None
    conf_keys: list[Text] | None = None
    clear_number: int | None = None


class Task(msgspec.Struct):
    task_id: Text = None
    map_index: int | None = None
    try_number: int | None = None
    error: Text = None


class Deadline(msgspec.Struct):
    id: Text = None
    time: Moment = None


class Body(msgspec.Struct):
    event: Text
    dag: Dag
    dag_run: DagRun
    time: Moment = None
    reason: Text = None
    message: Text = None
    url: Text = None
    task: Task | None = None
    deadline: Deadline | None = None
    outlets: list[Text] | None = None
    failed_tasks: list[Task] | None = None
    failed_task_count: int | None = None


_decoder = msgspec.json.Decoder(Body)


class AirflowAdapter(Adapter):
    code = "airflow"
    label = "Apache Airflow"
    mapping = mapping_beside(__file__)
    group = "flows"
    labels, about, steps, sample = told_beside(__file__)
    options = (Field("url", "url", WORDS["url"]),)

    def read(self, push: Push, known: Known) -> Reading:
        body = decoded(_decoder, push.body, "the plug-in tidings-airflow")
        if isinstance(body, Parked):
            return body
        tags = _tags(body.dag)
        said = {
            "dag": line(body.dag.dag_id),
            "tag": tags[0] if tags else "",
            "run_type": line(body.dag_run.run_type),
            "event": line(body.event),
        }
        if said["event"] == TEST:
            return Parked("test_message", f"The plug-in of Airflow was tried, and said: {line(body.message)}", said)
        if missing := incomplete(_needed(body), said):
            return missing
        row = _meaning(known.words, said, tags)
        if row is None:
            return unmapped(said, known.words)
        return () if row.type is None else (_event(body, row.type, known, push.received),)


def _needed(body: Body) -> dict[str, Text]:
    return {"event": body.event, "dag.dag_id": body.dag.dag_id, "dag_run.run_id": body.dag_run.run_id}


def _meaning(mapping: WordMap, said: dict[str, str], tags: Sequence[str]) -> Row | None:
    """A DAG has many tags: the first row of the table that any of them fits."""
    rows = [mapping.meaning([*{**said, "tag": tag}.values()]) for tag in tags or ("",)]
    return min((row for row in rows if row), key=mapping.rows.index, default=None)


def _event(body: Body, event_type: str, known: Known, received: datetime) -> Event:
    """Its id is made of all it says, `end_date` and the number of clearings among it: a run that was cleared and ran
    again is another event."""
    dag, run = body.dag, body.dag_run
    return with_made_up_id(
        Event(
            id="",
            type=event_type,
            subject=Subject("task_flow", _subject_id(dag, run), _title(dag, run), _link(body, known)),
            time=moment(body.time) or moment(run.end_date) or received,
            people=_people(run, dag),
            resources=resources_of(body.outlets or ()),
            details=_details(body),
        )
    )


def _subject_id(dag: Dag, run: DagRun) -> str:
    """The run, because each has a status of its own: a later one that succeeds has not mended this one. Airflow's ids
    may have 250 characters each; two that begin alike stay two."""
    whole = one_line(f"{text(dag.dag_id)}/{text(run.run_id)}")
    if len(whole) <= ID_LENGTH:
        return whole
    return f"{whole[: ID_LENGTH - 17]}-{hashlib.blake2b(whole.encode(), digest_size=8).hexdigest()}"


def _title(dag: Dag, run: DagRun) -> str:
    """The DAG by the name people gave it, and which of its runs."""
    when = moment(run.logical_date) or moment(run.run_after)
    which = line(run.partition_key) or (f"{when:%Y-%m-%d %H:%M} UTC" if when else "")
    name = line(dag.display_name) or line(dag.dag_id)
    return title(f"{name} ({which})" if which else name)


def _link(body: Body, known: Known) -> str:
    """The page of the run, or of the task, by the routes of Airflow 3 (airflow-core/src/airflow/ui/src/router.tsx)."""
    steps: list[Text] = ["dags", body.dag.dag_id, "runs", body.dag_run.run_id]
    if body.task and text(body.task.task_id):
        steps += ["tasks", body.task.task_id]
        if body.task.map_index is not None and body.task.map_index >= 0:
            steps += ["mapped", body.task.map_index]
    return page(known.option("url") or body.url, *steps)


def _people(run: DagRun, dag: Dag) -> People:
    """Whoever started the run, else the first owner; further owners are related. Nobody is asked to approve."""
    owners = [one for owner in several(dag.owners or ()) if (one := _person(owner))]
    submitter = _person(text(run.triggering_user_name)) or (owners[0] if owners else None)
    return People(submitter, related=[one for one in owners if one != submitter][:PEOPLE_AT_MOST])


def _person(name: str) -> PersonRef | None:
    return None if name.casefold() in NOBODY else person(name)


def _tags(dag: Dag) -> list[str]:
    return several(dag.tags or ())[:TAGS_AT_MOST]


def _details(body: Body) -> dict[str, Any]:
    """By Airflow's own names; what is not known is left out."""
    run = body.dag_run
    failed = [_failed(task) for task in (body.failed_tasks or ())[:TASKS_AT_MOST]]
    found: dict[str, Any] = {
        "event": line(body.event),
        "reason": line(body.reason),
        "message": error_line(body.message),
        "error": next((said for one in failed if (said := _what_failed(one))), ""),
        "failed_tasks": _names(failed),
        "failures": failed,
        "failed_task_count": body.failed_task_count if body.failed_task_count != len(failed) else None,
        "run_type": line(run.run_type),
        "note": error_line(run.note),
        "conf_keys": several(run.conf_keys or ())[:CONF_KEYS_AT_MOST],
        "clear_number": run.clear_number or None,
        "tags": _tags(body.dag),
    }
    if body.task and text(body.task.task_id):
        one = _failed(body.task)
        found |= {"task": one, "error": _what_failed(one)}
        if line(body.event) == TASK_FAILED:
            found["failed_tasks"] = _names([one])
    if body.deadline:
        found["deadline"] = _written(body.deadline.time)
    for name in ("logical_date", "data_interval_start", "data_interval_end", "start_date", "end_date"):
        found[name] = _written(getattr(run, name))
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def _failed(task: Task) -> dict[str, Any]:
    mapped = task.map_index is not None and task.map_index >= 0
    found = {
        "task": f"{line(task.task_id)}[{task.map_index}]" if mapped else line(task.task_id),
        "try_number": task.try_number,
        "error": error_line(task.error),
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _names(failed: Sequence[dict[str, Any]]) -> list[str]:
    return [name for one in failed if (name := one.get("task"))]


def _what_failed(one: dict[str, Any]) -> str:
    return f"{one.get('task', '?')}: {one['error']}" if "error" in one else ""


def _written(said: Moment) -> str:
    when = moment(said)
    return when.isoformat().replace("+00:00", "Z") if when else ""
