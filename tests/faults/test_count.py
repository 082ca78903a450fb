"""What `make faults` counts: a loss is seen wherever it hides, and so is a repeat that nothing excuses."""

from collections import Counter
from uuid import UUID

import pytest
from faults.count import Books, Row

EVENT = UUID("0199d1b0-0000-7000-8000-000000100000")
DELIVERY = f"{EVENT.hex[:-1]}2"


def books(*, kept: bool = True, state: str = "", arrived: int = 0, excused: bool = False) -> Books:
    return Books(
        {"e-1": (EVENT, excused)} if kept else {},
        {EVENT.int >> 20: [(DELIVERY, state)]} if state else {},
        Counter({DELIVERY: arrived} if arrived else {}),
    )


def counted(found: Books, ours: str = str(EVENT)) -> Row:
    found.count(row := Row("a fault", "It is one."), {"e-1": ours})
    return row


@pytest.mark.parametrize(
    "found",
    [
        books(kept=False),
        books(),
        books(state="pending"),
        books(state="sending", arrived=1),
        books(state="sent"),
    ],
    ids=["not_there", "tells_nobody_and_does_not_say_why", "waits_for_ever", "is_held_for_ever", "sent_to_nobody"],
)
def test_what_was_accepted_and_has_no_end_is_lost(found: Books) -> None:
    row = counted(found)
    assert (row.lost, row.faults) == (1, ["1 lost"])


def test_an_event_under_another_id_than_its_sender_was_told_is_lost() -> None:
    assert counted(books(state="sent", arrived=1), ours=str(UUID(int=7))).lost == 1


def test_what_arrived_failed_or_has_a_reason_is_not_lost() -> None:
    delivered, failed, nobody = (
        counted(books(state="sent", arrived=1)),
        counted(books(state="failed")),
        counted(books(excused=True)),
    )
    assert [(row.delivered, row.ended_otherwise, row.lost) for row in (delivered, failed, nobody)] == [
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 0),
    ]


def test_only_what_was_in_somebodys_hands_may_come_again() -> None:
    excused, not_excused, too_often = Row("", ""), Row("", ""), Row("", "")
    books(state="sent", arrived=2).count_repeats(excused, Counter({DELIVERY: 1}))
    books(state="sent", arrived=2).count_repeats(not_excused, Counter({"another": 1}))
    books(state="sent", arrived=3).count_repeats(too_often, Counter({DELIVERY: 1}))
    assert [(row.repeated, row.at_most, len(row.faults)) for row in (excused, not_excused, too_often)] == [
        (1, 1, 0),
        (1, 1, 1),
        (2, 1, 1),
    ]
