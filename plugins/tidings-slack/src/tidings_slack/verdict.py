"""What Slack's words mean: one of them is the whole body, whatever the status.

[SL-2016] https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks
[SL-HOOK] https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (handling errors)
[SL-RATE] https://docs.slack.dev/apis/web-api/rate-limits
"""

import re
from collections.abc import Mapping
from datetime import datetime

from tidings.channels.answer import retry_after, said
from tidings.channels.contract import Answer, Outcome, Refused, Sent, TryLater

OK = "ok"
_GONE = Refused("gone", of="address")
_CLOSED = Refused("permission_missing", of="address")
_REJECTED = Refused("rejected", of="message")

VERDICTS: Mapping[str, Outcome] = {
    # Of the webhook, which its owner gave us.
    "channel_is_archived": _GONE,
    "channel_not_found": _GONE,
    "invalid_token": _GONE,
    "no_active_hooks": _GONE,
    "no_service": _GONE,
    "no_service_id": _GONE,
    "no_team": _GONE,
    "team_disabled": _GONE,
    "user_not_found": _GONE,
    # The workspace lets nobody post there by this webhook; only its owner can have that changed, or give another.
    "action_prohibited": _CLOSED,
    "posting_to_general_channel_denied": _CLOSED,
    # Of the message.
    "invalid_blocks": _REJECTED,
    "invalid_blocks_format": _REJECTED,
    "invalid_payload": _REJECTED,
    "missing_text_or_fallback_or_attachments": _REJECTED,
    "no_text": _REJECTED,
    "too_many_attachments": _REJECTED,
    # Not now.
    "rollup_error": TryLater("vendor_error"),
    "rate_limited": TryLater("throttled"),
    "ratelimited": TryLater("throttled"),
}
_WORD = re.compile(rb"\s*([a-z_]+)\s*\Z")


def judge(answer: Answer, now: datetime, *, hide: str) -> Outcome:
    """`hide` is the secret part of the webhook's URL, which may stand in no record."""
    words = said(answer.status, answer.body, hide=(hide,))
    match _verdict(answer):
        case Sent():
            return Sent(said=words)
        case TryLater(reason=reason):
            return TryLater(reason, words, retry_after(answer.headers.get("retry-after"), now))
        case Refused(reason=reason, of=of):
            return Refused(reason, of, words)


def _verdict(answer: Answer) -> Outcome:
    found = _WORD.match(answer.body)
    word = found[1].decode() if found else ""
    if answer.status == 200 and word == OK:
        return Sent()
    if answer.status == 429:
        return TryLater("throttled")
    known = VERDICTS.get(word)
    if answer.status >= 500:
        return TryLater("vendor_error")
    return known or TryLater("unexpected_answer")
