"""A vendor account in trouble is left alone, tried now and then, and forgiven."""

from tidings.channels.contract import Refused, Sent, TryLater
from tidings.delivery.circuit import OPENS_AFTER, Circuits

AWAY = TryLater("connect")


def opened(now: float = 100.0) -> Circuits:
    circuits = Circuits()
    for _ in range(OPENS_AFTER):
        circuits.note("app", AWAY, now)
    return circuits


def test_a_few_failures_are_no_trouble() -> None:
    circuits = Circuits()
    for _ in range(OPENS_AFTER - 1):
        circuits.note("app", AWAY, 100.0)
    assert circuits.wait("app", 100.0) == 0


def test_a_row_of_failures_opens_the_circuit_of_that_account_alone() -> None:
    circuits = opened()
    assert circuits.wait("app", 101.0) > 0
    assert circuits.wait("other", 101.0) == 0
    assert set(circuits.open(101.0)) == {"app"}


def test_one_message_goes_to_try_it_when_the_time_is_up() -> None:
    circuits = opened()
    assert [circuits.wait("app", 111.0) > 0 for _ in range(3)] == [False, True, True]


def test_a_probe_that_comes_through_closes_it() -> None:
    circuits = opened()
    assert circuits.wait("app", 111.0) == 0
    circuits.note("app", Sent(), 112.0)
    assert [circuits.wait("app", 112.0) for _ in range(3)] == [0, 0, 0]
    assert circuits.open(112.0) == {}


def test_a_probe_that_fails_opens_it_for_twice_as_long() -> None:
    circuits = opened()
    assert circuits.wait("app", 111.0) == 0
    circuits.note("app", AWAY, 112.0)
    assert circuits.wait("app", 131.0) > 0
    assert circuits.wait("app", 133.0) == 0


def test_a_probe_that_never_comes_back_does_not_keep_it_open_for_ever() -> None:
    circuits = opened()
    assert circuits.wait("app", 111.0) == 0
    assert circuits.wait("app", 120.0) > 0
    assert circuits.wait("app", 140.0) == 0


def test_what_late_failures_say_does_not_open_it_again_while_it_is_open() -> None:
    circuits = opened()
    for _ in range(10):
        circuits.note("app", AWAY, 101.0)
    assert circuits.wait("app", 111.0) == 0


def test_a_refused_or_throttled_message_says_nothing_of_the_account() -> None:
    circuits = Circuits()
    for _ in range(20):
        circuits.note("app", Refused("bad", of="message"), 100.0)
        circuits.note("app", TryLater("throttled"), 100.0)
    assert circuits.wait("app", 100.0) == 0


def test_credentials_that_are_refused_open_it() -> None:
    circuits = Circuits()
    for _ in range(OPENS_AFTER):
        circuits.note("app", TryLater("credentials_refused", technical=True), 100.0)
    assert circuits.wait("app", 101.0) > 0
