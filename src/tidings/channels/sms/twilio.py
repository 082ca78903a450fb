"""Twilio Programmable Messaging: one POST a message, and signed calls that say what became of it.

https://www.twilio.com/docs/messaging/api/message-resource
"""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, parse_qsl, urlencode
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tidings.channels.answer import retry_after, said
from tidings.channels.check import checked_url
from tidings.channels.contract import (
    Acknowledged,
    Answer,
    Call,
    Code,
    Example,
    Field,
    InvalidField,
    NotAuthentic,
    Outcome,
    Parcel,
    Receipt,
    Sent,
    Shown,
    TryLater,
    Values,
    Wire,
)
from tidings.channels.field_words import words_beside
from tidings.channels.sms.brief import COLON, brief
from tidings.channels.sms.number import spellings
from tidings.channels.sms.provider import Provider, named
from tidings.channels.sms.segments import in_words, is_gsm, segments
from tidings.channels.sms.twilio_verdict import REPORTS, SENDER, verdict
from tidings.channels.words import CUT, cut, web_link
from tidings.kernel.urls import read_url
from tidings.messages.document import Document

WORDS = words_beside(__file__)
# 1,600 characters are possible; no more than 320 are recommended.
# https://www.twilio.com/docs/glossary/what-sms-character-limit
MOST = 320
LONGEST_PART, SHORTEST_TITLE = 40, 20
CODE_TEXTS: Mapping[str, str] = {
    "en": "{digits} is your verification code. It is valid for {minutes} minutes; do not share it.",
    "zh-hans": "您的验证码是 {digits}，{minutes} 分钟内有效，请勿告诉他人。",
}
DELIVERED, FAILED = ("delivered", "read"), ("undelivered", "failed", "canceled")
_SID = re.compile(r"[A-Za-z0-9]{2,64}")
_SENDER = re.compile(r"\+?[0-9]{3,15}|[A-Za-z0-9 ]{1,11}")


class _Message(Struct):
    """Success has a sid, an error a code; a message that was made and cannot go has a sid and an `error_code`. Read
    leniently: what was sent with an answer that is not understood is sent again."""

    sid: str = ""
    status: str | int = ""
    num_segments: str | int | None = None
    error_code: int | None = None
    error_message: str | None = None
    code: int = 0
    message: str = ""


_read = msgspec.json.Decoder(_Message).decode


def checked_sid(text: str) -> str:
    if not _SID.fullmatch(text):
        raise InvalidField("must be letters and digits, as the Twilio console shows it")
    return text


def checked_sender(text: str) -> str:
    if not _SENDER.fullmatch(text):
        raise InvalidField("must be a number such as +15005550006, a short code, or up to 11 letters and digits")
    return text


class Twilio(Provider):
    name = "twilio"
    endpoint = "https://api.twilio.com"
    fields = (
        Field("account_sid", "text", WORDS["account_sid"], required=True, check=checked_sid),
        Field(
            "auth_token",
            "secret",
            WORDS["auth_token"],
            required=True,
            goes_to=("endpoint",),
        ),
        Field("from", "text", WORDS["from"], check=checked_sender),
        Field("messaging_service_sid", "text", WORDS["messaging_service_sid"], check=checked_sid),
        Field(
            "status_callback",
            "secret",  # the receipt key is a part of it
            WORDS["status_callback"],
            check=checked_url,
            goes_to=("endpoint",),
        ),
    )

    example = Example(
        settings={"account_sid": "AC00000000000000000000000000000000", "auth_token": "example", "from": "+15005550006"},
        contact={"mobile": "+1 415 555 0123"},
    )

    def account(self, settings: Values) -> str:
        """With the secret and the host in it, as Alibaba Cloud's."""
        return f"twilio:{named(*map(str, (settings['account_sid'], settings['auth_token'], self.base(settings))))}"

    async def send(self, parcel: Parcel, wire: Wire) -> Outcome:
        return await self._submit(parcel, text_of(parcel.document), wire)

    def preview(self, parcel: Parcel) -> Shown:
        text = text_of(parcel.document)
        return Shown(text, sender=str(parcel.settings.get("from") or ""), note=in_words(segments(text), ""))

    async def send_code(self, code: Code, wire: Wire) -> Outcome:
        text = CODE_TEXTS.get(code.language, CODE_TEXTS["en"]).format(digits=code.digits, minutes=code.minutes)
        return await self._submit(code, text, wire)

    def acknowledge(self, call: Call, settings: Values) -> Acknowledged:
        """https://www.twilio.com/docs/messaging/guides/track-outbound-message-status"""
        try:
            pairs = parse_qsl(call.body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=100)
        except (ValueError, UnicodeDecodeError):
            raise ValueError("not a form as Twilio sends it") from None
        given = call.headers.get("x-twilio-signature", "")
        known = [signature(str(settings["auth_token"]), url, pairs) for url in _ports(_called(call, settings))]
        if not any(hmac.compare_digest(given.encode(), one.encode()) for one in known):
            raise NotAuthentic
        receipt = _receipt(dict(pairs), call.url)
        return Acknowledged([receipt] if receipt else [], body=b"<Response/>", content_type="text/xml")

    async def _submit(self, sent: Parcel | Code, text: str, wire: Wire) -> Outcome:
        settings = sent.settings
        if not (settings.get("from") or settings.get("messaging_service_sid")):
            return replace(SENDER, said="neither from nor messaging_service_sid is set")
        sid, token = str(settings["account_sid"]), str(settings["auth_token"])
        headers = {
            "authorization": f"Basic {b64encode(f'{sid}:{token}'.encode()).decode()}",
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
        }
        url = f"{self.base(settings)}/2010-04-01/Accounts/{sid}/Messages.json"
        answer = await wire.request("POST", url, headers=headers, body=form(sent, text))
        return _outcome(answer, sent, text)


