"""How well a channel is, by what became of its tries: one judgement, for the overview and for its own page."""

from collections.abc import Sequence
from typing import Literal

from tidings.delivery.tally import Row

State = Literal["off", "idle", "fine", "trouble", "failing"]
"""Off; nothing was tried; well; a fifth did not go through at once, or had to wait; nothing goes through any more."""
FAILING_AFTER = 3
"""Tries that failed since the last that went through. One, or two, speak of a message rather than of the channel."""
_FAILED = "try_later", "refused"


def judge(rows: Sequence[Row]) -> State:
    """Of one channel that is on, over the time that the rows are of. A channel that died a minute ago is not fine for
    what it sent before."""
    sent, held = _count(rows, "sent"), _count(rows, "held")
    failed = _count(rows, *_FAILED)
    if not sent + failed + held:
        return "idle"
    if sum(row.since_sent for row in rows if row.what in _FAILED) >= FAILING_AFTER:
        return "failing"
    return "trouble" if (failed + held) * 5 >= sent + failed + held else "fine"


def _count(rows: Sequence[Row], *whats: str) -> int:
    return sum(row.count for row in rows if row.what in whats)
