"""What a person on duty wants first."""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime

from tidings.api.authenticate import caller
from tidings.api.deliveries import StandingShown
from tidings.api.events import SubjectNamed
from tidings.delivery.health import State
from tidings.delivery.overview import Overview, overview_of
from tidings.events.awaiting import Awaiting
from tidings.kernel.clock import now
from tidings.kernel.problems import invalid

router = Router(tags=["overview"])


class PointShown(Schema):
    """`at`: when it begins. `p50`, `p99`: seconds from accepted to the provider's answer within which half of what was
    sent, and all but one in a hundred, was sent; rounded up to a step that is 60% above the one before."""

    at: AwareDatetime
    accepted: int
    sent: int
    failed: int
    skipped: int
    cancelled: int
    p50: float | None
    p99: float | None


class CauseShown(Schema):
    channel: str
    reason: str
    count: int


class HealthShown(Schema):
    """Tries of the last hour."""

    channel: str
    state: State = Field(
        description="failing: three tries or more since the last that went through; trouble: a fifth did not go "
        "through at once; idle: nothing was tried"
    )
    sent: int
    try_later: int
    refused: int
    held: int
    average_ms: int | None
    reason: str = Field(description="the most frequent of what went wrong")


class TroubleShown(Schema):
    """retrying: did not go through and is tried again by itself. failed: for good, of events of the last 24 hours, and
    not retried; `GET /deliveries/summary` says why."""

    kind: Literal["nobody_delivers", "overdue", "channel_failing", "unplanned", "retrying", "failed", "parked"]
    count: int
    channel: str
    reason: str
    since: AwareDatetime | None


class AwaitingShown(Schema):
    subject: SubjectNamed
    status: str
    since: AwareDatetime


class OverviewShown(Schema):
    """`troubles` is empty while everything is being delivered."""

    since: AwareDatetime
    until: AwareDatetime
    unit: Literal["hour", "day"]
    timezone: str
    troubles: list[TroubleShown]
    total: PointShown
    points: list[PointShown]
    failures: list[CauseShown]
    skips: list[CauseShown]
    deliveries: StandingShown
    channels: list[HealthShown]
    awaiting_approval: list[AwaitingShown] = Field(description="the longest first")
    awaiting_approval_count: int = Field(description="1,000 stands for more")
    unplanned: int
    parked: int


@router.get("/overview", response=OverviewShown)
def get_overview(
    request: HttpRequest,
    hours: Annotated[int | None, Query(ge=1, le=72)] = None,
    days: Annotated[int | None, Query(ge=1, le=30)] = None,
) -> dict[str, Any]:
    """The last 24 hours, or so many hours, or days in one's own time zone; the current one included. For those who see
    all of their tenant."""
    if hours is not None and days is not None:
        raise invalid("Ask for hours or for days.")
    who = caller(request)
    found = overview_of(who, unit="day" if days else "hour", count=days or hours or 24, now=now())
    return _shown(found)


def _shown(found: Overview) -> dict[str, Any]:
    return {
        "since": found.since,
        "until": found.until,
        "unit": found.unit,
        "timezone": found.timezone,
        "troubles": found.troubles,
        "total": found.total,
        "points": found.points,
        "failures": found.failures,
        "skips": found.skips,
        "deliveries": found.standing,
        "channels": found.channels,
        "awaiting_approval": [_awaiting(each) for each in found.awaiting.longest],
        "awaiting_approval_count": found.awaiting.count,
        "unplanned": found.unresolved.unplanned,
        "parked": found.unresolved.parked_count,
    }


def _awaiting(one: Awaiting) -> dict[str, Any]:
    subject = {"kind": one.kind, "id": one.id, "title": one.title, "url": one.url}
    return {"subject": subject, "status": one.status, "since": one.since}
