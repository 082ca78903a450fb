"""Standard Webhooks: a signed POST; the status is the verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar
from urllib.parse import unquote

import msgspec

from tidings.channels.answer import retry_after, said
from tidings.channels.contract import (
    Answer,
    Channel,
    Example,
    Field,
    InvalidField,
    Outcome,
    Parcel,
    Refused,
    Sent,
    Shown,
    TryLater,
    Values,
    Wire,
)
from tidings.channels.field_words import words_beside
from tidings.channels.webhook import dms
from tidings.channels.webhook.payload import payload
from tidings.channels.webhook.signature import new_secret, signed
from tidings.channels.words import CUT
from tidings.kernel.urls import read_url

WORDS = words_beside(__file__)
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md ("Delivery of webhooks"):
# 2xx is success, 3xx a failure, 410 ends the endpoint, 429, 502 and 504 ask for patience.
# 401, 403 and 404 are the receiver's door, not credentials of ours: a proxy before it, a deployment, a secret changed
# on one side. Neither a reason to wake our administrators (so not technical), nor a word about the address as final as
# 410, nor about this message: the schedule tries on, and the delivery's record tells its owner.
# 409 and 425 say that the same message is still being worked on.
REASONS: Mapping[int, Outcome] = {
    401: TryLater("receiver_denied"),
    403: TryLater("receiver_denied"),
    404: TryLater("receiver_not_found"),
    408: TryLater("receiver_timeout"),
    409: TryLater("receiver_busy"),
    410: Refused("gone", of="address"),
    413: Refused("too_large", of="message"),
    425: TryLater("receiver_busy"),
    429: TryLater("throttled"),
    502: TryLater("receiver_unavailable"),
    503: TryLater("receiver_unavailable"),
    504: TryLater("receiver_unavailable"),
}
HEADERS = {"content-type": "application/json; charset=utf-8"}


def shown_url(url: str) -> str:
    """Its host, and whether there is more."""
    target = read_url(url)
    return f"{target.scheme}://{target.authority}/{CUT if target.path != '/' else ''}"


class WebhookChannel(Channel):
    code = "webhook"
    label: ClassVar[Mapping[str, str]] = {"en": "Webhook", "zh-hans": "Webhook"}
    contact = (
        Field("url", "url", WORDS["url"], required=True, shown=shown_url),
        Field(
            "format",
            "choice",
            WORDS["format"],
            default="standard",
            choices=("standard", dms.FORMAT),
        ),
        Field(
            "secret",
            "secret",
            WORDS["secret"],
            check_with=dms.secret_for_format,
            generate=new_secret,
            known_at="url",
        ),
        Field(
            "previous_secret",
            "secret",
            WORDS["previous_secret"],
            check_with=dms.secret_for_format,
            known_at="url",
        ),
    )
    verified_by = "test"
    examples: ClassVar[Mapping[str, Example]] = {
        "": Example({}, {"url": "https://hooks.example.com/tidings"}),
        dms.FORMAT: Example({}, {"url": "https://hooks.example.com/dms", "format": dms.FORMAT, "secret": "example"}),
    }

    def destination(self, contact: Values, settings: Values) -> str:
        return _place(str(contact["url"])).destination

    def address(self, contact: Values) -> str:
        return shown_url(str(contact["url"]))

    def preview(self, parcel: Parcel) -> Shown:
        body = dms.letter(parcel)[0] if parcel.contact.get("format") == dms.FORMAT else payload(parcel.document)
        return Shown(msgspec.json.format(body).decode(), markup="json")

    async def send(self, parcel: Parcel, wire: Wire) -> Outcome:
        try:
            if parcel.contact.get("format") == dms.FORMAT:
                body, headers = dms.letter(parcel)
            else:
                body = payload(parcel.document)
                headers = HEADERS | signed(parcel.identity, parcel.now, body, parcel.contact)
        except InvalidField:
            # Checked when it was stored: what is wrong here is ours, and nothing leaves unsigned.
            return TryLater("secret_unusable", technical=True)
        url = str(parcel.contact["url"])
        return _outcome(await wire.request("POST", url, headers=headers, body=body), url, parcel)


def _outcome(answer: Answer, url: str, parcel: Parcel) -> Outcome:
    words = said(answer.status, answer.body, hide=_place(url).hidden)
    verdict = REASONS.get(answer.status) or _by_class(answer.status)
    match verdict:
        case Sent():
            return Sent(said=words)
        case TryLater(reason=reason):
            return TryLater(reason, words, retry_after(answer.headers.get("retry-after"), parcel.now))
        case Refused(reason=reason, of=of):
            return Refused(reason, of, words)


def _by_class(status: int) -> Outcome:
    match status // 100:
        case 2:
            return Sent()
        case 3:
            return Refused("redirect_not_followed", of="message")
        case 4:
            return Refused("rejected", of="message")
        case 5:
            return TryLater("receiver_error")
    return TryLater("unexpected_answer")


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of a URL. Its path and query are as good as a password: many receivers know a caller by nothing
    else, and some echo them ("Cannot POST /hooks/...")."""

    destination: str
    hidden: tuple[str, ...]


@lru_cache(maxsize=4096)
def _place(url: str) -> Place:
    target = read_url(url)
    path = target.path
    return Place(
        destination=f"{target.bracketed}:{target.port}",
        hidden=tuple(sorted({path, path.partition("?")[0], unquote(path)})),
    )
