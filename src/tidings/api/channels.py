"""Channels: a tenant's switch, settings and test of each."""

from datetime import datetime, timedelta
from typing import Annotated, Any, get_args

from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Schema
from pydantic import ConfigDict

from tidings.api.authenticate import caller
from tidings.api.echo import refuse_other
from tidings.api.etag import if_match, set_etag
from tidings.api.outcomes import OutcomeShown, shown_outcome
from tidings.api.pages import Listed, Text
from tidings.channels.configure import ShownChannel, channel_of, channels_of, configure
from tidings.delivery.limits import Limit, limits_of
from tidings.delivery.tally import What, lately
from tidings.delivery.try_channel import try_channel
from tidings.directory.contact_points import refresh_destinations
from tidings.kernel.clock import now
from tidings.kernel.versions import Expected

router = Router(tags=["channels"])


class WordsShown(Schema):
    """In every language."""

    label: dict[str, str]
    help: dict[str, str]
    choices: dict[str, dict[str, str]] = Field(description="of a choice: what each value of it is called")


class FieldShown(Schema):
    name: str
    kind: str
    help: str = Field(description="what to enter, in English")
    words: WordsShown
    required: bool
    default: str | int | bool | None
    choices: list[str]
    when: tuple[str, str] | None = Field(description="another field and its value: this one exists only then")
    goes_to: list[str] = Field(
        description="of a secret: the fields that say where it is sent; when one of them changes it is to be given anew"
    )


class ChannelShown(Schema):
    channel: str
    labels: dict[str, str]
    enabled: bool
    settings: dict[str, str | int | bool | None]
    version: int
    fields: list[FieldShown]
    receipts_url: str | None = Field(description="where its provider reports to; the key in its settings is to follow")


class ReasonCount(Schema):
    what: str = Field(description="try_later, refused, held, or failed by a receipt")
    reason: str
    count: int
    last: datetime
    said: str = Field(description="the vendor's own words, the last of these tries'")


class Health(Schema):
    """Counted by minute and written every two seconds; the ledger, not this, is the proof."""

    channel: str
    enabled: bool
    since: datetime
    sent: int
    try_later: int
    refused: int
    held: int = Field(description="messages that had to wait: a vendor's budget was used up, or its account in trouble")
    delivered: int = Field(description="by receipts")
    failed: int = Field(description="by receipts, after they were sent")
    average_ms: int | None = Field(description="of a try, with the vendor's answer")
    reasons: list[ReasonCount]


class LimitShown(Schema):
    of: str = Field(description="the address, as it may be shown; empty: the whole account")
    reason: str = Field(description="what a message waits for when there is no room")
    used: int
    most: int
    seconds: int = Field(description="the span of time in which there may be `most`")
    free_at: datetime | None = Field(description="when the next one may go, where none may now")


class LeftAloneShown(Schema):
    of: str = Field(description="the address, as it may be shown; empty: the whole account")
    until: datetime = Field(description="then one message goes to try it")


class LimitsShown(Schema):
    """As far as the latest messages, and those that wait, use them."""

    channel: str
    gives_up_after: int | None = Field(description="seconds after which a message is worth nothing any more")
    budgets: list[LimitShown] = Field(description="the fullest first")
    left_alone: list[LeftAloneShown] = Field(description="in trouble, and not tried for a while")


class ChannelWanted(Schema):
    """What one reads can be written back; a description of the channel is not looked at."""

    model_config = ConfigDict(extra="forbid")
    enabled: bool
    settings: dict[Text, Any] | None = Field(
        None, description="missing: they stay; a masked or missing secret stays too"
    )
    version: int | None = Field(None, description="the version you saw; 409 when it is no longer the current one")
    channel: str | None = Field(None, description="as in the path")
    labels: Any = Field(None, description="not looked at")
    fields_: Any = Field(None, alias="fields", description="not looked at")
    receipts_url: Any = Field(None, description="not looked at")


class TestWanted(Schema):
    model_config = ConfigDict(extra="forbid")
    to: Text = Field(description="the login of who gets the test message")


@router.get("/channels", response=Listed[ChannelShown])
def list_channels(request: HttpRequest) -> dict[str, Any]:
    return {"items": channels_of(caller(request))}


@router.get("/channels/{channel}", response=ChannelShown)
def get_channel(request: HttpRequest, response: HttpResponse, channel: str) -> ShownChannel:
    shown = channel_of(caller(request), channel)
    set_etag(response, shown.version)
    return shown


@router.get("/channels/{channel}/health", response=Health)
def get_health(request: HttpRequest, channel: str, hours: Annotated[int, Query(ge=1, le=720)] = 1) -> dict[str, Any]:
    """How a channel is doing, for a person on duty."""
    who = caller(request)
    shown, since = channel_of(who, channel), now() - timedelta(hours=hours)
    rows = lately(who.tenant_id, [channel], since)
    counts = {what: sum(row.count for row in rows if row.what == what) for what in get_args(What)}
    tries = [row for row in rows if row.what in ("sent", "try_later", "refused")]
    tried = sum(row.count for row in tries)
    return {
        "channel": channel,
        "enabled": shown.enabled,
        "since": since,
        **counts,
        "average_ms": round(sum(row.ms for row in tries) / tried) if tried else None,
        "reasons": [row for row in rows if row.reason],
    }


@router.get("/channels/{channel}/limits", response=LimitsShown)
def get_limits(request: HttpRequest, channel: str) -> dict[str, Any]:
    """How much of what its vendor takes at most is used just now, and whether the vendor is left alone."""
    limits = limits_of(caller(request), channel)
    after = limits.gives_up_after
    return {
        "channel": channel,
        "gives_up_after": None if after is None else round(after.total_seconds()),
        "budgets": [_limit(each) for each in limits.budgets],
        "left_alone": limits.left_alone,
    }


@router.put("/channels/{channel}", response=ChannelShown)
def put_channel(request: HttpRequest, response: HttpResponse, channel: str, body: ChannelWanted) -> ShownChannel:
    refuse_other({"channel": body.channel}, {"channel": channel})
    expected = Expected(body.version, if_match(request))
    shown = configure(caller(request), channel, body.enabled, body.settings, expected, refresh_destinations)
    set_etag(response, shown.version)
    return shown


@router.post("/channels/{channel}/test", response=OutcomeShown)
def test_channel(request: HttpRequest, channel: str, body: TestWanted) -> dict[str, str]:
    """Sends a message now, whether the channel is on or not, and waits 15 seconds at most for what comes of it. Ten
    in ten minutes."""
    return shown_outcome(try_channel(caller(request), channel, body.to))


def _limit(limit: Limit) -> dict[str, Any]:
    return {
        "of": limit.of,
        "reason": limit.reason,
        "used": limit.used,
        "most": limit.most,
        "seconds": round(limit.per.total_seconds()),
        "free_at": limit.free_at,
    }
