"""The HTTP alert plug-in of Apache DolphinScheduler: what it alerts of, as JSON within a text, without the title and
the type of the alert. Read from its code of 2.0.9, 3.0.6, 3.1.9, 3.2.2 and late 2024: `HttpSender`,
`WorkflowAlertManager` (`ProcessAlertManager` until 3.2), `AlertDao`, and the contents these make.

https://github.com/apache/dolphinscheduler
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec

from tidings.channels.contract import Field, InvalidField
from tidings.channels.field_words import words_beside
from tidings.events.event import Event, People, PersonKey, PersonRef, Subject
from tidings.events.sources.contract import Adapter, Known, Parked, Push, Reading, with_made_up_id
from tidings.events.sources.mapping import mapping_beside
from tidings.events.sources.steps import about_beside, sample_beside, steps_beside
from tidings.events.sources.understand import Text, decoded, line, moment, text, title, unmapped

WORDS = words_beside(__file__)
# `AlertConstants.TEST_CONTENT`, with the vendor's spelling of "from" left out.
TEST = "this is a test alert message"
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
        return line(_first(self.workflow_instance_id, self.process_instance_id, self.process_id))

    @property
    def run_name(self) -> str:
        return title(_first(self.workflow_instance_name, self.process_instance_name, self.process_name))

    @property
    def flow(self) -> str:
        return line(_first(self.workflow_definition_code, self.process_definition_code))

    @property
    def flow_state(self) -> str:
        return line(_first(self.workflow_execution_status, self.process_state))


class Body(Content, rename="camel"):
    """What its body is set up to be: the contents under this name, beside anything; or one content itself."""

    content: str | list[Content] | Content | None = None


_bodies = msgspec.json.Decoder(list[Content] | Body)
_contents = msgspec.json.Decoder(list[Content] | Content)


def checked_zone(name: str) -> str:
    """Raises `InvalidField`."""
    try:
        return str(ZoneInfo(name))
    except (ValueError, OSError, KeyError):
        raise InvalidField("must be a zone such as UTC or Asia/Shanghai") from None


class DolphinSchedulerAdapter(Adapter):
    code = "dolphinscheduler"
    label = "Apache DolphinScheduler"
    mapping = mapping_beside(__file__)
    group = "flows"
    about = about_beside(__file__)
    steps = steps_beside(__file__)
    sample = sample_beside(__file__)
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
    first = alike[0]
    alert = _alert(first)
    # A list of tasks that did not succeed is what is sent of a workflow that failed, and of no other.
    failed = "FAILURE" if alert == "workflow" else ""
    state = first.flow_state or failed or line(_first(first.task_state, first.state, first.event))
    words = {"project": line(first.project_name), "alert": alert, "state": state}
    if TEST in text(first.message).casefold():
        return Parked("test_message", "DolphinScheduler was asked to send a test alert.")
    if not alert:
        detail = "This is no alert of a workflow, a task or a server; the result of a SQL task comes the same way."
        return Parked("not_understood", detail)
    row = known.words.meaning([words[part] for part in known.words.parts])
    if row is None:
        return unmapped(words, known.words)
    if row.type is None:
        return ()
    if not (first.flow or first.run):
        return Parked("incomplete", "No workflow and no instance of one: nobody can say what changed.", words)
    return (_event(alike, row.type, state, known),)


def _event(alike: Sequence[Content], event_type: str, state: str, known: Known) -> Event:
    """One event of an instance that ended, or of whatever else the mapping wants to hear."""
    first, zone = alike[0], _zone(known)
    owner, editor = _person(first.owner), _person(first.modify_by)
    if known.options.get("submitter") == "modify_by" and editor:
        owner, editor = editor, owner
    details = {
        "project": line(first.project_name),
        "run": first.run,
        "run_name": first.run_name,
        "run_times": line(first.run_times),
        "started_by": line(_first(first.command_type, first.process_type)),
        "state": state,
        "tasks": list(dict.fromkeys(name for each in alike if (name := line(each.task_name))))[:TASKS_AT_MOST],
    }
    return with_made_up_id(
        Event(
            id="",
            type=event_type,
            subject=Subject("task_flow", first.run or first.flow, _title(first), _page(first, known)),
            time=max(filter(None, (_ended(each, zone) for each in alike)), default=None),
            people=People(owner, related=[editor] if editor and editor != owner else []),
            details={name: value for name, value in details.items() if value},
        )
    )


def _ended(content: Content, zone: tzinfo) -> datetime | None:
    """What is still running has no time: then it is when it arrived."""
    ended = _first(content.workflow_end_time, content.process_end_time, content.task_end_time, content.end_time)
    return moment(ended, zone)


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
    base, steps = text(_option(known, "url")), [line(content.project_code), content.run, content.flow]
    if not (base and all(steps)):
        return ""
    project, run, flow = (quote(step, safe="") for step in steps)
    return f"{base.rstrip('/')}/projects/{project}/workflow/instances/{run}?code={flow}"


def _person(name: Text) -> PersonRef | None:
    """Its users have login names; where they come from a single sign-on, these may be mail addresses."""
    login = line(name)
    return PersonKey(email=login) if "@" in login else login or None


def _zone(known: Known) -> tzinfo:
    try:
        return ZoneInfo(text(_option(known, "timezone")) or "UTC")
    except (ValueError, OSError, KeyError):
        return UTC


def _option(known: Known, name: str) -> Any:
    return known.options.get(name)


def _first(*said: Text) -> Text:
    return next((each for each in said if text(each)), None)
