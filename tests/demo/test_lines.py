"""What the demo says of a try."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from rich.console import Console

from tidings.demo.lines import retried
from tidings.demo.record import Attempt, Because, EventShown, Recipient, Record, Send, Subject

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
EVENT = EventShown("e1", "dms", "1", "data_change.approved", AT, AT, True, Subject("ticket", "1", "Add an index"))
LATER = Attempt(AT, "try_later", 5, "receiver_error", "500 broken")
REFUSED = Attempt(AT, "refused", 5, "no_such_address", "550 5.1.1")
BY_HAND, SENT = Attempt(AT, "retried_by", by="ann"), Attempt(AT, "sent", 5)


def said(send: Send, number: int) -> str:
    ann = Recipient("ann", "Ann", [Because("submitter")], [send])
    console = Console(width=200)
    with console.capture() as captured:
        console.print(retried(Record(EVENT, [ann], []), ann, send, number))
    return captured.get().strip()


@pytest.mark.parametrize(
    ("state", "attempts", "number", "ended"),
    [
        ("failed", [LATER, LATER], 2, True),
        ("failed", [LATER, LATER], 1, False),
        ("failed", [REFUSED], 1, True),
        ("pending", [LATER], 1, False),
        # Tried again by hand before anybody had looked.
        ("pending", [LATER, LATER, BY_HAND], 2, True),
        ("sent", [LATER, BY_HAND, SENT], 1, True),
        ("sent", [REFUSED, BY_HAND, SENT], 1, True),
        ("sent", [LATER, SENT], 1, False),
    ],
)
def test_the_last_try_failed_for_good_however_late_it_is_seen(
    state: Any, attempts: list[Attempt], number: int, ended: bool
) -> None:
    text = said(msgspec.structs.replace(Send("d1", "email", state, AT), attempts=attempts), number)
    assert ("failed for good" in text) is ended
    assert ("met" in text) is not ended
