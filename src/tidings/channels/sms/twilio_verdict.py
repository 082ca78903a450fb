"""What Twilio's codes mean, in answers and in what it reports later.

https://www.twilio.com/docs/api/errors (each code has its page: /docs/api/errors/21610)
"""

from collections.abc import Mapping
from typing import Literal

from tidings.channels.contract import Outcome, Refused, TryLater

ACCOUNT = TryLater("account_unusable", technical=True)
AUTH = TryLater("auth_failed", technical=True)
SENDER = TryLater("sender_refused", technical=True)
REQUEST = TryLater("request_refused", technical=True)
AWAY = TryLater("vendor_unavailable")
THROTTLED = TryLater("throttled")
NUMBER = Refused("number_invalid", of="address")
UNEXPECTED = TryLater("unexpected_answer")

CODES: Mapping[int, Outcome] = {
    # The number.
    21211: NUMBER,
    21614: NUMBER,  # not a mobile number
    21635: NUMBER,  # a landline
    21265: NUMBER,  # a short code
    21610: Refused("opted_out", of="address"),
    # This message.
    21602: Refused("content_refused", of="message"),
    21617: Refused("too_large", of="message"),
    21612: Refused("not_routable", of="message"),  # from this sender to this number
    21266: Refused("not_routable", of="message"),  # to itself
    # Not now.
    20429: THROTTLED,
    21611: THROTTLED,  # ten hours of messages wait already
    14107: THROTTLED,
    20500: AWAY,
    20503: AWAY,
    # The account and what is set up there.
    20003: AUTH,
    20404: AUTH,  # no such account
    10001: ACCOUNT,
    20005: ACCOUNT,
    21608: ACCOUNT,  # on trial
    21408: TryLater("region_refused", technical=True),  # not switched on in the geographic permissions
    21212: SENDER,
    21401: SENDER,
    21601: SENDER,
    21603: SENDER,
    21606: SENDER,
    21659: SENDER,
    21660: SENDER,
    21661: SENDER,
    21703: SENDER,
    21705: SENDER,
    21609: TryLater("status_callback_refused", technical=True),
}
BY_STATUS: Mapping[int, Outcome] = {401: AUTH, 403: AUTH, 404: AUTH, 429: THROTTLED, 400: UNEXPECTED}

REPORTS: Mapping[int, tuple[str, Literal["message", "address"]]] = {
    30001: ("throttled", "message"),
    30002: ("account_unusable", "message"),
    # "A one-time downstream issue can cause a transient delivery failure."
    30003: ("unreachable", "message"),
    30004: ("blocked", "message"),
    30005: ("unknown_number", "address"),
    # A landline, or only a carrier that this short code cannot reach.
    30006: ("unreachable", "message"),
    30007: ("content_refused", "message"),
    30008: ("undelivered", "message"),
    30034: ("sender_not_registered", "message"),
    21610: ("opted_out", "address"),
}


def verdict(status: int, code: int) -> Outcome:
    """Of an answer that is no success; the words are not in it yet."""
    return CODES.get(code) or BY_STATUS.get(status) or (AWAY if status >= 500 else UNEXPECTED)