def form(sent: Parcel | Code, text: str) -> bytes:
    settings = sent.settings
    fields = {
        "To": sent.contact["mobile"],
        "From": settings.get("from"),
        "MessagingServiceSid": settings.get("messaging_service_sid"),
        "Body": text,
    }
    if callback := _callback(sent):
        # Twilio has no place for our identity but this; it is signed with the rest.
        mark = "&" if "?" in callback else "?"
        fields["StatusCallback"] = f"{callback}{mark}delivery={sent.identity.hex}"
    return urlencode({name: value for name, value in fields.items() if value}).encode()


def _callback(sent: Parcel | Code) -> str:
    """Nothing where Twilio could not call: it refuses a whole message for such an address (error 21609)."""
    if isinstance(sent, Code):
        return ""
    if own := sent.settings.get("status_callback"):
        return str(own)
    return f"{sent.receipts_url}/{sent.settings['receipt_key']}" if sent.receipts_url.startswith("https://") else ""


def _called(call: Call, settings: Values) -> str:
    """The address as Twilio knows and signs it; what stands before the query is ours to know."""
    own = str(settings.get("status_callback") or "").partition("?")[0]
    return own + call.url[len(call.url.partition("?")[0]) :] if own else call.url


def text_of(document: Document) -> str:
    """What happened to which ticket, its title and the way to it; at most `MOST` characters, of which the title gives
    up what is missing. A link that would not fit stays away: half of it leads nowhere."""
    told, colon = brief(document), COLON.get(document.language, ": ")
    parts = [cut(part, LONGEST_PART) for part in (told.feature, told.number, told.status)]
    head = f"{parts[0]} {parts[1]}{colon}{parts[2]}\n"
    if told.earlier:
        head = f"{cut(told.earlier, 2 * LONGEST_PART)}\n{head}"
    link = f"\n{web_link(told.link)}" if web_link(told.link) else ""
    if len(head) + len(link) + SHORTEST_TITLE > MOST:
        link = ""
    text = f"{head}{cut(told.title, MOST - len(head) - len(link))}{link}"
    # One "…" would make every character of an English text twice as wide.
    narrow = text.replace(CUT, "...")
    return narrow if is_gsm(narrow) else text


def signature(token: str, url: str, pairs: Sequence[tuple[str, str]]) -> str:
    """https://www.twilio.com/docs/usage/security#validating-requests"""
    content = url + "".join([name + value for name, value in sorted(set(pairs))])
    return b64encode(hmac.new(token.encode(), content.encode(), hashlib.sha1).digest()).decode()


def _ports(url: str) -> list[str]:
    """With the scheme's own port and without it: Twilio signs either, as its own validator knows."""
    target = read_url(url)
    written = f"{target.scheme}://{target.bracketed}"
    if target.authority != target.bracketed:
        return [f"{written}:{target.port}{target.path}", f"{written}{target.path}"]
    return [f"{written}{target.path}", f"{written}:{target.port}{target.path}"]


def _outcome(answer: Answer, sent: Parcel | Code, text: str) -> Outcome:
    known = [sent.settings.get(name) for name in ("account_sid", "auth_token", "status_callback", "receipt_key")]
    hide = [*spellings(str(sent.contact["mobile"])), *[str(value) for value in known if value]]
    try:
        read = _read(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return replace(verdict(answer.status, 0), said=said(answer.status, answer.body, hide=hide))
    if 200 <= answer.status < 300 and read.sid and not read.error_code:
        counted = str(read.num_segments or "")
        count = int(counted) if counted.isdecimal() and int(counted) else segments(text)
        words = in_words(count, str(sent.settings.get("price_per_segment") or ""))
        return Sent(read.sid, said(answer.status, f"{read.status}; {words}", hide=hide))
    code = read.error_code or read.code
    words = said(answer.status, f"{code} {read.error_message or read.message}", hide=hide)
    outcome = replace(verdict(answer.status, code), said=words)
    if isinstance(outcome, TryLater):
        return replace(outcome, after=retry_after(answer.headers.get("retry-after"), sent.now))
    return outcome


def _receipt(fields: Mapping[str, str], url: str) -> Receipt | None:
    """Nothing of a message that is still on its way."""
    sid, status, code = fields.get("MessageSid", ""), fields.get("MessageStatus", ""), fields.get("ErrorCode", "")
    if not sid or not status:
        raise ValueError("without MessageSid or MessageStatus")
    if status not in DELIVERED + FAILED:
        return None
    identity, told = _identity(url), cut(" ".join(filter(None, (status, code))), 200)
    if status in DELIVERED:
        return Receipt("delivered", identity, sid, said=told, number=fields.get("To", ""))
    known = int(code) if code.isascii() and code.isdecimal() else 0
    reason, of = REPORTS.get(known, ("undelivered", "message"))
    return Receipt("failed", identity, sid, reason, told, of, fields.get("To", ""))


def _identity(url: str) -> UUID | None:
    marks = parse_qs(read_url(url).path.partition("?")[2]).get("delivery", [""])
    try:
        return UUID(hex=marks[0])
    except ValueError:
        return None
