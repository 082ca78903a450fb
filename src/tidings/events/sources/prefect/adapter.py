"""Prefect 3: a flow run entered a state, as Prefect's own event says it. An automation sends the event whole
(`{{ event.model_dump_json() }}`); `tidings-prefect` sends the same from the hooks of a flow.

https://docs.prefect.io/v3/api-ref/events/flow-run-events
"""

from datetime import datetime

import msgspec

from tidings.channels.contract import Field
from tidings.channels.field_words import words_beside
from tidings.events.event import Event, People, PersonRef, Subject
from tidings.events.sources.contract import Adapter, Known, Parked, Push, Reading, with_made_up_id
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

FLOW_RUN = "prefect.flow-run."
# Of a run that is alive, every half minute where it is switched on: no state.
HEARTBEAT = f"{FLOW_RUN}heartbeat"
TAG, OWNER_TAG = "prefect.tag.", "owner:"
OF_PEOPLE = "prefect-cloud.user."
FAILURES = ("FAILED", "CRASHED")
WORDS = words_beside(__file__)

Labels = dict[str, Text]


class Body(msgspec.Struct):
    event: str
    resource: Labels
    related: list[Labels] = []
    id: Text = None
    occurred: Text = None

    def label(self, name: str) -> str:
        return line(self.resource.get(f"prefect.{name}"))

    def related_as(self, role: str) -> list[Labels]:
        return [each for each in self.related if each.get("prefect.resource.role") == role]

    def name_of(self, role: str) -> str:
        """Of the first in this role that has one: to a hook a deployment is an id."""
        return next(filter(None, (line(each.get("prefect.resource.name")) for each in self.related_as(role))), "")

    def tags(self) -> list[str]:
        """A tag has no name beside its id."""
        return [line(each.get("prefect.resource.id")).removeprefix(TAG) for each in self.related_as("tag")]


_decoder = msgspec.json.Decoder(Body)
_sent = msgspec.json.Decoder(Body | str)


class PrefectAdapter(Adapter):
    code = "prefect"
    label = "Prefect"
    mapping = mapping_beside(__file__)
    group = "flows"
    labels, about, steps, sample = told_beside(__file__)
    options = (Field("url", "url", WORDS["url"]), Field("owner", "text", WORDS["owner"]))
    # An automation and a hook of the flow may both tell it, under the id of the state; a hook knows less.
    first_holds = True

    def read(self, push: Push, known: Known) -> Reading:
        body = _decoded(push.body)
        if isinstance(body, Parked):
            return body
        if body.event == HEARTBEAT:
            return ()
        resource, mapping = body.label("resource.id"), known.words
        if not (body.event.startswith(FLOW_RUN) and resource.startswith(FLOW_RUN)):
            return Parked(
                "not_understood", f"{line(body.event)!r} is no event of a flow run: see the automation's trigger."
            )
        words = {
            "flow": body.name_of("flow"),
            "deployment": body.name_of("deployment"),
            "type": body.label("state-type"),
            "state": body.label("state-name"),
        }
        run = resource.removeprefix(FLOW_RUN)
        if missing := incomplete({"the run's id": run, "prefect.state-type": words["type"]}, words):
            return missing
        row = mapping.meaning([words[part] for part in mapping.parts])
        if row is None:
            return unmapped(words, mapping)
        return () if row.type is None else (_event(body, row.type, run, words, known, push.received),)


def _decoded(raw: bytes) -> Body | Parked:
    """Prefect before 3.4.2 sends what a template gives as a JSON string, with the event inside."""
    sent = decoded(_sent, raw, "Prefect")
    if not isinstance(sent, str):
        return sent
    return decoded(_decoder, sent, "Prefect")


def _event(body: Body, event_type: str, run: str, words: dict[str, str], known: Known, received: datetime) -> Event:
    flow, deployment, name = words["flow"], words["deployment"], body.label("resource.name")
    # Prefect's own way to write it; a run's name tells it from others of its flow.
    whole = "/".join(part for part in (flow, deployment) if part)
    failed = words["type"].upper() in FAILURES
    details = {
        "state": words["state"],
        "run_name": name,
        "work_pool": body.name_of("work-pool"),
        # Its first line: what databases add to an exception is the statement, below it.
        "error": error_line(text(body.resource.get("prefect.state-message")).partition("\n")[0]) if failed else "",
    }
    event = Event(
        id=line(body.id),
        type=event_type,
        # The run, because each has a status of its own: a later one that succeeds has not mended this one.
        subject=Subject(
            "task_flow",
            run,
            title(f"{whole} ({name})" if whole and name else whole or name),
            page(known.option("url"), "runs", "flow-run", run),
        ),
        time=moment(body.label("state-timestamp")) or moment(body.occurred) or received,
        people=_people(body, known),
        details={key: value for key, value in details.items() if value},
    )
    return event if event.id else with_made_up_id(event)


def _people(body: Body, known: Known) -> People:
    """Who the tags name as owners, the first by the alphabet as submitter; else whoever of Prefect Cloud started it;
    else the owner that the source has."""
    tags = [tag for tag in body.tags() if tag.casefold().startswith(OWNER_TAG)]
    owners = sorted({who for tag in tags if (who := person(tag[len(OWNER_TAG) :]))}, key=str)
    if not owners:
        return People(_creator(body) or person(known.option("owner")))
    return People(owners[0], related=owners[1:])


def _creator(body: Body) -> PersonRef | None:
    """A deployment or an automation is no person."""
    for each in body.related_as("creator"):
        if text(each.get("prefect.resource.id")).startswith(OF_PEOPLE):
            return person(each.get("prefect.resource.name"))
    return None
