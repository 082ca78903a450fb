"""Channels: a tenant's switch, settings and test of each."""

from typing import Any, Literal, assert_never

from django.http import HttpRequest, HttpResponse
from ninja import Field, Router, Schema
from pydantic import ConfigDict

from tidings.api.authenticate import caller
from tidings.api.echo import refuse_other
from tidings.api.etag import if_match, set_etag
from tidings.api.pages import Listed, Text
from tidings.channels.configure import ShownChannel, channel_of, channels_of, configure, known_channel, settings_of
from tidings.channels.contract import Outcome, Refused, Sent, TryLater
from tidings.channels.try_out import try_out
from tidings.directory.contact_points import refresh_destinations
from tidings.directory.reach import reach
from tidings.kernel.versions import Expected
from tidings.messages.document import Reader

router = Router(tags=["channels"])


class FieldShown(Schema):
    name: str
    kind: str
    help: str
    required: bool
    default: str | int | bool | None
    choices: list[str]


class ChannelShown(Schema):
    channel: str
    labels: dict[str, str]
    enabled: bool
    settings: dict[str, str | int | bool | None]
    version: int
    fields: list[FieldShown]


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


class TestWanted(Schema):
    model_config = ConfigDict(extra="forbid")
    to: Text = Field(description="the login of who gets the test message")


class TestOutcome(Schema):
    outcome: Literal["sent", "try_later", "refused"]
    reason: str
    said: str


@router.get("/channels", response=Listed[ChannelShown])
def list_channels(request: HttpRequest) -> dict[str, Any]:
    return {"items": channels_of(caller(request))}


@router.get("/channels/{channel}", response=ChannelShown)
def get_channel(request: HttpRequest, response: HttpResponse, channel: str) -> ShownChannel:
    shown = channel_of(caller(request), channel)
    set_etag(response, shown.version)
    return shown


@router.put("/channels/{channel}", response=ChannelShown)
def put_channel(request: HttpRequest, response: HttpResponse, channel: str, body: ChannelWanted) -> ShownChannel:
    refuse_other({"channel": body.channel}, {"channel": channel})
    expected = Expected(body.version, if_match(request))
    shown = configure(caller(request), channel, body.enabled, body.settings, expected, refresh_destinations)
    set_etag(response, shown.version)
    return shown


@router.post("/channels/{channel}/test", response=TestOutcome)
def test_channel(request: HttpRequest, channel: str, body: TestWanted) -> dict[str, str]:
    """Sends a message now, whether the channel is on or not, and waits 15 seconds at most for what comes of it."""
    who = caller(request)
    who.require("administrator")
    one = known_channel(channel)
    settings = settings_of(who.tenant_id, one)
    person, contact = reach(who.tenant_id, body.to, channel)
    reader = Reader(person.login, person.name, person.language, person.timezone, ())
    return _outcome(try_out(one, reader, contact, settings))


def _outcome(outcome: Outcome) -> dict[str, str]:
    match outcome:
        case Sent():
            return {"outcome": "sent", "reason": "", "said": outcome.said}
        case TryLater():
            return {"outcome": "try_later", "reason": outcome.reason, "said": outcome.said}
        case Refused():
            return {"outcome": "refused", "reason": outcome.reason, "said": outcome.said}
        case _:
            assert_never(outcome)
