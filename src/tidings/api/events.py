"""Events as they are kept, each with its decision record."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime

from tidings.accounts.permissions import Caller
from tidings.api.authenticate import caller
from tidings.api.pages import Listed, Moment, Paging, Text
from tidings.delivery.told import record_of, summary
from tidings.events.find import Which, events_of, subjects_by_id
from tidings.events.models import Event
from tidings.kernel.pages import page_of

router = Router(tags=["events"])


class EventFilters(Schema):
    source: Text | None = None
    source_id: Text | None = Field(None, description="the source's own id of the event")
    type: Text | None = None
    feature: Text | None = None
    subject_kind: Text | None = None
    subject_id: Text | None = None
    since: Moment | None = Field(None, description="accepted at this time or later")
    until: Moment | None = Field(None, description="accepted before this time")


class SubjectNamed(Schema):
    kind: str
    id: str
    title: str
    url: str = ""


class EventSummary(Schema):
    id: UUID
    source: str
    source_id: str
    type: str
    feature: str
    time: AwareDatetime
    accepted_at: AwareDatetime
    number: int = Field(description="which of its subject's events it is")
    planned: bool = Field(description="false: kept, and waiting to be planned")
    subject: SubjectNamed


class EventShown(EventSummary):
    """What the source sent is there while it is kept, for those who may see all; so is `fault`."""

    people: dict[str, Any] | None = None
    actor: Any = None
    resources: list[dict[str, str]] | None = None
    details: dict[str, Any] | None = None
    content_kept: bool | None = None
    fault: str | None = None


class BecauseShown(Schema):
    role: str
    of: str | None = None


class SkipShown(Schema):
    role: str | None = None
    person: str | None = None
    channel: str | None = None
    reason: str


class SendShown(Schema):
    delivery_id: UUID | None
    channel: str
    state: str
    due_at: AwareDatetime
    reason: str
    attempts: list[dict[str, Any]]


class RecipientShown(Schema):
    login: str
    name: str
    because: list[BecauseShown]
    sends: list[SendShown]
    skips: list[SkipShown]


class DecisionRecord(Schema):
    event: EventShown
    recipients: list[RecipientShown]
    skips: list[SkipShown]


@router.get("/events", response=Listed[EventSummary])
def list_events(request: HttpRequest, filters: Query[EventFilters], paging: Query[Paging]) -> dict[str, Any]:
    """Newest first."""
    who = caller(request)
    page = page_of(events_of(who, Which(**filters.dict())), paging, by="-place")
    return {"items": summaries(who, page.rows), "next_cursor": page.next_cursor}


@router.get("/events/{event_id}", response=DecisionRecord, exclude_unset=True)
def get_event(request: HttpRequest, event_id: UUID) -> dict[str, Any]:
    return record_of(caller(request), event_id)


def summaries(who: Caller, events: Sequence[Event]) -> list[dict[str, Any]]:
    subjects = subjects_by_id(who.tenant_id, {event.subject_id for event in events})
    return [summary(event, subjects[event.subject_id]) for event in events]
