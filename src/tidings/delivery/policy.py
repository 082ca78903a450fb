"""What is next for a delivery after one try, or after none. Pure: the outcome, how often and how long, and the schedule
decide."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, assert_never

from msgspec import Struct

from tidings.channels.contract import Outcome, Refused, Sent, TryLater

MAX_RETRY_AFTER = timedelta(hours=6)
JITTER = 0.2
LEAST_PATIENCE = timedelta(hours=1)
"""A schedule of a few seconds says how to try, not that a robot's minute is too long to wait for."""


LOOK_AGAIN = timedelta(minutes=10)
"""What is held is looked at at least so often: a limit may have been raised, an account be well again."""


class Held(Struct, frozen=True):
    """Not tried: a vendor's budget is used up, or its account is in trouble. No try is counted."""

    reason: str
    wait: timedelta


class Next(Struct, frozen=True):
    """`wait` is how long until it is tried again, or, of what was sent, until its provider is asked what became of it;
    `disable` when the address itself was refused."""

    state: Literal["sent", "pending", "failed"]
    reason: str = ""
    wait: timedelta | None = None
    disable: bool = False


def decide(
    outcome: Outcome,
    *,
    tries: int,
    age: timedelta,
    schedule: Sequence[timedelta],
    gives_up_after: timedelta | None,
    chance: float,
) -> Next:
    """`tries` counts this one. `chance`, in [0, 1), spreads the retries of many by 20% either way."""
    match outcome:
        case Sent():
            return Next("sent")
        case Refused(reason=reason, of=of):
            return Next("failed", reason, disable=of == "address")
        case TryLater(reason=reason, after=after):
            if tries > len(schedule):
                return Next("failed", reason)
            wait = schedule[tries - 1] * (1 - JITTER + 2 * JITTER * chance)
            if after is not None:
                wait = max(wait, min(after, MAX_RETRY_AFTER))
            if gives_up_after is not None and age + wait > gives_up_after:
                return Next("failed", reason)
            return Next("pending", reason, wait=wait)
        case _:
            assert_never(outcome)


def hold(held: Held, *, age: timedelta, schedule: Sequence[timedelta], gives_up_after: timedelta | None) -> Next:
    """A message that would be worth nothing by then has failed now. None waits for ever: at the latest it ends when its
    last retry would have been over, had it been tried."""
    lasts = max(sum(schedule, timedelta(0)) * (1 + JITTER), LEAST_PATIENCE)
    if age + held.wait > (lasts if gives_up_after is None else gives_up_after):
        return Next("failed", held.reason)
    return Next("pending", held.reason, wait=min(held.wait, LOOK_AGAIN))


def longest_wait(schedule: Sequence[timedelta]) -> timedelta:
    """Nothing waits longer than this from one look to the next."""
    return max(*schedule, MAX_RETRY_AFTER, LOOK_AGAIN) * (1 + JITTER)
