"""Alibaba Cloud DataWorks: the messages of OpenEvent as EventBridge calls an HTTPS target with them, CloudEvents 1.0
with extensions of its own; and the same messages in the older envelope, which extensions still get.

https://www.alibabacloud.com/help/en/dataworks/user-guide/formats-of-event-messages-sent-to-eventbridge
https://www.alibabacloud.com/help/en/dataworks/latest/appendix-message-formats
https://www.alibabacloud.com/help/en/eventbridge/user-guide/signature-algorithm
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import quote

import msgspec
from msgspec import field

from tidings.channels.contract import Field, InvalidField
from tidings.channels.field_words import words_beside
from tidings.events.event import Event, People, PersonKey, PersonRef, Resource, Subject, is_link
from tidings.events.sources.contract import Adapter, Known, Parked, Push, Reading, with_made_up_id
from tidings.events.sources.mapping import mapping_beside
from tidings.events.sources.steps import told_beside
from tidings.events.sources.understand import (
    Text,
    decoded,
    first,
    is_secret,
    line,
    link,
    moment,
    person,
    text,
    title,
    unmapped,
)

WORDS = words_beside(__file__)
# "User-defined signature token", the one part of the signature that needs no certificate from elsewhere.
HEADER = "x-eventbridge-signature-token"
# What the console can put into the address of a page; DataWorks documents none.
IN_LINKS = ("region", "workspace", "node", "instance", "workflow")
TABLES_AT_MOST = 20
# The zone of EventBridge's own times: 2020-11-19T21:04:42.179PRC.
_PRC = "PRC"
_AHEAD = timedelta(hours=8)
Moment = str | int | float | None


class Table(msgspec.Struct, rename="camel"):
    odps_project: Text = None
    odps_table: Text = None


class Asked(msgspec.Struct, rename="camel"):
    array_data: list[Table] | None = None
    project_env: Text = None


class Process(msgspec.Struct, rename="camel"):
    process_id: Text = None
    title: Text = None
    status: Text = None
    applicant: Text = None
    approval_content: Asked | None = None


class Data(msgspec.Struct, rename="camel"):
    """Of any of its messages; each has some of these."""

    event_code: Text = None
    project_id: Text = None
    app_id: Text = None
    project_env: Text = None
    task_id: Text = None
    node_id: Text = None
    node_name: Text = None
    dag_id: Text = None
    dag_name: Text = None
    dag_type: Text = None
    task_type: Text = None
    flow_name: Text = None
    biz_date: Text = None
    status: Text = None
    task_status: Text = None
    finish_time: Moment = None
    modify_time: Moment = None
    update_time: Moment = None
    operator: Text = None
    owner_id: Text = None
    owner: Text = None
    assignee: Text = None
    process_id: Text = None
    process: Process | None = None


class Body(msgspec.Struct, rename="camel"):
    """`id` to `data` are those of CloudEvents, the rest those of the older envelope."""

    id: Text = None
    type: Text = None
    time: Moment = None
    published: Text = field(default=None, name="aliyunpublishtime")
    region: Text = field(default=None, name="aliyunregionid")
    data: Data | None = None
    message_id: Text = None
    event_type: Text = None
    event_category_type: Text = None
    message_body: Data | None = None


_decoder = msgspec.json.Decoder(Body)


def checked_link(template: str) -> str:
    """Raises `InvalidField`."""
    filled = _filled(template, dict.fromkeys(IN_LINKS, "1"))
    if "{" in filled or not is_link(filled):
        names = ", ".join(f"{{{name}}}" for name in IN_LINKS)
        raise InvalidField(f"must be a whole URL; in braces it may have {names}, and nothing else")
    return template


class DataWorksAdapter(Adapter):
    code = "dataworks"
    label = "Alibaba Cloud DataWorks"
    mapping = mapping_beside(__file__)
    group = "warehouses"
    labels, about, steps, sample = told_beside(__file__)
    options = (
        Field("owner", "text", WORDS["owner"]),
        Field("link", "text", WORDS["link"], check=checked_link),
    )
    # Which answers EventBridge takes for success is not documented; 200 is one by any reading.
    status = 200

    def read(self, push: Push, known: Known) -> Reading:
        body = decoded(_decoder, push.body, "EventBridge")
        if isinstance(body, Parked):
            return body
        data, mapping = body.data or body.message_body, known.words
        if data is None:
            return Parked("not_understood", "This is no CloudEvent with data in it, and no message of DataWorks.")
        process = data.process or Process()
        words = {
            "event": line(first(body.type, body.event_type, data.event_code, body.event_category_type)),
            "workspace": line(first(data.project_id, data.app_id)),
            "dag": line(data.dag_type),
            "task": line(data.task_type),
            "status": line(first(data.status, data.task_status, process.status)),
        }
        row = mapping.meaning([words[part] for part in mapping.parts])
        if row is None:
            return unmapped(words, mapping)
        if row.type is None:
            return ()
        subject = _subject(body, data, process, known)
        if not subject.id:
            detail = "No instance, workflow, node or approval is named: nobody can say what changed."
            return Parked("incomplete", detail, words)
        return (_event(body, data, process, row.type, subject, known),)

    def signed(self, push: Push, secret: str) -> bool:
        return is_secret(push.headers.get(HEADER, ""), secret)


def _event(body: Body, data: Data, process: Process, event_type: str, subject: Subject, known: Known) -> Event:
    asked = process.approval_content or Asked()
    assignee = _uid(data.assignee)
    details = {
        "workspace": line(first(data.project_id, data.app_id)),
        "environment": line(data.project_env).lower(),
        "instance": "" if data.process else line(data.task_id),
        "flow": line(data.flow_name),
        "business_date": line(data.biz_date),
    }
    event = Event(
        id=line(first(body.id, body.message_id)),
        type=event_type,
        subject=subject,
        time=_time(body, data),
        people=People(_submitter(data, process, known), approvers=[assignee] if assignee else []),
        resources=_tables(asked.array_data or ()),
        details={name: value for name, value in details.items() if value},
    )
    return event if event.id else with_made_up_id(event)


def _subject(body: Body, data: Data, process: Process, known: Known) -> Subject:
    """The run: of a workflow, else of a node, of which DataWorks tells nothing but numbers."""
    if approval := line(first(process.process_id, data.process_id)):
        return Subject("ticket", approval, title(process.title))
    workflow, node = line(data.dag_id), line(data.node_id)
    steps = {
        "region": line(body.region),
        "workspace": line(first(data.project_id, data.app_id)),
        "node": node,
        "instance": line(data.task_id),
        "workflow": workflow,
    }
    key = workflow if text(data.dag_name) else line(data.task_id) or node or workflow
    page = _filled(known.option("link"), {name: step for name, step in steps.items() if step})
    url = "" if "{" in page else link(page)
    return Subject("task_flow", key, title(first(data.dag_name, data.node_name, node)), url)


def _submitter(data: Data, process: Process, known: Known) -> PersonRef | None:
    """By the UIDs of Alibaba Cloud accounts. The status of an instance names nobody: the source says who is told."""
    return _uid(first(process.applicant, data.operator, data.owner_id, data.owner)) or person(known.option("owner"))


def _uid(said: Text) -> PersonRef | None:
    return PersonKey(external_id=uid) if (uid := line(said)) else None


def _tables(asked: Iterable[Table]) -> list[Resource]:
    """Of MaxCompute, where a project is what an instance and a database are elsewhere."""
    names = [(line(table.odps_project), line(table.odps_table)) for table in asked]
    return [Resource(project, project, table) for project, table in dict.fromkeys(names) if project][:TABLES_AT_MOST]


def _time(body: Body, data: Data) -> datetime | None:
    """When it changed. In the page's own samples `time` is local and yet has a Z, eight hours after the message was
    published; what is within the data is better."""
    if changed := moment(data.finish_time) or moment(data.modify_time) or moment(data.update_time):
        return changed
    said, published = moment(body.time), moment(text(body.published).replace(_PRC, "+08:00"))
    ahead = said is not None and published is not None and said - published > _AHEAD / 2
    return said - _AHEAD if said and ahead else said


def _filled(template: str, steps: dict[str, str]) -> str:
    for name, step in steps.items():
        template = template.replace(f"{{{name}}}", quote(step, safe=""))
    return template
