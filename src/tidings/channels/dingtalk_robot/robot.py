"""Which robot a contact point means, and how it knows that we may speak through it."""

import hashlib
import hmac
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from tidings.channels.contract import InvalidField, Values
from tidings.channels.words import CUT
from tidings.kernel.urls import read_url

# Of mainland China and of everywhere else; a robot's URL is made by DingTalk and leads nowhere else.
VENDOR_HOSTS = frozenset({"oapi.dingtalk.com", "api.dingtalk.com", "oapi.dingtalk.io", "api.dingtalk.io"})
TOKEN = "access_token"  # noqa: S105 - the name of a parameter
# Made anew for each call; who copies a URL out of a log may have copied old ones with it.
_SIGNATURE = ("timestamp", "sign")
_SHOWN_OF_TOKEN = 4
_LONG_ENOUGH_TO_SHOW = 24


@dataclass(frozen=True, slots=True)
class Robot:
    """`key` names it where the token may not stand, and is the same for all who use it. `allowed` is whether its URL is
    DingTalk's, or the tenant's endpoint."""

    url: str
    token: str
    secret: str
    key: str
    allowed: bool

    @property
    def hidden(self) -> tuple[str, ...]:
        return self.token, self.secret

    def signed(self, now: datetime) -> str:
        """https://open.dingtalk.com/document/orgapp/customize-robot-security-settings ("加签")"""
        if not self.secret:
            return self.url
        timestamp = int(now.timestamp() * 1000)
        signature = hmac.digest(self.secret.encode(), f"{timestamp}\n{self.secret}".encode(), "sha256")
        # Base64 has +, / and =, which all mean something else in a query.
        return f"{self.url}&{urlencode({'timestamp': timestamp, 'sign': b64encode(signature).decode()})}"


def robot_of(contact: Values, settings: Values) -> Robot:
    """`endpoint` stands for the vendor's hosts, for those who have a DingTalk of their own."""
    url, endpoint = str(contact["url"]), str(settings.get("endpoint") or "")
    target, theirs = read_url(url), read_url(endpoint) if endpoint else None
    from_vendor = target.host in VENDOR_HOSTS
    if from_vendor and theirs:
        url = f"{theirs.url.rstrip('/')}{target.path}"
    token = _token_of(target.path)
    return Robot(
        url=url,
        token=token,
        secret=str(contact.get("secret") or ""),
        key=f"dingtalk_robot:{hashlib.sha256(token.encode()).hexdigest()[:24]}",
        allowed=from_vendor or (theirs is not None and theirs.authority == target.authority),
    )


def checked_robot_url(url: str) -> str:
    """As DingTalk gives it, without what is made anew for each call. With one token: of two, DingTalk might take the
    one that our budget does not count."""
    before, _, query = url.partition("?")
    pairs = [(name, value) for name, value in parse_qsl(query) if name not in _SIGNATURE]
    tokens = [value for name, value in pairs if name == TOKEN]
    if len(tokens) != 1 or not tokens[0]:
        raise InvalidField(
            "must be the Webhook URL of a group robot, such as https://oapi.dingtalk.com/robot/send?access_token=..."
        )
    return f"{before}?{urlencode(pairs)}"


def shown_robot(url: str) -> str:
    """Host and the last letters of the token: which of one's robots this is."""
    target = read_url(url)
    token = _token_of(target.path)
    last = token[-_SHOWN_OF_TOKEN:] if len(token) >= _LONG_ENOUGH_TO_SHOW else ""
    return f"{target.scheme}://{target.authority}/{CUT}{last}"


def _token_of(path: str) -> str:
    return dict(parse_qsl(path.partition("?")[2])).get(TOKEN, "")
