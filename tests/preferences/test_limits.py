"""How often a code may be sent: a minute, an hour, a day, each of them rolling."""

from datetime import UTC, datetime, timedelta

import pytest

from tidings.preferences.limits import SENDS, until_next

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


def sent(*minutes_ago: float) -> list[datetime]:
    return [NOW - timedelta(minutes=minutes) for minutes in minutes_ago]


@pytest.mark.parametrize(
    ("minutes_ago", "wait"),
    [
        ((), 0),
        ((0,), 1),
        ((1,), 0),
        ((2, 3, 4, 5), 0),
        ((2, 3, 4, 5, 6), 54),
        ((6, 5, 4, 3, 2), 54),
        ((0.5, 3, 4, 5, 59.9), 0.5),
        (tuple(range(70, 79)), 0),
        (tuple(range(70, 80)), 24 * 60 - 79),
        ((*range(70, 79), 24 * 60), 0),
    ],
)
def test_the_longest_wait_of_all_limits_counts(minutes_ago: tuple[float, ...], wait: float) -> None:
    assert until_next(sent(*minutes_ago), SENDS, NOW) == timedelta(minutes=wait)
