"""How often a code may be asked for and guessed: per person and address, whichever code is under way, and per tenant.
Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

HOLDS = timedelta(minutes=10)
# What Alibaba Cloud SMS takes for one number: http://developer.aliyun.com/ask/474934
SENDS = ((1, timedelta(minutes=1)), (5, timedelta(hours=1)), (10, timedelta(days=1)))
SENDS_OF_TENANT = ((100, timedelta(days=1)),)
REMEMBERED = timedelta(days=1)
"""Nothing longer ago counts."""
# Ten codes a day and five guesses each, of a million: even odds after 38 years.
TRIES = 5
LOCKED = timedelta(hours=1)


def until_next(sent: Sequence[datetime], limits: Sequence[tuple[int, timedelta]], now: datetime) -> timedelta:
    """How long until one more may be sent; zero: now."""
    latest_first = sorted(sent, reverse=True)
    waits = [latest_first[most - 1] + per - now for most, per in limits if len(latest_first) >= most]
    return max([timedelta(0), *waits])
