"""What the API says was sent, and what the receivers took: the demo must notice every difference."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from tidings.demo.arrived import Arrived, Named
from tidings.demo.compare import differences, not_kept, not_played, repeated
from tidings.demo.record import Attempt, Because, EventShown, Recipient, Record, Send, Subject

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
    failed = with_hook(msgspec.structs.replace(HOOK, state="failed", attempts=HOOK.attempts[:1]))
    [fault] = differences([failed], [AT_MAIL, AT_HOOK], ())
    assert "the API says it is failed" in fault


def test_what_failed_and_did_not_arrive_is_right() -> None:
    failed = with_hook(msgspec.structs.replace(HOOK, state="failed", attempts=HOOK.attempts[:1]))
    assert differences([failed], [AT_MAIL, replace(AT_HOOK, answers=("503", "410"))], ()) == []


def test_what_its_provider_took_and_did_not_deliver_has_arrived_there() -> None:
    lost = Send("d1", "sms", "failed", AT, "opted_out", [Attempt(AT, "sent", 5), Attempt(AT, "failed")])
    record = Record(EVENT, [Recipient("ann", "Ann", [Because("submitter")], [lost])], [])
    assert differences([record], [replace(AT_MAIL, channel="sms")], ()) == []
    assert len(differences([record], [], ())) == 1


def by_dingtalk(number: int, subject: str, *logins: str, channel: str = "dingtalk_robot") -> Record:
    """Event `number`; the deliveries to these people were sent."""
    event = msgspec.structs.replace(EVENT, id=event_key(number), subject=Subject("ticket", subject, "A title"))
    people = [
        Recipient(login, login, [Because("submitter")], [sent(event_key(number, place), channel)])
        for place, login in enumerate(logins, 1)
    ]
    return Record(event, people, [])


def event_key(number: int, place: int = 0) -> str:
    return f"019a9f5c-2f40-7c31-8a6e-3d5b{number:04}{place:04}"


def sent(key: str, channel: str) -> Send:
    return Send(key, channel, "sent", AT, attempts=[Attempt(AT, "sent", 5)])


def in_group(identity: str, *parts: Named) -> Arrived:
    return Arrived(identity, "dingtalk_robot", "orders", "headline", "subject", b"", ("200",), parts=parts)


def identity_of(*deliveries: str) -> str:
    return hashlib.sha256("".join(sorted(key.replace("-", "") for key in deliveries)).encode()).hexdigest()[:32]


FIRST, SECOND = by_dingtalk(1, "88123", "ann", "bo"), by_dingtalk(2, "88123", "ann")
BOTH = Named("88123", frozenset({"ann", "bo"})), Named("88123", frozenset({"ann"}))
SUMMARY = in_group(identity_of(event_key(1, 1), event_key(1, 2), event_key(2, 1)), *BOTH)


def test_a_summary_to_a_group_is_every_delivery_in_it_and_no_other() -> None:
    assert differences([FIRST, SECOND], [SUMMARY], ()) == []
    third = by_dingtalk(3, "88123", "bo")
    [fault] = differences([FIRST, SECOND, third], [SUMMARY], ())
    assert "by dingtalk_robot to bo, was sent, says the API; no receiver has it" in fault


def test_a_summary_that_leaves_somebody_out_is_noticed() -> None:
    without_bo = replace(SUMMARY, parts=(BOTH[1], BOTH[1]))
    faults = differences([FIRST, SECOND], [without_bo], ())
    assert sum("no receiver has it" in fault for fault in faults) == 3
    assert sum("the API knows nothing" in fault for fault in faults) == 1


def test_a_message_of_one_delivery_to_a_group_carries_its_id() -> None:
    alone = in_group(event_key(2, 1).replace("-", ""), BOTH[1])
    assert differences([SECOND], [alone], ()) == []


def test_a_message_by_dingtalk_is_known_by_the_mark_of_its_event_and_its_reader() -> None:
    record = by_dingtalk(1, "88123", "ann", channel="dingtalk")
    mark = event_key(1).replace("-", "")[-15:-5]
    one = Arrived(f"{mark} to ann", "dingtalk", "ann", "headline", "", b"", ("200",))
    assert differences([record], [one], ()) == []
    assert len(differences([record], [replace(one, delivery=f"{mark} to bo", login="bo")], ())) == 2


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
