"""Dagster: a run reached a status, as the sensors of `tidings-dagster` push it. The payload is ours
(`senders/tidings-dagster/src/tidings_dagster/payload.py`), its names Dagster's.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from tidings.channels.contract import Field
from tidings.channels.field_words import words_beside
from tidings.channels.webhook.signature import is_signed
from tidings.events.event import Event, People, PersonRef, Subject
from tidings.events.sources.contract import Adapter, Known, Parked, Push, Reading
from tidings.events.sources.error_line import error_line
from tidings.events.sources.mapping import mapping_beside
from tidings.events.sources.steps import told_beside
from tidings.events.sources.understand import (
    Text,
    decoded,
    incomplete,
    line,
    moment,
    page,
    people,
    person,
    text,
    title,
    unmapped,
)

WORDS = words_beside(__file__)
# https://github.com/dagster-io/dagster/blob/master/python_modules/dagster/dagster/_core/storage/tags.py
USER_TAG = "user"
WILL_RETRY_TAG = "dagster/will_retry"
TAGS_IN_DETAILS = {
    "dagster/schedule_name": "schedule",
    "dagster/sensor_name": "sensor",
    "dagster/backfill": "backfill",
    "dagster/retry_number": "retry",
}
OWNER_TAG = "owner"
# Owners of a job are mail addresses and teams: `team:dwh`.
TEAM = "team:"
# A run of chosen assets has no job of its own.
ASSET_JOB = "__ASSET_JOB"
ASSETS_IN_TITLE = 3
STEPS_AT_MOST, PEOPLE_AT_MOST = 20, 100


class Body(msgspec.Struct):
    job_name: Text = None
    run_id: Text = None
    status: Text = None
    root_run_id: Text = None
    parent_run_id: Text = None
    tags: dict[str, Text] = {}
    start_time: str | int | float | None = None
    end_time: str | int | float | None = None
    error: Text = None
    failed_step_keys: list[Text] = []
    partition_key: Text = None
    asset_selection: list[Text] = []
    owners: list[Text] = []
    code_location: Text = None
    url: Text = None

    def tag(self, name: str) -> str:
        return line(self.tags.get(name))


_decoder = msgspec.json.Decoder(Body)


class DagsterAdapter(Adapter):
    code = "dagster"
    label = "Dagster"
    mapping = mapping_beside(__file__)
    group = "flows"
    labels, about, steps, sample = told_beside(__file__)
    options = (
        Field("url", "url", WORDS["url"]),
        Field("owner", "text", WORDS["owner"]),
        Field("owner_tag", "text", WORDS["owner_tag"]),
    )
    # A tick that fails is done again, and tags of a run may have been edited by then.
    first_holds = True

    def read(self, push: Push, known: Known) -> Reading:
        body = decoded(_decoder, push.body, "the package tidings-dagster")
        if isinstance(body, Parked):
            return body
        words = {
            "job": line(body.job_name),
            "will_retry": "true" if body.tag(WILL_RETRY_TAG).casefold() == "true" else "false",
            "status": line(body.status),
        }
        if missing := incomplete({"job_name": body.job_name, "run_id": body.run_id, "status": body.status}, words):
            return missing
        row = known.words.meaning(list(words.values()))
        if row is None:
            return unmapped(words, known.words)
        return () if row.type is None else (_event(body, row.type, known, push.received),)

    def signed(self, push: Push, secret: str) -> bool:
        return is_signed(push.headers, push.body, secret, push.received)


def _event(body: Body, event_type: str, known: Known, received: datetime) -> Event:
    """A run and those that execute it again, by hand or by Dagster, are one subject: success mends what had failed."""
    run = line(body.run_id)
    return Event(
        id=f"{run}:{line(body.status)}",
        type=event_type,
        subject=Subject("task_flow", line(body.root_run_id) or run, _title(body), _page(body, run, known)),
        time=moment(body.end_time) or moment(body.start_time) or received,
        people=_people(body, known),
        details=_details(body),
    )


def _title(body: Body) -> str:
    """What ran, and of which partition."""
    name, assets = line(body.job_name), [line(asset) for asset in body.asset_selection]
    if name == ASSET_JOB and assets:
        more = len(assets) - ASSETS_IN_TITLE
        name = ", ".join(assets[:ASSETS_IN_TITLE]) + (f" (+{more})" if more > 0 else "")
    which = line(body.partition_key)
    return title(f"{name} ({which})" if which else name)


def _page(body: Body, run: str, known: Known) -> str:
    return page(known.option("url") or body.url, "runs", run)


def _people(body: Body, known: Known) -> People:
    """Whoever launched it, else the first owner; further owners are related."""
    tagged = body.tags.get(known.option("owner_tag") or OWNER_TAG)
    owners = _persons([tagged, *body.owners]) or _persons([known.option("owner")])
    submitter = person(body.tags.get(USER_TAG)) or (owners[0] if owners else None)
    return People(submitter, related=[one for one in owners if one != submitter][:PEOPLE_AT_MOST])


def _persons(said: Iterable[Text]) -> list[PersonRef]:
    return [one for one in people(said) if not str(one).startswith(TEAM)]


def _details(body: Body) -> dict[str, Any]:
    found: dict[str, Any] = {
        "run": line(body.run_id),
        "parent_run": line(body.parent_run_id),
        "error": error_line(body.error),
        "failed_tasks": [line(step) for step in body.failed_step_keys[:STEPS_AT_MOST]],
        "partition": line(body.partition_key),
        "assets": [line(asset) for asset in body.asset_selection[:STEPS_AT_MOST]],
        "will_retry": body.tag(WILL_RETRY_TAG).casefold() == "true",
        "code_location": line(body.code_location),
        "teams": [line(one) for one in body.owners if text(one).startswith(TEAM)][:STEPS_AT_MOST],
        **{name: body.tag(tag) for tag, name in TAGS_IN_DETAILS.items()},
    }
    return {name: value for name, value in found.items() if value}
