"""One tenant whose mail server hangs does not keep the others from sending a test message."""

from uuid import UUID

from tidings.channels.turns import ASK_AGAIN, Turns

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_one_goes_at_a_time() -> None:
    turns = Turns()
    assert turns.take(ONE, 0.0) == 0
    assert turns.take(ONE, 1.0) == turns.take(OTHER, 1.0) == ASK_AGAIN
    turns.give_back(2.0)
    assert turns.take(OTHER, 2.0) == 0


def test_a_tenant_that_kept_another_waiting_lets_it_go_first() -> None:
    turns = Turns()
    turns.take(ONE, 0.0)
    turns.take(OTHER, 3.0)
    turns.give_back(15.0)
    assert turns.take(ONE, 16.0) == 14.0
    assert turns.take(OTHER, 17.0) == 0
    turns.give_back(18.0)
    assert turns.take(ONE, 30.0) == 0


def test_a_tenant_that_nobody_waits_for_goes_on_at_once() -> None:
    turns = Turns()
    for second in range(3):
        assert turns.take(ONE, second) == 0
        assert turns.take(ONE, second + 0.5) == ASK_AGAIN
        turns.give_back(second + 0.9)
