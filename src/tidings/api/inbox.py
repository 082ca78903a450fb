"""The in-app inbox."""

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime, ConfigDict

from tidings.api.authenticate import caller
from tidings.api.events import BecauseShown, SkipShown, SubjectNamed
from tidings.api.pages import Paging, Text
from tidings.catalog.extend import catalog_of
from tidings.delivery.read_inbox import Item, asks_to_act, worded
from tidings.events.inbox import Which, count_unread, inbox, mark_all_read, mark_read
from tidings.kernel.pages import cursor_of, write_cursor
from tidings.kernel.problems import invalid
from tidings.planning.plan import Because
from tidings.planning.record import because_json

router = Router(tags=["me"])
UNREAD = "how many of the latest 5,000 are unread; 1,000 stands for more"


class InboxFilters(Schema):
    unread: bool = False
    feature: Text | None = None
    waiting: bool = Field(False, description="only what asks you to act, and whose subject still waits for it")


class FactShown(Schema):
    key: str
    label: str
    value: str


class SentShown(Schema):
    channel: str
    state: str
    reason: str
    due_at: AwareDatetime


class StatusShown(Schema):
    type: str
    labels: dict[str, str]


class ItemShown(Schema):
    """In the reader's language. `event_id` names it, in `POST /me/inbox/read` too."""

    event_id: UUID
    type: str
    labels: dict[str, str]
    tone: str
    time: AwareDatetime
    subject: SubjectNamed
    headline: str
    facts: list[FactShown] = Field(description="as a message has them: what, where, who, when")
    todo: str
    why: str
    url: str
    because: list[BecauseShown]
    read: bool
    waiting: bool = Field(description="you are asked to act, and the subject still waits for it")
    moved_on: StatusShown | None = Field(description="the later status of its subject")
    sends: list[SentShown] = Field(description="where it also went, and whether it arrived")
    skips: list[SkipShown] = Field(description="the methods that led nowhere, and why")


class InboxShown(Schema):
    items: list[ItemShown]
    next_cursor: str | None = Field(
        description="a page with filters looks at 5,000 items: it may have few, or none, and be followed by another"
    )
    unread: int = Field(description=UNREAD)


class UnreadShown(Schema):
    unread: int = Field(description=UNREAD)


class ReadWanted(Schema):
    model_config = ConfigDict(extra="forbid")
    ids: Annotated[list[UUID], Field(max_length=1_000)] | None = None
    all: Literal[True] | None = Field(None, description="the latest 5,000")
    until: UUID | None = Field(None, description="with `all`: an event; what came after it stays unread")


class ReadDone(Schema):
    read: int
    unread: int


@router.get("/me/inbox", response=InboxShown, exclude_unset=True)
def get_inbox(request: HttpRequest, filters: Query[InboxFilters], paging: Query[Paging]) -> dict[str, Any]:
    """Newest first: all that this person was told of, on whatever channel or none."""
    who = caller(request)
    who.require_scope("read")
    me = who.as_person()
    catalog = catalog_of(me.tenant_id)
    waiting = asks_to_act(catalog) if filters.waiting else None
    which = Which(filters.unread, filters.feature, waiting)
    rows, following = inbox(me, which, limit=paging.limit, after=cursor_of(paging.cursor, UUID))
    return {
        "items": [_shown(item) for item in worded(me, rows, catalog)],
        "next_cursor": write_cursor(following) if following else None,
        "unread": count_unread(me),
    }


@router.get("/me/inbox/unread", response=UnreadShown)
def get_unread(request: HttpRequest) -> dict[str, int]:
    """Alone, for whoever asks often."""
    who = caller(request)
    who.require_scope("read")
    return {"unread": count_unread(who.as_person())}


@router.post("/me/inbox/read", response=ReadDone)
def read(request: HttpRequest, body: ReadWanted) -> dict[str, int]:
    who = caller(request)
    who.require_scope("write")
    me = who.as_person()
    if (body.ids is None) == (body.all is None) or (body.until and body.ids is not None):
        raise invalid('Send either {"ids": [...]} or {"all": true}, the latter with "until" or without.')
    done = mark_all_read(me, body.until) if body.ids is None else mark_read(me, body.ids)
    return {"read": done, "unread": count_unread(me)}


def _shown(item: Item) -> dict[str, Any]:
    event, subject, moved_on = item.event, item.subject, item.moved_on
    return {
        "event_id": event.id,
        "type": event.type,
        "labels": item.event_type.labels,
        "tone": item.event_type.tone,
        "time": event.time,
        "subject": {"kind": subject.kind, "id": subject.key, "title": subject.title, "url": subject.url},
        "headline": item.headline,
        "facts": [{"key": fact.key, "label": fact.label, "value": fact.value} for fact in item.facts],
        "todo": item.todo,
        "why": item.why,
        "url": item.url,
        "because": [because_json(Because(role, of)) for role, of in item.row.because],
        "read": item.row.read,
        "waiting": item.waiting,
        "moved_on": moved_on and {"type": moved_on.code, "labels": moved_on.labels},
        "sends": [{name: send[name] for name in ("channel", "state", "reason", "due_at")} for send in item.sends],
        "skips": item.skips,
    }
