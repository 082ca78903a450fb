"""A tenant's app at DingTalk: its token, its calls, and who a mobile belongs to."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import phonenumbers
from msgspec.structs import replace

from tidings.channels.contract import Ended, Refused, Remembered, Values, Wire
from tidings.channels.dingtalk.answer import Said, read, verdict, words_of
from tidings.channels.dingtalk.verdict import TOKEN_REFUSED, VERDICTS
from tidings.channels.words import CUT

# Two hosts, one token: what the new one gives out, the old one takes.
# https://github.com/bytebase/bytebase/blob/main/backend/plugin/webhook/dingtalk/app.go
API = "https://api.dingtalk.com"
OAPI = "https://oapi.dingtalk.com"
JSON = {"content-type": "application/json; charset=utf-8"}
# Renewed a little early, so that none expires between a look at it and its use.
EARLY = timedelta(minutes=5)
KNOWN_FOR = timedelta(days=1)
NOBODY = "!"
"""What is remembered of a mobile that no DingTalk account has begins with it, then come DingTalk's own words; no user
id has such a letter."""


@dataclass(frozen=True, slots=True)
class App:
    """`key` names it where secrets may not stand; another secret is another app."""

    app_key: str
    app_secret: str
    agent_id: int
    robot_code: str
    api: str
    oapi: str
    key: str

    @property
    def hidden(self) -> tuple[str, ...]:
        return self.app_key, self.app_secret


def app_of(settings: Values) -> App:
    """`endpoint` stands for both hosts."""
    app_key, app_secret = str(settings["app_key"]), str(settings["app_secret"])
    endpoint = str(settings.get("endpoint") or "").rstrip("/")
    return App(
        app_key=app_key,
        app_secret=app_secret,
        agent_id=int(settings.get("agent_id") or 0),
        robot_code=str(settings.get("robot_code") or app_key),
        api=endpoint or API,
        oapi=endpoint or OAPI,
        key=digest(app_key, app_secret, endpoint),
    )


def digest(*parts: str) -> str:
    """A name for what may not be named. With an app's key among the parts, which holds its secret, not even a mobile
    can be found by trying them all."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


async def call_oapi(app: App, wire: Wire, path: str, body: Mapping[str, Any]) -> Said:
    """The old host: the token is in the query, and what went wrong in a 200."""

    async def once(token: str) -> Said:
        url = f"{app.oapi}{path}?access_token={quote(token, safe='')}"
        return read(await wire.request("POST", url, headers=JSON, body=msgspec.json.encode(body)))

    return await _with_token(app, wire, once)


async def call_api(app: App, wire: Wire, method: str, path: str, body: Mapping[str, Any] | None = None) -> Said:
    """The new host: the token is in a header."""
    content = b"" if body is None else msgspec.json.encode(body)

    async def once(token: str) -> Said:
        headers = {**JSON, "x-acs-dingtalk-access-token": token}
        return read(await wire.request(method, f"{app.api}{path}", headers=headers, body=content))

    return await _with_token(app, wire, once)


async def _with_token(app: App, wire: Wire, once: Callable[[str], Awaitable[Said]]) -> Said:
    """Again with another token, once, where the first was refused: it may have been taken back early."""
    token = await _token(app, wire)
    heard = await once(token)
    if heard.code in TOKEN_REFUSED:
        token = await _token(app, wire, instead_of=token)
        heard = await once(token)
    return replace(heard, words=heard.words.replace(token, CUT)) if token in heard.words else heard


async def _token(app: App, wire: Wire, *, instead_of: str = "") -> str:
    """DingTalk wants it kept, and gives the same one to whoever asks again while it is valid.
    https://help.dingtalk.io/open/development/obtain-the-access-token-of-an-internal-app"""

    async def fetch() -> Remembered:
        body = msgspec.json.encode({"appKey": app.app_key, "appSecret": app.app_secret})
        heard = read(await wire.request("POST", f"{app.api}/v1.0/oauth2/accessToken", headers=JSON, body=body))
        token, lasts = heard.content.get("accessToken"), heard.content.get("expireIn")
        if not heard.fine or not isinstance(token, str) or not token.isascii() or not isinstance(lasts, int):
            raise Ended(verdict(heard, VERDICTS, hide=app.hidden))
        return Remembered(token, max(timedelta(seconds=lasts) - EARLY, timedelta(minutes=1)))

    return await wire.recall(f"token:{app.key}", fetch, instead_of=instead_of)


async def find_user(app: App, contact: Values, wire: Wire, *, afresh: bool = False) -> str:
    """DingTalk's own id of this person: given, or found by their mobile. Raises `Ended`.

    Both answers are remembered for a day: that somebody has an account, and that nobody has (60121). The second since
    every message of a busy day would ask again what is known already, and DingTalk counts calls; it ends with the day,
    or with another mobile (which is another key), or by asking `afresh` when its owner verifies it.
    """
    if user_id := contact.get("user_id"):
        return str(user_id)
    mobile = str(contact.get("mobile") or "")
    if not mobile:
        raise Ended(Refused("contact_missing", of="address"))

    asked = False

    async def look_up() -> Remembered:
        nonlocal asked
        asked = True
        heard = await call_oapi(app, wire, "/topapi/v2/user/getbymobile", {"mobile": as_dingtalk_writes(mobile)})
        result = heard.content.get("result")
        found = result.get("userid") if isinstance(result, dict) else None
        hide = (*app.hidden, mobile, as_dingtalk_writes(mobile))
        if heard.code in _NOBODYS:
            return Remembered(f"{NOBODY}{words_of(heard, hide)}", KNOWN_FOR)
        if not heard.fine or not isinstance(found, str) or not found:
            raise Ended(verdict(heard, VERDICTS, hide=hide))
        return Remembered(found, KNOWN_FOR)

    key = f"user:{digest(app.key, mobile)}"
    found = await wire.recall(key, look_up)
    if afresh and not asked and found.startswith(NOBODY):
        found = await wire.recall(key, look_up, instead_of=found)
    if found.startswith(NOBODY):
        raise Ended(replace(VERDICTS["60121"], said=found.removeprefix(NOBODY)))
    return found


_NOBODYS = frozenset({"60121", "40104"})


def as_dingtalk_writes(mobile: str) -> str:
    """Of mainland China without its country's code, of elsewhere as +852-51234567.
    https://open.dingtalk.com/document/orgapp/user-information-creation ("mobile")"""
    try:
        number = phonenumbers.parse(mobile, None)
    except phonenumbers.NumberParseException:
        return mobile
    digits = phonenumbers.national_significant_number(number)
    return digits if number.country_code == 86 else f"+{number.country_code}-{digits}"
