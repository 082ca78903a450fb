"""What came of a message that was sent at once, for those who wait for it."""

from typing import Literal, assert_never

from ninja import Schema

from tidings.channels.contract import Outcome, Refused, Sent, TryLater


class OutcomeShown(Schema):
    outcome: Literal["sent", "try_later", "refused"]
    reason: str
    said: str


def shown_outcome(outcome: Outcome) -> dict[str, str]:
    match outcome:
        case Sent():
            return {"outcome": "sent", "reason": "", "said": outcome.said}
        case TryLater():
            return {"outcome": "try_later", "reason": outcome.reason, "said": outcome.said}
        case Refused():
            return {"outcome": "refused", "reason": outcome.reason, "said": outcome.said}
        case _:
            assert_never(outcome)
