"""The custom webhook of Bytebase, which had one from 1.0.5 (2022) to 3.4.1 (2025); and that of a pull request of July
2025, which was never merged. Told apart by their shape.

https://github.com/bytebase/bytebase/blob/3.4.1/backend/plugin/webhook/custom.go
https://github.com/bytebase/bytebase/pull/16901
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from tidings.channels.contract import Field
from tidings.channels.field_words import words_beside
from tidings.events.event import Event, People, PersonKey, PersonRef, Subject
from tidings.events.sources.contract import Adapter, Known, Parked, Push, Reading, with_made_up_id
from tidings.events.sources.mapping import mapping_beside
from tidings.events.sources.steps import told_beside
from tidings.events.sources.understand import Text, decoded, line, link, moment, people, person, text, title, unmapped

WORDS = words_beside(__file__)
CREATED = "bb.issue.create"
TEST = 'Test webhook "'
# Its robot, by whom tasks are run.
NOBODY = ("", "0", "1")
APPROVERS_AT_MOST = 100
# Where links lead as long as nobody has told Bytebase its own address (`--external-url`).
_NO_ADDRESS = "https://www.bytebase.com/docs/"
_NUMBER = re.compile(r"/(?:issues?/(?:[^/?#]*-)?([0-9]+)|rollouts/([0-9]+))(?:[?#]|\Z)")
_NAMED = re.compile(r".*\(([^()\s]+@[^()\s]+)\)\s*")


class Issue(msgspec.Struct):
    id: Text = None
    name: Text = None
    status: Text = None
    type: Text = None


class Project(msgspec.Struct):
    id: Text = None
    name: Text = None
    title: Text = None


class Body(msgspec.Struct):
    """`actor` and `meta` are of the pull request, `title` and `link` of both, the rest of the releases. No description:
    that of an issue may hold anything, and a comment may quote the SQL."""

    title: Text = None
    link: Text = None
    level: Text = None
    activity_type: Text = None
    creator_id: Text = None
    creator_name: Text = None
    created_ts: int | float | str | None = None
    issue: Issue | None = None
    project: Project | None = None
    actor: Text = None
    meta: dict[str, Text] | None = None


_decoder = msgspec.json.Decoder(Body)


class BytebaseAdapter(Adapter):
    code = "bytebase"
    label = "Bytebase"
    mapping = mapping_beside(__file__)
    group = "tickets"
    labels, about, steps, sample = told_beside(__file__)
    options = (Field("owner", "text", WORDS["owner"]), Field("approvers", "text", WORDS["approvers"]))
    # "resp.StatusCode != http.StatusOK", then `CustomWebhookResponse.Code`: anything else is a failure.
    status = 200
    answer: ClassVar[Mapping[str, Any]] = {"code": 0, "message": ""}

    def read(self, push: Push, known: Known) -> Reading:
        body = decoded(_decoder, push.body, "Bytebase")
        if isinstance(body, Parked):
            return body
        issue, mapping = body.issue or Issue(), known.words
        words = {
            "project": _project(body),
            "issue": line(issue.type),
            "activity": line(body.activity_type),
            "title": line(body.title),
        }
        if words["title"].startswith(TEST):
            return Parked("test_message", "Bytebase was asked to test its webhook.", words)
        if not words["title"]:
            return Parked("incomplete", "No title: nobody can say what changed.", words)
        row = mapping.meaning([words[part] for part in mapping.parts])
        if row is None:
            return unmapped(words, mapping)
        if row.type is None:
            return ()
        key = line(issue.id) or _key(text(body.link))
        if not key:
            return Parked("incomplete", "Neither an issue nor a link to one: nobody can say what changed.", words)
        return (_event(body, row.type, key, known, push.received),)


def _event(body: Body, event_type: str, key: str, known: Known, received: datetime) -> Event:
    issue, said = body.issue or Issue(), _meta(body, "Issue", "工单", "Rollout", "发布")
    number = line(body.creator_id)
    # Whoever created the issue is named when they do, and by the pull request; else by nobody.
    creates = text(body.activity_type) == CREATED and number not in NOBODY
    created = PersonKey(external_id=number) if creates else None
    asked = event_type.endswith(".pending_approval")
    details = {
        "project": _project(body),
        "issue_type": line(issue.type),
        "issue_status": line(issue.status),
        "stage": _meta(body, "Stage", "阶段"),
        "task": _meta(body, "Task", "任务"),
    }
    return with_made_up_id(
        Event(
            id="",
            type=event_type,
            subject=Subject("ticket", key, title(issue.name) or said, _page(body)),
            # The pull request sends none: a push that is repeated is told twice, and a task that fails again is told.
            time=moment(body.created_ts) or received,
            people=People(
                _named(_meta(body, "Issue Creator", "工单创建者")) or created or person(known.option("owner")),
                approvers=people([known.option("approvers")])[:APPROVERS_AT_MOST] if asked else [],
            ),
            actor=_actor(body),
            details={name: value for name, value in details.items() if value},
        )
    )


def _page(body: Body) -> str:
    page = link(body.link)
    return "" if page.startswith(_NO_ADDRESS) else page


def _key(page: str) -> str:
    """Of the issue, or of a rollout without one."""
    found = _NUMBER.search(page)
    if found is None:
        return ""
    return line(found[1] or f"rollout-{found[2]}")


def _project(body: Body) -> str:
    project = body.project or Project()
    return line(project.title) or line(project.name) or _meta(body, "Project Title", "项目名称")


def _actor(body: Body) -> PersonRef | None:
    """Whom the releases call creator, of the activity: as they are shown, since their number tells a reader nothing."""
    robot = line(body.creator_id) in NOBODY
    return _named(text(body.actor)) or (None if robot else line(body.creator_name) or None)


def _meta(body: Body, *names: str) -> str:
    return next((value for name in names if (value := line((body.meta or {}).get(name)))), "")


def _named(said: str) -> PersonRef | None:
    """Ann (ann@example.com)."""
    found = _NAMED.fullmatch(line(said))
    return PersonKey(email=found[1]) if found else None
