"""A person's own settings, and how they prove that an address is theirs."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Body, Field, Router, Schema, Status
from pydantic import AwareDatetime, ConfigDict

from tidings.accounts.live_key import live_key, read_live_key
from tidings.api.answers import problem
from tidings.api.authenticate import caller
from tidings.api.etag import if_match, set_etag
from tidings.api.outcomes import OutcomeShown, shown_outcome
from tidings.api.pages import Text
from tidings.delivery.budget import take_at_once
from tidings.kernel.clock import now
from tidings.kernel.settings import settings
from tidings.kernel.versions import Expected
from tidings.preferences.code_state import code_state
from tidings.preferences.limits import HOLDS
from tidings.preferences.methods import own_settings, put_own_settings
from tidings.preferences.send_code import send_code
from tidings.preferences.shape import read_settings, write_settings
from tidings.preferences.try_own import try_own
from tidings.preferences.verify import verify

router = Router(tags=["me"])


class CodeWanted(Schema):
    model_config = ConfigDict(extra="forbid")
    address: Text | None = Field(
        None, description="a new one, which takes the place of the present one when the code comes back"
    )


THE_ONE_THERE_IS = CodeWanted(address=None)


class CodeOnItsWay(Schema):
    detail: str
    expires_in: int = Field(description="seconds")


class CodeUnderWay(Schema):
    address: str = Field(description="as it may be shown")
    expires_at: AwareDatetime
    again_at: AwareDatetime = Field(description="when the next one can be asked for")
    tries_left: int
    locked_until: AwareDatetime | None = Field(description="too many wrong ones were tried: none is taken before")


class CodeStands(Schema):
    under_way: CodeUnderWay | None


class CodeGiven(Schema):
    model_config = ConfigDict(extra="forbid")
    code: Text


class LiveShown(Schema):
    url: str = Field(description="a stream of Server-Sent Events; whoever has it hears when there is something new")
    ends_at: AwareDatetime


class OwnOutcomeShown(OutcomeShown):
    verified: bool = Field(description="whether messages go there from now on")


@router.get("/me/notification-settings", response=dict[str, Any])
def get_settings(request: HttpRequest, response: HttpResponse) -> dict[str, Any]:
    found = own_settings(caller(request))
    set_etag(response, found.version)
    return write_settings(found)


@router.put("/me/notification-settings", response=dict[str, Any])
def put_settings(request: HttpRequest, response: HttpResponse, body: Body[dict[str, Any]]) -> dict[str, Any]:
    """A changed address is unverified again, and the one before is told. A secret that was made here is shown this
    once."""
    changed = put_own_settings(caller(request), read_settings(body), Expected(None, if_match(request)))
    set_etag(response, changed.version)
    return write_settings(changed)


@router.post("/me/contact-points/{channel}/code", response={202: CodeOnItsWay})
def post_code(request: HttpRequest, channel: str, body: Body[CodeWanted] = THE_ONE_THERE_IS) -> Status[Any]:
    """Sends six digits to the address. The answer comes before, and is the same whatever comes of it; 429 says when to
    ask again."""
    send_code(caller(request), channel, body.address, take_at_once)
    detail = "A code is on its way, if messages can reach this address. It ends every code that was sent before."
    return Status(202, {"detail": detail, "expires_in": int(HOLDS.total_seconds())})


@router.get(
    "/me/contact-points/{channel}/code",
    response=CodeStands,
    openapi_extra={"responses": {409: problem("This channel's addresses are proven by a test message.")}},
)
def get_code(request: HttpRequest, channel: str) -> dict[str, Any]:
    """Where one stands with the code that was sent last."""
    return {"under_way": code_state(caller(request), channel)}


@router.post("/me/contact-points/{channel}/verify", response=dict[str, Any])
def post_verify(request: HttpRequest, response: HttpResponse, channel: str, body: CodeGiven) -> dict[str, Any]:
    """The settings, with the address verified. 422 `wrong_code` or `code_expired`; after five wrong tries 429 `locked`
    for an hour."""
    changed = verify(caller(request), channel, body.code)
    set_etag(response, changed.version)
    return write_settings(changed)


@router.post("/me/contact-points/{channel}/test", response=OwnOutcomeShown)
def post_test(request: HttpRequest, channel: str) -> dict[str, Any]:
    """Sends a test message to one's own robot or webhook, and waits 15 seconds at most for what comes of it. When it
    was sent, the address is verified."""
    outcome, verified = try_own(caller(request), channel, take_at_once)
    return {**shown_outcome(outcome), "verified": verified}


@router.get("/me/live", response=LiveShown)
def get_live(request: HttpRequest) -> dict[str, Any]:
    """Where to listen for news: `event: inbox` when there is something new in one's inbox, and for those who see all
    `event: activity` when there is a new event or something became of a delivery. It says that, and never what."""
    at = now()
    key = live_key(caller(request), at)
    read = read_live_key(key, at)
    assert read is not None
    return {"url": f"{settings().base_url}/live?key={key}", "ends_at": read.ends_at}
