"""The webhook channel's vendor is anybody who follows Standard Webhooks; in the format `dms`, whoever wrote a receiver for
Alibaba Cloud DMS.

[SW] https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
[RFC9110] https://www.rfc-editor.org/rfc/rfc9110
[D-WEBHOOK] https://www.alibabacloud.com/help/en/dms/send-notifications-by-using-a-custom-webhook-url
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from tidings.channels.contract import Parcel, Refused, Sent, TryLater, Value
from tidings.channels.testing.vendor import Received, Row, Vendor
from tidings.channels.testing.webhook_receiver import Reply, WebhookReceiver
from tidings.channels.webhook.channel import HEADERS
from tidings.channels.webhook.dms import letter
from tidings.channels.webhook.payload import payload
from tidings.channels.webhook.signature import signed

SECRET = "whsec_Q2FuYXJ5U2VjcmV0TnVtYmVyT25lT2ZUaGVUZXN0cw=="
PREVIOUS = "whsec_Q2FuYXJ5U2VjcmV0TnVtYmVyVHdvT2ZUaGVUZXN0cw=="
PATH = "/hooks/canary-token-5f3a9c/in?key=canary-query-8812"


NOT_FOLLOWED = Refused("redirect_not_followed", "message")
NOT_FOUND = TryLater("receiver_not_found")
AWAY = TryLater("receiver_unavailable")
THROTTLED = TryLater("throttled")
SIX_HOURS = timedelta(hours=6)


def row(name: str, reply: Reply, outcome: Any, source: str = "SW") -> Row:
    return Row(name, reply, outcome, source)


def later(seconds: int) -> timedelta:
    return timedelta(seconds=seconds)


def readable(headers: Mapping[str, str], body: bytes) -> str:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\n".join([*lines, "", json.dumps(json.loads(body), ensure_ascii=False, indent=2)])


class Vendored(Vendor):
    rows = (
        row("200", Reply(200), Sent()),
        row("202 without a word", Reply(202, b""), Sent()),
        row("204", Reply(204, b""), Sent()),
        row("200, slowly", Reply(200, after=0.2), Sent()),
        row("299, unheard of", Reply(299), Sent()),
        row("301", Reply(301, headers={"location": "http://127.0.0.1:1/"}), NOT_FOLLOWED),
        row("302", Reply(302, headers={"location": "/login"}), NOT_FOLLOWED),
        row("307", Reply(307, headers={"location": "/"}), NOT_FOLLOWED),
        row("400", Reply(400, b'{"error":"bad"}'), Refused("rejected", "message"), "RFC9110"),
        row("401", Reply(401), TryLater("receiver_denied"), "RFC9110"),
        row("403", Reply(403, b"<html>proxy</html>"), TryLater("receiver_denied"), "RFC9110"),
        row("404", Reply(404), NOT_FOUND, "RFC9110"),
        row("405", Reply(405), Refused("rejected", "message"), "RFC9110"),
        row("408", Reply(408), TryLater("receiver_timeout"), "RFC9110"),
        row("409", Reply(409), TryLater("receiver_busy"), "RFC9110"),
        row("410", Reply(410), Refused("gone", "address")),
        row("413", Reply(413), Refused("too_large", "message"), "RFC9110"),
        row("422", Reply(422, b"no such field"), Refused("rejected", "message"), "RFC9110"),
        row("425", Reply(425), TryLater("receiver_busy"), "RFC8470"),
        row("429", Reply(429), THROTTLED),
        row("429 for 7 s", Reply(429, headers={"retry-after": "7"}), replace(THROTTLED, after=later(7))),
        row("429 for a year", Reply(429, headers={"Retry-After": "31536000"}), replace(THROTTLED, after=SIX_HOURS)),
        row("429 for ever", Reply(429, headers={"Retry-After": "9" * 40}), replace(THROTTLED, after=SIX_HOURS)),
        row("429 with nonsense", Reply(429, headers={"Retry-After": "soon"}), THROTTLED),
        row("429 for minus 5", Reply(429, headers={"Retry-After": "-5"}), THROTTLED),
        row("429 until 1994", Reply(429, headers={"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}), THROTTLED),
        row("500", Reply(500, b"Traceback (most recent call last)"), TryLater("receiver_error"), "RFC9110"),
        row("501", Reply(501), TryLater("receiver_error"), "RFC9110"),
        row("502", Reply(502), AWAY),
        row("503 for 2 min", Reply(503, headers={"retry-after": "120"}), replace(AWAY, after=later(120))),
        row("504", Reply(504), AWAY),
        row("600, no class", Reply(600), TryLater("unexpected_answer"), "RFC9110"),
        row("echo", Reply(404, f"Cannot POST {PATH}".encode()), NOT_FOUND, "Express's own 404 page"),
        row("bytes", Reply(500, bytes(range(256)) * 40), TryLater("receiver_error"), "RFC9110"),
    )  # fmt: skip
    secrets = (SECRET, PREVIOUS, SECRET.removeprefix("whsec_"), "canary-token-5f3a9c", "canary-query-8812")
    most_bytes = 20_000

    def __init__(self) -> None:
        self.receiver = WebhookReceiver(SECRET)

    async def __aenter__(self) -> "Vendored":
        await self.receiver.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self.receiver.__aexit__(*exc)

    def settings(self) -> dict[str, Value]:
        return {}

    def contact(self) -> dict[str, Value]:
        return {"url": self.receiver.url(PATH), "secret": SECRET, "previous_secret": PREVIOUS}

    def answer(self, answer: Reply) -> None:
        self.receiver.script[PATH] = [answer]

    def received(self) -> Sequence[Received]:
        assert self.receiver.complaints == []
        return [
            Received(
                identity=arrival.identity,
                to=arrival.path,
                text=json.dumps(arrival.payload, ensure_ascii=False),
                names=[*sorted(arrival.headers), *sorted(arrival.payload), *sorted(self.members(arrival.payload))],
                size=len(arrival.body),
                live=[],
            )
            for arrival in self.receiver.arrivals
        ]

    def members(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        return dict(payload["data"])

    def payload(self, parcel: Parcel) -> str:
        body = payload(parcel.document)
        headers = HEADERS | signed(parcel.identity, parcel.now, body, {"secret": SECRET, "previous_secret": PREVIOUS})
        return readable(headers, body)

    def nowhere(self) -> dict[str, dict[str, Value]]:
        return {"contact": {"url": f"http://127.0.0.1:1{PATH}"}}


class WrittenForDms(Vendored):
    # The page says nothing of answers: a status is taken as in the other format, so a few stand for all.
    rows = tuple(each for each in Vendored.rows if each.name in ("200", "204", "410", "429 for 7 s", "500", "echo"))

    def contact(self) -> dict[str, Value]:
        return {**super().contact(), "format": "dms"}

    def members(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        return dict(payload["messageEvent"])

    def payload(self, parcel: Parcel) -> str:
        # The URL is signed, and the receiver has another port each time.
        there = {**parcel.contact, "url": "https://hooks.example.com/dms"}
        body, headers = letter(replace(parcel, contact=there))
        return readable(headers, body)


Vendored.forms = {"dms": WrittenForDms}
