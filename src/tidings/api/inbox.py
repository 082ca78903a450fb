"""The in-app inbox."""

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime, ConfigDict

from tidings.api.authenticate import caller
from tidings.api.events import BecauseShown, SubjectNamed
from tidings.api.pages import Paging, page_of
from tidings.events.inbox import Item, count_unread, inbox, mark_read, worded
from tidings.kernel.problems import invalid
from tidings.planning.plan import Because
from tidings.planning.record import because_json

router = Router(tags=["me"])


class InboxFilters(Schema):
    unread: bool = False


class ItemShown(Schema):
    """In the reader's language. `event_id` names it, in `POST /me/inbox/read` too."""

    event_id: UUID
    type: str
    labels: dict[str, str]
    tone: str
    time: AwareDatetime
    subject: SubjectNamed
    headline: str
    todo: str
    why: str
    url: str
    because: list[BecauseShown]
    read: bool


class InboxShown(Schema):
    items: list[ItemShown]
    next_cursor: str | None
    unread: int = Field(description="how many are unread in all; 1,000 stands for more")


class ReadWanted(Schema):
    model_config = ConfigDict(extra="forbid")
    ids: Annotated[list[UUID], Field(max_length=1_000)] | None = None
    all: Literal[True] | None = None


class ReadDone(Schema):
    read: int
    unread: int


@router.get("/me/inbox", response=InboxShown, exclude_unset=True)
def get_inbox(request: HttpRequest, filters: Query[InboxFilters], paging: Query[Paging]) -> dict[str, Any]:
    """Newest first: all that this person was told of, on whatever channel or none."""
    who = caller(request)
    who.require_scope("read")
    me = who.as_person()
    page = page_of(inbox(me, unread=filters.unread), paging)
    items = [_shown(item) for item in worded(me, page.rows)]
    return {"items": items, "next_cursor": page.next_cursor, "unread": count_unread(me)}


@router.post("/me/inbox/read", response=ReadDone)
def read(request: HttpRequest, body: ReadWanted) -> dict[str, int]:
    who = caller(request)
    who.require_scope("write")
    me = who.as_person()
    if (body.ids is None) == (body.all is None):
        raise invalid('Send either {"ids": [...]} or {"all": true}.')
    return {"read": mark_read(me, body.ids), "unread": count_unread(me)}


def _shown(item: Item) -> dict[str, Any]:
    event, subject = item.event, item.subject
    return {
        "event_id": event.id,
        "type": event.type,
        "labels": item.labels,
        "tone": item.tone,
        "time": event.time,
        "subject": {"kind": subject.kind, "id": subject.key, "title": subject.title, "url": subject.url},
        "headline": item.headline,
        "todo": item.todo,
        "why": item.why,
        "url": item.url,
        "because": [because_json(Because(role, of)) for role, of in item.recipient.because],
        "read": item.recipient.read_at is not None,
    }
