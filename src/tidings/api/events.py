"""Events as they are kept, each with its decision record."""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime

from tidings.accounts.permissions import Caller
from tidings.api.authenticate import caller
from tidings.api.pages import Listed, Moment, Paging, Text
from tidings.delivery.told import happened, record_of, summary, sums_of
from tidings.delivery.waits import WaitsFor
from tidings.events.find import Which, subjects_by_id
from tidings.events.models import Event

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
    person: Text | None = Field(None, description="a login: events this person was told of, or is involved in")
    state: Literal["unplanned", "failed", "pending"] | None = Field(
        None, description="not planned yet; with a delivery that failed or waits, of the 2,000 newest that do"
    )


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


class EventListed(EventSummary):
    """`told` people; `deliveries` by state. For who does not see all: of themselves alone."""

    told: int
    deliveries: dict[str, int]


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
    waits_for: WaitsFor
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


@router.get("/events", response=Listed[EventListed])
def list_events(request: HttpRequest, filters: Query[EventFilters], paging: Query[Paging]) -> dict[str, Any]:
    """Newest first. A page looks at 50,000 events and no more: it may be short, and lead on all the same."""
    who = caller(request)
    which = Which(**filters.dict(exclude={"state"}), unplanned=filters.state == "unplanned")
    page = happened(who, which, paging, filters.state)
    sums = sums_of(who, page.rows)
    items = [
        {**one, "told": sums[one["id"]].told, "deliveries": sums[one["id"]].states} for one in summaries(who, page.rows)
    ]
    return {"items": items, "next_cursor": page.next_cursor}


@router.get("/events/{event_id}", response=DecisionRecord, exclude_unset=True)
def get_event(request: HttpRequest, event_id: UUID) -> dict[str, Any]:
    return record_of(caller(request), event_id)


def summaries(who: Caller, events: Sequence[Event]) -> list[dict[str, Any]]:
    subjects = subjects_by_id(who.tenant_id, {event.subject_id for event in events})
    return [summary(event, subjects[event.subject_id]) for event in events]
