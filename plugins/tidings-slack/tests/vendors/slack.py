"""Slack's incoming webhooks.

[SL-2016] https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks
[SL-HOOK] https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (handling errors)
[SL-RATE] https://docs.slack.dev/apis/web-api/rate-limits
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tidings.channels.contract import Outcome, Parcel, Refused, Sent, TryLater, Value
from tidings.channels.testing.http_server import Reply
from tidings.channels.testing.vendor import Received, Row, Vendor
from tidings_slack.message import LONGEST_LINK, body
from tidings_slack.testing import IncomingWebhooks

TOKEN = "canary5f3a9c1be20d774e6a"
PATH = f"/services/T0CANARY/B0CANARY/{TOKEN}"

GONE = Refused("gone", "address")
CLOSED = Refused("permission_missing", "address")
REJECTED = Refused("rejected", "message")


def row(status: int, word: str, outcome: Outcome, where: str, **headers: str) -> Row:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Row(f"{status} {word}", Reply(status, word.encode(), named), outcome, where)


class Vendored(Vendor):
    rows = (
        Row("well, by itself", None, Sent(), "SL-HOOK"),
        row(200, "ok", Sent(), "SL-HOOK"),
        row(200, "no_service", GONE, "an error in a 200"),
        row(200, "<html>Sign in</html>", TryLater("unexpected_answer"), "a page of a proxy"),
        row(400, "invalid_payload", REJECTED, "SL-2016"),
        row(400, "user_not_found", GONE, "SL-2016"),
        row(400, "no_text", REJECTED, "SL-HOOK"),
        row(400, "too_many_attachments", REJECTED, "SL-HOOK"),
        row(400, "posting_to_general_channel_denied", CLOSED, "SL-HOOK"),
        row(400, "invalid_blocks", REJECTED, "SL-HOOK"),
        row(400, "missing_text_or_fallback_or_attachments", REJECTED, "SL-HOOK"),
        row(403, "action_prohibited", CLOSED, "SL-2016"),
        row(403, "invalid_token", GONE, "SL-HOOK"),
        row(403, "team_disabled", GONE, "SL-HOOK"),
        row(404, "channel_not_found", GONE, "SL-2016"),
        row(404, "no_service", GONE, "SL-HOOK"),
        row(404, "no_service_id", GONE, "SL-HOOK"),
        row(404, "no_team", GONE, "SL-HOOK"),
        row(404, "no_active_hooks", GONE, "SL-HOOK"),
        row(404, "Not Found", TryLater("unexpected_answer"), "no table"),
        row(410, "channel_is_archived", GONE, "SL-2016"),
        row(429, "rate_limited", TryLater("throttled", after=timedelta(seconds=30)), "SL-RATE", retry_after="30"),
        row(429, "", TryLater("throttled"), "RFC9110"),
        row(500, "rollup_error", TryLater("vendor_error"), "SL-2016"),
        row(503, "Service Unavailable", TryLater("vendor_error"), "RFC9110"),
        row(302, "", TryLater("unexpected_answer"), "no table; redirects are not followed"),
        row(400, "a_word_nobody_has_seen", TryLater("unexpected_answer"), "no table"),
        row(400, f"Cannot POST {PATH}", TryLater("unexpected_answer"), "what a proxy might repeat"),
    )
    secrets = (TOKEN,)
    most_bytes = 40_000
    longest_link = LONGEST_LINK

    def __init__(self) -> None:
        self.slack = IncomingWebhooks(PATH)

    async def __aenter__(self) -> "Vendored":
        await self.slack.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self.slack.__aexit__(*exc)

    def settings(self) -> dict[str, Value]:
        return {"endpoint": self.slack.url("/")}

    def contact(self) -> dict[str, Value]:
        return {"url": f"https://hooks.slack.com{PATH}"}

    def answer(self, answer: Any) -> None:
        self.slack.script[PATH] = [answer]

    def received(self) -> Sequence[Received]:
        assert self.slack.complaints == []
        return [
            Received(posted.first_block, posted.path, posted.text, posted.names, posted.size, posted.live)
            for posted in self.slack.posted
        ]

    def payload(self, parcel: Parcel) -> str:
        return json.dumps(json.loads(body(parcel)), ensure_ascii=False, indent=2)

    def nowhere(self) -> dict[str, dict[str, Value]]:
        return {"settings": {"endpoint": "http://127.0.0.1:1"}}
