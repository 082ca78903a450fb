"""The HTTP alert plug-in of Apache DolphinScheduler: what it alerts of, as JSON within a text, without the title and
the type of the alert. Read from its code of 2.0.9, 3.0.6, 3.1.9, 3.2.2 and late 2024: `HttpSender`,
`WorkflowAlertManager` (`ProcessAlertManager` until 3.2), `AlertDao`, and the contents these make.

https://github.com/apache/dolphinscheduler
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from urllib.parse import quote

import msgspec

from tidings.channels.contract import Field
from tidings.channels.field_words import words_beside
from tidings.events.event import Event, People, Subject
from tidings.events.sources.contract import Adapter, Known, Parked, Push, Reading, with_made_up_id
from tidings.events.sources.mapping import mapping_beside
from tidings.events.sources.steps import told_beside
from tidings.events.sources.understand import (
    Text,
    decoded,
    first,
    line,
    link,
    moment,
    page,
    person,
    text,
    title,
    unmapped,
)
from tidings.events.sources.zone import checked_zone, zone

WORDS = words_beside(__file__)
# `AlertConstants.TEST_CONTENT`, with the vendor's spelling of "from" left out.
TEST = "this is a test alert message"
FAILED = "FAILURE"
TASKS_AT_MOST = 20
EVENTS_AT_MOST = 100
# What an instance is called: its definition's name, until 3.2 the definition's version, and when it was made.
_RUN_OF_WORKFLOW = re.compile(r"(.+)-\d{17}")
_RUN_OF_PROCESS = re.compile(r"(.+?)(?:-\d+)?-\d{17}")


class Content(msgspec.Struct, rename="camel"):
    """One thing it alerts of; which, says what is there. What is a workflow today was a process until 3.2."""

    project_code: Text = None
    project_name: Text = None
    owner: Text = None
    modify_by: Text = None
    workflow_instance_id: Text = None
    process_instance_id: Text = None
    process_id: Text = None
    workflow_instance_name: Text = None
    process_instance_name: Text = None
    process_name: Text = None
    workflow_definition_code: Text = None
    process_definition_code: Text = None
    workflow_execution_status: Text = None
    process_state: Text = None
    command_type: Text = None
    process_type: Text = None
    run_times: Text = None
    workflow_end_time: Text = None
    process_end_time: Text = None
    task_instance_id: Text = None
    task_name: Text = None
    task_state: Text = None
    task_end_time: Text = None
    state: Text = None
    end_time: Text = None
    rule_name: Text = None
    event: Text = None
    type: Text = None
    host: Text = None
    message: Text = None

    @property
    def run(self) -> str:
        return line(first(self.workflow_instance_id, self.process_instance_id, self.process_id))

    @property
    def run_name(self) -> str:
        return title(first(self.workflow_instance_name, self.process_instance_name, self.process_name))

    @property
    def flow(self) -> str:
        return line(first(self.workflow_definition_code, self.process_definition_code))

    @property
    def flow_state(self) -> str:
        return line(first(self.workflow_execution_status, self.process_state))


class Body(Content, rename="camel"):
    """What its body is set up to be: the contents under this name, beside anything; or one content itself."""

    content: str | list[Content] | Content | None = None


_bodies = msgspec.json.Decoder(list[Content] | Body)
_contents = msgspec.json.Decoder(list[Content] | Content)


class DolphinSchedulerAdapter(Adapter):
    code = "dolphinscheduler"
    label = "Apache DolphinScheduler"
    mapping = mapping_beside(__file__)
    group = "flows"
    labels, about, steps, sample = told_beside(__file__)
    options = (
        Field("url", "url", WORDS["url"]),
        Field("timezone", "text", WORDS["timezone"], default="UTC", check=checked_zone),
        Field("submitter", "choice", WORDS["submitter"], default="owner", choices=("owner", "modify_by")),
    )
    # `HttpSender.validateResponse` takes any other for a failure.
    status = 200

    def read(self, push: Push, known: Known) -> Reading:
        contents = _read(push.body)
        if isinstance(contents, Parked):
            return contents
        events: list[Event] = []
        groups = [*_together(contents)]
        if len(groups) > EVENTS_AT_MOST:
            detail = f"It tells of {len(groups):,} things at once; of one alert {EVENTS_AT_MOST} are read."
            return Parked("not_understood", detail)
        for alike in groups:
            found = _understood(alike, known)
            if isinstance(found, Parked):
                return found
            events += found
        return events


def _read(body: bytes) -> Sequence[Content] | Parked:
    said: Sequence[Content] | Content | Parked = decoded(_bodies, body, "DolphinScheduler")
    if isinstance(said, Body) and said.content is not None:
        within = said.content
        if within == "":
            return ()  # all that is said of a workflow that was stopped or paused
        said = decoded(_contents, within, "DolphinScheduler") if isinstance(within, str) else within
    if isinstance(said, Parked | Content):
        return said if isinstance(said, Parked) else (said,)
    return said or Parked("incomplete", "An alert of nothing: a workflow failed, and none of its tasks is named.")


def _together(contents: Iterable[Content]) -> Iterable[Sequence[Content]]:
    """A workflow that failed is told as one content for each of its tasks that did not succeed."""
    groups: dict[tuple[str, str, str], list[Content]] = {}
    for content in contents:
        groups.setdefault((_alert(content), content.run, content.flow_state), []).append(content)
    return groups.values()


def _alert(content: Content) -> str:
    """What it alerts of: neither the title nor the type of an alert is passed on."""
    event, task = text(content.event), text(content.task_name)
    if event == "TIME_OUT":
        return "task timeout" if task else "workflow timeout"
    if text(content.rule_name):
        return "data quality"
    if text(content.task_instance_id):
        return "task"
    if content.run and (content.flow_state or text(content.task_state)):
        return "workflow"
    if content.run and task:
        return "fault tolerance"
    return "server down" if event == "SERVER_DOWN" or (content.host and content.type) else ""


def _understood(alike: Sequence[Content], known: Known) -> Sequence[Event] | Parked:
    content = alike[0]
    alert = _alert(content)
    # A list of tasks that did not succeed is what is sent of a workflow that failed, and of no other.
    failed = FAILED if alert == "workflow" else ""
    state = content.flow_state or failed or line(first(content.task_state, content.state, content.event))
    words = {"project": line(content.project_name), "alert": alert, "state": state}
    if TEST in text(content.message).casefold():
        return Parked("test_message", "DolphinScheduler was asked to send a test alert.")
    if not alert:
        detail = "This is no alert of a workflow, a task or a server; the result of a SQL task comes the same way."
        return Parked("not_understood", detail)
    row = known.words.meaning([words[part] for part in known.words.parts])
    if row is None:
        return unmapped(words, known.words)
    if row.type is None:
        return ()
    if not (content.flow or content.run):
        return Parked("incomplete", "No workflow and no instance of one: nobody can say what changed.", words)
    return (_event(alike, row.type, state, known),)


def _event(alike: Sequence[Content], event_type: str, state: str, known: Known) -> Event:
    """One event of an instance that ended, or of whatever else the mapping wants to hear."""
    content, timezone = alike[0], zone(known.option("timezone")) or UTC
    owner, editor = person(content.owner), person(content.modify_by)
    if known.option("submitter") == "modify_by" and editor:
        owner, editor = editor, owner
    details = {
        "project": line(content.project_name),
        "run": content.run,
        "run_name": content.run_name,
        "run_times": line(content.run_times),
        "started_by": line(first(content.command_type, content.process_type)),
        "state": state,
        "failed_tasks": _tasks(each for each in alike if first(each.task_state, each.state) == FAILED),
        "tasks": _tasks(alike),
    }
    return with_made_up_id(
        Event(
            id="",
            type=event_type,
            subject=Subject("task_flow", content.run or content.flow, _title(content), _page(content, known)),
            time=max(filter(None, (_ended(each, timezone) for each in alike)), default=None),
            people=People(owner, related=[editor] if editor and editor != owner else []),
            details={name: value for name, value in details.items() if value},
        )
    )


def _tasks(contents: Iterable[Content]) -> list[str]:
    return list(dict.fromkeys(name for each in contents if (name := line(each.task_name))))[:TASKS_AT_MOST]


def _ended(content: Content, timezone: tzinfo) -> datetime | None:
    """What is still running has no time: then it is when it arrived."""
    ended = first(content.workflow_end_time, content.process_end_time, content.task_end_time, content.end_time)
    return moment(ended, timezone)


def _title(content: Content) -> str:
    """The workflow by its name, and which of its runs."""
    name = _flow_name(content)
    return title(f"{name} ({content.run})" if name and content.run else name)


def _flow_name(content: Content) -> str:
    pattern = _RUN_OF_WORKFLOW if text(content.workflow_instance_name) else _RUN_OF_PROCESS
    found = pattern.fullmatch(content.run_name)
    return found[1] if found else content.run_name


def _page(content: Content, known: Known) -> str:
    """Of the instance, by the routes of the UI since 3.0."""
    run = page(known.option("url"), "projects", content.project_code, "workflow", "instances", content.run)
    return link(f"{run}?code={quote(content.flow, safe='')}") if run and content.flow else ""
