"""The webhook of dbt Cloud (the dbt platform): a run of a job started, completed, errored.

https://docs.getdbt.com/docs/deploy/webhooks
"""

import hashlib
import hmac
import re
from datetime import datetime

import msgspec

from tidings.channels.contract import Field
from tidings.channels.field_words import words_beside
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
    person,
    text,
    title,
    unmapped,
)

SIGNATURE = "authorization"
# "Test Endpoint" sends values that are not of the account it is pressed in; the documented samples have these.
TEST_JOB, TEST_RUN = "123", "12345"
# Newer accounts say "the UI". What a run over the API gives as its cause is whatever its caller wrote.
_KICKED_OFF = re.compile(r"kicked off from (?:the )?ui by (\S+@\S+)", re.IGNORECASE)
_NOTHING = ("", "None")
WORDS = words_beside(__file__)


class Run(msgspec.Struct):
    jobId: Text = None  # noqa: N815 - dbt's names
    jobName: Text = None  # noqa: N815
    runId: Text = None  # noqa: N815
    environmentName: Text = None  # noqa: N815
    projectName: Text = None  # noqa: N815
    projectId: Text = None  # noqa: N815
    runStatus: Text = None  # noqa: N815
    runStatusMessage: Text = None  # noqa: N815
    runReason: Text = None  # noqa: N815
    runStartedAt: Text = None  # noqa: N815
    runFinishedAt: Text = None  # noqa: N815
    runErroredAt: Text = None  # noqa: N815


class Body(msgspec.Struct):
    data: Run
    accountId: Text = None  # noqa: N815
    eventType: Text = None  # noqa: N815
    timestamp: Text = None


_decoder = msgspec.json.Decoder(Body)


class DbtAdapter(Adapter):
    code = "dbt"
    label = "dbt Cloud"
    mapping = mapping_beside(__file__)
    group = "warehouses"
    labels, about, steps, sample = told_beside(__file__)
    options = (Field("url", "url", WORDS["url"]), Field("owner", "text", WORDS["owner"]))
    status = 200
    # An errored run is told twice, as errored at once and as completed when its artifacts are there, with another time
    # and another message. Which of them a webhook is subscribed to is up to whoever made it.
    first_holds = True

    def read(self, push: Push, known: Known) -> Reading:
        body = decoded(_decoder, push.body, "dbt Cloud")
        if isinstance(body, Parked):
            return body
        run, mapping = body.data, known.words
        words = {
            "project": line(run.projectName),
            "environment": line(run.environmentName),
            "job": line(run.jobName),
            "event": line(body.eventType),
            "status": line(run.runStatus),
        }
        if (text(run.jobId), text(run.runId)) == (TEST_JOB, TEST_RUN):
            return Parked(
                "test_message", "dbt Cloud was asked to test its endpoint, or sent its documented sample.", words
            )
        needed = {"eventType": body.eventType, "jobId": run.jobId, "runId": run.runId, "runStatus": run.runStatus}
        if missing := incomplete(needed, words):
            return missing
        row = mapping.meaning([words[part] for part in mapping.parts])
        if row is None:
            return unmapped(words, mapping)
        return () if row.type is None else (_event(body, row.type, known, push.received),)

    def signed(self, push: Push, secret: str) -> bool:
        expected = hmac.new(secret.encode(), push.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), push.headers.get(SIGNATURE, "").encode(errors="replace"))


def _event(body: Body, event_type: str, known: Known, received: datetime) -> Event:
    run = body.data
    error = text(run.runStatusMessage)
    details = {
        "project": line(run.projectName),
        "environment": line(run.environmentName),
        "job": line(run.jobId),
        "comment": line(run.runReason),
        "error": "" if error in _NOTHING else error_line(error),
    }
    return Event(
        # Of the run and what became of it: the same in both deliveries of an errored one.
        id="-".join(line(part).casefold() for part in (body.accountId, run.runId, run.runStatus)),
        type=event_type,
        # The run, because each has a status of its own: a later one that succeeds has not mended this one.
        subject=Subject("task_flow", line(run.runId), title(run.jobName), _page(body, known)),
        time=_time(body) or received,
        people=People(_submitter(run, known)),
        details={name: value for name, value in details.items() if value},
    )


def _time(body: Body) -> datetime | None:
    run = body.data
    ended = moment(run.runErroredAt) or moment(run.runFinishedAt)
    started = moment(run.runStartedAt) if text(body.eventType).endswith(".started") else None
    return ended or started or moment(body.timestamp)


def _submitter(run: Run, known: Known) -> PersonRef | None:
    """Who pressed the button; else, of a run by schedule or over the API, the owner that the source has."""
    by = _KICKED_OFF.fullmatch(line(run.runReason))
    return person(by[1] if by else known.option("owner"))


def _page(body: Body, known: Known) -> str:
    """Of the run; older accounts send no project id, and then there is none."""
    steps = ("deploy", body.accountId, "projects", body.data.projectId, "runs", body.data.runId)
    return page(known.option("url"), *steps)
