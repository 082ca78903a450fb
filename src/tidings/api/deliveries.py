"""Deliveries: what became of each message, and trying again."""

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime, ConfigDict

from tidings.api.authenticate import caller
from tidings.api.events import SubjectNamed
from tidings.api.pages import Listed, Moment, Paging, Text
from tidings.delivery.find import Shown, Which, deliveries_page
from tidings.delivery.retry import AT_MOST, retry_deliveries, retry_delivery
from tidings.delivery.waits import Standing, WaitsFor, standing_of
from tidings.kernel.clock import now
from tidings.kernel.pages import cursor_of, write_cursor

router = Router(tags=["deliveries"])


class DeliveryFilters(Schema):
    state: Literal["pending", "sending", "sent", "delivered", "failed", "cancelled"] | None = None
    channel: Text | None = None
    recipient: Text | None = Field(None, description="a login")
    event_type: Text | None = None
    since: Moment | None = Field(None, description="of events accepted at this time or later")
    until: Moment | None = Field(None, description="of events accepted before this time")


WAITS = (
    "why an open one waits: `sending`: for the answer to its try; `turn`: its turn in a moment; `node`: no node "
    "delivers; `older`: an older message to the same person about the same subject; `limit`: the vendor's budget; "
    "`vendor`: a vendor in trouble; `schedule`: its next try at `due_at`"
)


class DeliveryShown(Schema):
    id: UUID
    event_id: UUID
    event_type: str
    subject: SubjectNamed
    recipient: str
    name: str
    channel: str
    state: str
    due_at: AwareDatetime
    reason: str
    waits_for: WaitsFor = Field(description=WAITS)
    provider_id: str
    attempts: list[dict[str, Any]]


class ManyToRetry(DeliveryFilters):
    """All that fit are tried again: nothing given means everything that failed."""

    model_config = ConfigDict(extra="forbid")
    state: Literal["failed", "cancelled"] = "failed"
    ids: Annotated[list[UUID], Field(max_length=1_000)] | None = Field(None, description="only these")
    cursor: Text | None = None
    limit: int = Field(AT_MOST, ge=1, le=AT_MOST)


class WaitingShown(Schema):
    waits_for: WaitsFor = Field(description=WAITS)
    channel: str
    reason: str
    count: int
    due_at: AwareDatetime = Field(description="of the first of them")


class FailingShown(Schema):
    channel: str
    reason: str
    count: int


class StandingShown(Schema):
    """What waits now, and what failed of the events of the last hours. Both are counted up to 10,000 deliveries; that
    many stand for more."""

    waiting: list[WaitingShown]
    waiting_count: int
    failed: list[FailingShown]
    failed_count: int
    oldest_due_at: AwareDatetime | None = Field(description="of what should have gone already")
    nodes_delivering: int


class Retried(Schema):
    """`refused` counts, by reason, what was left as it is; `next_cursor` leads to what was not looked at yet."""

    retried: int
    refused: dict[str, int]
    next_cursor: str | None


@router.get("/deliveries", response=Listed[DeliveryShown])
def list_deliveries(request: HttpRequest, filters: Query[DeliveryFilters], paging: Query[Paging]) -> dict[str, Any]:
    """Newest first. A page of what has no index looks at 10,000 events and no more: it may be short, and have a
    `next_cursor` all the same."""
    return deliveries_page(caller(request), Which(**filters.dict()), paging).listed(_shown)


@router.get("/deliveries/summary", response=StandingShown)
def summarise(request: HttpRequest, hours: Annotated[int, Query(ge=1, le=720)] = 24) -> Standing:
    """What waits, what fails, and why. For those who see all of their tenant."""
    return standing_of(caller(request), hours=hours, now=now())


@router.post("/deliveries/retry", response=Retried)
def retry_many(request: HttpRequest, body: ManyToRetry) -> dict[str, Any]:
    """At most 10,000 a call, newest first."""
    which = Which(**body.dict(exclude={"cursor", "limit"}))
    done = retry_deliveries(caller(request), which, after=cursor_of(body.cursor, UUID), limit=body.limit)
    cursor = None if done.last is None else write_cursor(done.last)
    return {"retried": done.retried, "refused": dict(done.refused), "next_cursor": cursor}


@router.post("/deliveries/{delivery_id}/retry", response=DeliveryShown)
def retry_one(request: HttpRequest, delivery_id: UUID) -> dict[str, Any]:
    """It keeps its identity, so that a receiver can tell a repeat; its retry schedule starts over."""
    return _shown(retry_delivery(caller(request), delivery_id))


def _shown(one: Shown) -> dict[str, Any]:
    return {
        "id": one.id,
        "event_id": one.event_id,
        "event_type": one.event_type,
        "subject": {"kind": one.subject_kind, "id": one.subject_id, "title": one.subject_title, "url": one.subject_url},
        "recipient": one.recipient,
        "name": one.name,
        "channel": one.channel,
        "state": one.state,
        "due_at": one.due_at,
        "reason": one.reason,
        "waits_for": one.waits_for,
        "provider_id": one.provider_id,
        "attempts": list(one.attempts),
    }
