"""What the API says was sent, and what the receivers took: the demo must notice every difference."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from tidings.demo.compare import differences, not_kept, not_played, repeated
from tidings.demo.follow import Attempt, Because, EventShown, Recipient, Record, Send, Subject
from tidings.demo.receive import Arrived

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
SUBJECT = Subject("ticket", "88123", "Add an index")
EVENT = EventShown("e1", "dms", "88123-1", "data_change.approved", AT, AT, True, SUBJECT)
MAIL = Send("d1", "email", "sent", AT, attempts=[Attempt(AT, "sent", 5)])
HOOK = Send("d2", "webhook", "sent", AT, attempts=[Attempt(AT, "try_later", 5), Attempt(AT, "sent", 5)])
RECORD = Record(EVENT, [Recipient("ann", "Ann", [Because("submitter")], [MAIL, HOOK])], [])
AT_MAIL = Arrived("d1", "email", "ann", "headline", "subject", b"", ("250",))
AT_HOOK = Arrived("d2", "webhook", "ann", "headline", "subject", b"{}", ("503", "200"))


def with_hook(hook: Send) -> Record:
    return Record(EVENT, [Recipient("ann", "Ann", [Because("submitter")], [MAIL, hook])], [])


def test_when_all_is_there_nothing_is_said() -> None:
    assert differences([RECORD], [AT_MAIL, AT_HOOK], ()) == []


@pytest.mark.parametrize(
    ("arrived", "said"),
    [
        ([AT_HOOK], "no receiver has it"),
        ([AT_MAIL, replace(AT_HOOK, answers=("503", "503"))], "no receiver has it"),
        ([replace(AT_MAIL, login="bo"), AT_HOOK], "went to bo by email"),
        ([AT_MAIL, replace(AT_HOOK, answers=("200",))], "the receiver counts 1"),
        ([AT_MAIL, AT_HOOK, replace(AT_MAIL, delivery="d3")], "the API knows nothing"),
    ],
)
def test_what_receivers_lack_or_have_too_much_is_said(arrived: list[Arrived], said: str) -> None:
    [fault] = differences([RECORD], arrived, ())
    assert said in fault


def test_what_arrived_although_it_failed_is_said() -> None:
    failed = with_hook(msgspec.structs.replace(HOOK, state="failed"))
    [fault] = differences([failed], [AT_MAIL, AT_HOOK], ())
    assert "the API says it is failed" in fault


def test_what_failed_and_did_not_arrive_is_right() -> None:
    failed = with_hook(msgspec.structs.replace(HOOK, state="failed"))
    assert differences([failed], [AT_MAIL, replace(AT_HOOK, answers=("503", "410"))], ()) == []


def test_complaints_of_receivers_are_faults() -> None:
    assert len(differences([RECORD], [AT_MAIL, AT_HOOK], ["signature: no"])) == 1


def test_a_retry_by_hand_is_no_try_of_its_own() -> None:
    by_hand = [*HOOK.attempts[:1], Attempt(AT, "retried_by", by="zhao.min"), *HOOK.attempts[1:]]
    record = with_hook(msgspec.structs.replace(HOOK, attempts=by_hand))
    assert differences([record], [AT_MAIL, AT_HOOK], ()) == []


def test_repeats_are_counted_and_are_no_fault() -> None:
    arrived = [replace(AT_MAIL, answers=("250", "250")), AT_HOOK]
    assert differences([RECORD], arrived, ()) == []
    assert repeated(arrived) == 1


def test_events_and_types_that_are_missing_are_named() -> None:
    assert not_kept([RECORD], [("dms", "88123-1"), ("dms", "88123-2")]) == [("dms", "88123-2")]
    assert not_played([RECORD], ["data_change.approved", "data_change.failed"]) == ["data_change.failed"]
