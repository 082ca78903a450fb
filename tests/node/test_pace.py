"""So many a second for each token: pure, with the time passed in."""

import pytest

from tidings.kernel.problems import Problem
from tidings.node.pace import BURST, KNOWN_AT_MOST, Pace

ANN, BO = b"ann", b"bo"


def let_in(pace: Pace, key: bytes, now: float, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            pace.enter(key, now)
            count += 1
        except Problem as problem:
            assert (problem.status, problem.code) == (429, "rate_limited")
    return count


def test_ten_seconds_worth_may_come_at_once_and_then_as_many_as_the_rate() -> None:
    pace = Pace(5, "calls")
    assert let_in(pace, ANN, 100.0, 200) == 50
    assert let_in(pace, ANN, 101.0, 200) == 5
    assert let_in(pace, ANN, 101.1, 200) == 0
    assert let_in(pace, ANN, 101.0 + BURST, 200) == 50


def test_each_token_has_its_own() -> None:
    pace = Pace(1, "calls")
    assert let_in(pace, ANN, 0.0, 100) == 10
    assert let_in(pace, BO, 0.0, 100) == 10


def test_a_batch_is_taken_whole_and_paid_for_afterwards() -> None:
    pace = Pace(10, "events")
    pace.enter(ANN, 0.0)
    pace.charge(ANN, 0.0, 999)
    with pytest.raises(Problem) as refused:
        pace.enter(ANN, 0.0)
    wait = int(refused.value.headers["Retry-After"])
    assert wait == 91  # 100 s to pay for, 10 of them at once, and the next one
    assert refused.value.headers["RateLimit-Policy"] == '"events";q=100;w=10'
    assert refused.value.headers["RateLimit"] == '"events";r=0;t=91'
    assert let_in(pace, ANN, float(wait), 1) == 1


def test_none_is_no_limit_and_remembers_nothing() -> None:
    pace = Pace(0, "events")
    assert let_in(pace, ANN, 0.0, 10_000) == 10_000
    pace.charge(ANN, 0.0, 10_000)
    assert pace._paid_at == {}


def test_whoever_makes_up_tokens_neither_fills_the_memory_nor_lets_others_off() -> None:
    pace = Pace(1, "calls")
    assert let_in(pace, ANN, 1_000.0, 11) == 10
    for number in range(3 * KNOWN_AT_MOST):
        pace.enter(b"%d" % number, 1_000.0 + number / 10_000)
    assert len(pace._paid_at) < 3 * KNOWN_AT_MOST
    assert let_in(pace, ANN, 1_000.5, 1) == 0
