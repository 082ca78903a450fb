"""Deliveries: what became of each message, and trying again."""

from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime, ConfigDict

from tidings.api.authenticate import caller
from tidings.api.events import SubjectNamed
from tidings.api.pages import Listed, Moment, Paging, Text
from tidings.delivery.find import Shown, Which, deliveries_of
from tidings.delivery.retry import AT_MOST, retry_deliveries, retry_delivery
from tidings.kernel.pages import cursor_of, cut_page, write_cursor

router = Router(tags=["deliveries"])


class DeliveryFilters(Schema):
    state: Literal["pending", "sending", "sent", "delivered", "failed", "cancelled"] | None = None
    channel: Text | None = None
    recipient: Text | None = Field(None, description="a login")
    event_type: Text | None = None
    since: Moment | None = Field(None, description="of events accepted at this time or later")
    until: Moment | None = Field(None, description="of events accepted before this time")


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
    provider_id: str
    attempts: list[dict[str, Any]]


class ManyToRetry(DeliveryFilters):
    """All that fit are tried again: nothing given means everything that failed."""

    model_config = ConfigDict(extra="forbid")
    state: Literal["failed", "cancelled"] = "failed"
    cursor: Text | None = None
    limit: int = Field(AT_MOST, ge=1, le=AT_MOST)


class Retried(Schema):
    """`refused` counts, by reason, what was left as it is; `next_cursor` leads to what was not looked at yet."""

    retried: int
    refused: dict[str, int]
    next_cursor: str | None


@router.get("/deliveries", response=Listed[DeliveryShown])
def list_deliveries(request: HttpRequest, filters: Query[DeliveryFilters], paging: Query[Paging]) -> dict[str, Any]:
    """Newest first."""
    after = cursor_of(paging.cursor, UUID)
    found = deliveries_of(caller(request), Which(**filters.dict()), limit=paging.limit + 1, after=after)
    return cut_page(found, paging, lambda one: one.id).listed(_shown)


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
        "provider_id": one.provider_id,
        "attempts": list(one.attempts),
    }
