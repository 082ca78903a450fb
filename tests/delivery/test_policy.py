"""What follows one try: the outcome, how often and how long decide."""

from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tidings.channels.contract import Outcome, Refused, Sent, TryLater
from tidings.delivery.policy import MAX_RETRY_AFTER, Held, Next, decide, hold

SCHEDULE = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 300, 1_800, 7_200, 18_000, 36_000, 36_000))
EVENLY = 0.5
"""The chance that neither shortens nor lengthens a wait."""


def follow(
    outcome: Outcome,
    *,
    tries: int = 1,
    age: timedelta = timedelta(0),
    gives_up_after: timedelta | None = None,
    chance: float = EVENLY,
    schedule: tuple[timedelta, ...] = SCHEDULE,
) -> Next:
    return decide(outcome, tries=tries, age=age, schedule=schedule, gives_up_after=gives_up_after, chance=chance)


def test_what_was_sent_has_ended() -> None:
    assert follow(Sent("42"), tries=9) == Next("sent")


def test_a_refused_message_fails_at_once_and_leaves_the_address_alone() -> None:
    assert follow(Refused("too_large", of="message")) == Next("failed", "too_large")


def test_a_refused_address_fails_at_once_and_is_disabled() -> None:
    assert follow(Refused("gone", of="address")) == Next("failed", "gone", disable=True)


@pytest.mark.parametrize(("tries", "wait"), list(enumerate(SCHEDULE, 1)))
def test_each_try_waits_as_the_schedule_says(tries: int, wait: timedelta) -> None:
    following = follow(TryLater("receiver_error"), tries=tries)
    assert following.state == "pending"
    assert following.reason == "receiver_error"
    assert following.wait == wait


def test_after_the_schedule_it_has_failed_for_the_last_reason() -> None:
    assert follow(TryLater("throttled", after=timedelta(seconds=1)), tries=9) == Next("failed", "throttled")


def test_a_providers_wish_lengthens_a_wait_and_never_shortens_it() -> None:
    assert follow(TryLater("throttled", after=timedelta(minutes=3))).wait == timedelta(minutes=3)
    assert follow(TryLater("throttled", after=timedelta(seconds=1))).wait == timedelta(seconds=5)


def test_no_wish_is_obeyed_for_longer_than_six_hours() -> None:
    assert follow(TryLater("throttled", after=timedelta(days=9))).wait == timedelta(hours=6)


def test_a_message_that_would_be_too_old_by_the_next_try_has_failed_now() -> None:
    kwargs = {"tries": 2, "gives_up_after": timedelta(hours=4)}
    assert follow(TryLater("greylisted"), age=timedelta(hours=4) - timedelta(seconds=30), **kwargs).state == "pending"  # type: ignore[arg-type]
    assert follow(TryLater("greylisted"), age=timedelta(hours=4) - timedelta(seconds=29), **kwargs).state == "failed"  # type: ignore[arg-type]


def test_a_wish_beyond_a_messages_life_ends_it() -> None:
    later = TryLater("throttled", after=timedelta(hours=5))
    assert follow(later, gives_up_after=timedelta(hours=4)) == Next("failed", "throttled")


def test_a_clock_that_was_set_back_ends_nothing() -> None:
    assert follow(TryLater("timeout"), age=timedelta(hours=-3), gives_up_after=timedelta(hours=4)).state == "pending"


def test_a_technical_cause_is_tried_again_like_any_other() -> None:
    assert follow(TryLater("credentials_refused", technical=True)).state == "pending"


waits = st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=2))
outcomes = st.one_of(
    st.builds(TryLater, st.just("busy"), after=st.none() | st.timedeltas(timedelta(0), timedelta(days=30))),
    st.builds(Refused, st.just("no"), of=st.sampled_from(["message", "address"])),
    st.just(Sent()),
)
chances = st.floats(0, 1, exclude_max=True)


@given(
    outcomes, st.integers(1, 20), st.timedeltas(timedelta(days=-1), timedelta(days=9)),
    st.lists(waits, min_size=1, max_size=9).map(tuple), st.none() | waits, chances,
)  # fmt: skip
def test_every_try_ends_or_has_a_time_when_it_goes_on(
    outcome: Outcome,
    tries: int,
    age: timedelta,
    schedule: tuple[timedelta, ...],
    gives_up_after: timedelta | None,
    chance: float,
) -> None:
    following = follow(outcome, tries=tries, age=age, schedule=schedule, gives_up_after=gives_up_after, chance=chance)
    assert (following.state == "pending") == (following.wait is not None)
    assert (following.state == "sent") == (not following.reason)
    assert following.disable == (isinstance(outcome, Refused) and outcome.of == "address")
    if following.wait is not None:
        assert timedelta(0) < following.wait <= max(schedule[tries - 1] * 1.2, MAX_RETRY_AFTER)
        assert gives_up_after is None or age + following.wait <= gives_up_after


@given(st.integers(1, len(SCHEDULE)), chances)
def test_waits_are_spread_by_a_fifth_either_way(tries: int, chance: float) -> None:
    wait = follow(TryLater("busy"), tries=tries, chance=chance).wait
    assert wait is not None
    assert SCHEDULE[tries - 1] * 0.8 <= wait < SCHEDULE[tries - 1] * 1.2 + timedelta(microseconds=1)


@given(chances, chances)
def test_another_chance_is_another_wait(one: float, other: float) -> None:
    assume(abs(one - other) > 0.001)
    assert follow(TryLater("busy"), tries=4, chance=one) != follow(TryLater("busy"), tries=4, chance=other)


@given(st.integers(1, 8), st.timedeltas(timedelta(seconds=1), timedelta(hours=6)))
def test_a_provider_is_never_asked_before_it_wishes(tries: int, after: timedelta) -> None:
    wait = follow(TryLater("throttled", after=after), tries=tries).wait
    assert wait is not None
    assert wait >= after


DAYS = sum(SCHEDULE, timedelta(0)) * 1.2
MINUTE = Held("robot_rate", timedelta(minutes=1))


@pytest.mark.parametrize(
    ("age", "schedule", "gives_up_after", "state"),
    [
        (timedelta(0), SCHEDULE, None, "pending"),
        (DAYS - timedelta(minutes=1), SCHEDULE, None, "pending"),
        (DAYS, SCHEDULE, None, "failed"),
        (timedelta(hours=4), SCHEDULE, timedelta(hours=4), "failed"),
        (timedelta(minutes=58), (timedelta(seconds=1),), None, "pending"),
        (timedelta(hours=1), (timedelta(seconds=1),), None, "failed"),
    ],
)
def test_what_is_held_waits_no_longer_than_its_retries_would_have_taken(
    age: timedelta, schedule: tuple[timedelta, ...], gives_up_after: timedelta | None, state: str
) -> None:
    following = hold(MINUTE, age=age, schedule=schedule, gives_up_after=gives_up_after)
    assert (following.state, following.reason) == (state, "robot_rate")
