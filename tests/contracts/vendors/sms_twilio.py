"""Twilio, and what its codes mean.

[TW-ERR] https://www.twilio.com/docs/api/errors, each code on a page of its own: /docs/api/errors/21610
[TW-MSG] https://www.twilio.com/docs/messaging/api/message-resource
[TW-RESP] https://www.twilio.com/docs/usage/twilios-response
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from tidings.channels.contract import Outcome, Parcel, Refused, Sent, TryLater, Value
from tidings.channels.sms.segments import segments
from tidings.channels.sms.twilio import form, text_of
from tidings.channels.testing.http_server import Reply
from tidings.channels.testing.twilio import Text, TwilioServer, error, made
from tidings.channels.testing.vendor import Received, Row, Vendor

SID, TOKEN = "ACcanary7731canary7731canary7731aa", "canary-auth-token-9917"
NUMBER = "+14155550123"
RECEIPT_KEY = "canary-receipt-key-5f3a9c"
CALLBACK = f"https://tidings.example.com/api/v1/receipts/sms/acme/{RECEIPT_KEY}"

NUMBER_INVALID = Refused("number_invalid", "address")
THROTTLED = TryLater("throttled")
AWAY = TryLater("vendor_unavailable")
UNEXPECTED = TryLater("unexpected_answer")
MADE = Text(NUMBER, "+15005550006", "Hello", "SM00112233445566778899aabbccddeeff", "")


def ours(reason: str) -> TryLater:
    return TryLater(reason, technical=True)


def row(code: int, message: str, outcome: Outcome, status: int = 400, **headers: str) -> Row:
    name = f"{code} {message}"[:60] + (f" after {headers['retry_after']}" if headers else "")
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return Row(name, error(code, message, status, **headers), outcome, "TW-ERR")


class Vendored(Vendor):
    rows = (
        Row("queued", None, Sent(), "TW-MSG"),
        Row("accepted by a messaging service", made(MADE, status="accepted", num_segments="0"), Sent(), "TW-MSG"),
        Row("made, and failed at once", made(MADE, status="failed", error_code=21610, error_message="Opted out"),
            Refused("opted_out", "address"), "TW-MSG"),
        # Of the number.
        row(21211, "Invalid 'To' Phone Number", NUMBER_INVALID),
        row(21614, "'To' number is not a valid mobile number", NUMBER_INVALID),
        row(21635, "'To' number cannot be a landline", NUMBER_INVALID),
        row(21265, "'To' number cannot be a Short Code", NUMBER_INVALID),
        row(21610, "Attempt to send to unsubscribed recipient", Refused("opted_out", "address")),
        # Of the message.
        row(21602, "Message body is required", Refused("content_refused", "message")),
        row(21617, "The concatenated message body exceeds the 1600 character limit", Refused("too_large", "message")),
        row(21612, "Message cannot be sent with the current combination of 'To' and/or 'From' parameters",
            Refused("not_routable", "message")),
        row(21266, "'To' and 'From' numbers cannot be the same", Refused("not_routable", "message")),
        # Not now.
        row(20429, "Too Many Requests", THROTTLED, 429),
        row(20429, "Too Many Requests", TryLater("throttled", after=timedelta(seconds=7)), 429, retry_after="7"),
        row(21611, "This 'From' number has exceeded the maximum number of queued messages", THROTTLED, 429),
        row(14107, "SMS send rate limit exceeded", THROTTLED, 429),
        row(20500, "Internal Server Error", AWAY, 500),
        row(20503, "Service Unavailable", TryLater("vendor_unavailable", after=timedelta(minutes=2)), 503, retry_after="120"),
        # The account.
        row(20003, "Authenticate", ours("auth_failed"), 401),
        row(20404, "The requested resource was not found", ours("auth_failed"), 404),
        row(10001, "Account is not active", ours("account_unusable"), 401),
        row(20005, "Account not active", ours("account_unusable"), 401),
        row(21608, "The 'to' phone number provided is not yet verified for this account", ours("account_unusable")),
        row(21408, f"Permission to send an SMS has not been enabled for the region indicated by {NUMBER}",
            ours("region_refused")),
        # The sender.
        row(21212, f"The 'From' number is not valid in {SID}", ours("sender_refused")),
        row(21401, "Invalid Phone Number", ours("sender_refused")),
        row(21601, "Phone number is not a valid SMS-capable inbound phone number", ours("sender_refused")),
        row(21603, "A 'From' or 'MessagingServiceSid' parameter is required", ours("sender_refused")),
        row(21606, "The 'From' phone number provided is not a valid message-capable Twilio phone number",
            ours("sender_refused")),
        row(21659, "'From' is not a Twilio phone number or Short Code country mismatch", ours("sender_refused")),
        row(21660, "Mismatch between the 'From' number and the account", ours("sender_refused")),
        row(21661, "'From' number is not SMS-capable", ours("sender_refused")),
        row(21703, "The Messaging Service does not have a phone number available", ours("sender_refused")),
        row(21705, "The Messaging Service Sid is invalid", ours("sender_refused")),
        row(21609, f"The 'StatusCallback' URL {CALLBACK} is not a valid URL", ours("status_callback_refused")),
        # By their status alone.
        row(99999, "Something new", UNEXPECTED),
        row(99999, "Something new", ours("auth_failed"), 403),
        row(99999, "Something new", AWAY, 502),
        Row("a page with 401", Reply(401, b"<html>"), ours("auth_failed"), "TW-RESP"),
        Row("a page with 429", Reply(429, b"slow down"), THROTTLED, "TW-RESP"),
        Row("a page with 503", Reply(503, b"<html>"), AWAY, "TW-RESP"),
        # No sense at all.
        Row("200 and no sid", Reply(200, b"{}"), UNEXPECTED, "TW-MSG"),
        Row("201 and no JSON", Reply(201, b"ok"), UNEXPECTED, "TW-MSG"),
        Row("a redirect", Reply(302, b"", {"location": "/"}), UNEXPECTED, "TW-RESP"),
        Row("bytes", Reply(200, bytes(range(256)) * 40), UNEXPECTED, "TW-RESP"),
    )  # fmt: skip
    secrets = (SID, TOKEN, NUMBER, NUMBER[1:], NUMBER[2:], RECEIPT_KEY)
    most_bytes = 320 * 4
    carries = frozenset({"url", "earlier"})
    cut_mark = "..."
    longest_link = 170

    def __init__(self) -> None:
        self.twilio = TwilioServer(SID, TOKEN)

    async def __aenter__(self) -> "Vendored":
        await self.twilio.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self.twilio.__aexit__(*exc)

    def settings(self) -> dict[str, Value]:
        return {
            "provider": "twilio",
            "account_sid": SID,
            "auth_token": TOKEN,
            "from": "+15005550006",
            "status_callback": self.twilio.url(f"/not-ours/{RECEIPT_KEY}"),
            "endpoint": self.twilio.url(),
            "receipt_key": RECEIPT_KEY,
        }

    def contact(self) -> dict[str, Value]:
        return {"mobile": "+1 (415) 555-0123"}

    def answer(self, answer: Reply | None) -> None:
        self.twilio.script[NUMBER] = [answer]

    def received(self) -> Sequence[Received]:
        assert [code for code in self.twilio.wrong if code not in (20003, 20404)] == []
        return [
            Received(
                identity=text.callback,
                to=text.number,
                text=text.text,
                names=[text.sender],
                size=len(text.text.encode()),
                live=[],
            )
            for text in self.twilio.texts
        ]

    def payload(self, parcel: Parcel) -> str:
        text = text_of(parcel.document)
        settings = {**parcel.settings, "status_callback": CALLBACK}
        sent = Parcel(parcel.identity, parcel.document, parcel.contact, settings, parcel.now)
        fields = dict(parse_qsl(form(sent, text).decode()))
        body = fields.pop("Body")
        lines = [f"{name}: {value}" for name, value in fields.items()]
        return "\n".join([*lines, f"({segments(body)} segments)", "", body])

    def nowhere(self) -> Mapping[str, dict[str, Value]]:
        return {"settings": {"endpoint": "http://127.0.0.1:1/"}}
