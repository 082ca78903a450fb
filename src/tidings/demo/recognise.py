"""Recognise deliveries in messages that do not carry their ids: to a person DingTalk takes text and no more, and a
group reads one message for many people and events."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from tidings.demo.arrived import Arrived, Named
from tidings.demo.record import Record

Deliveries = tuple[tuple[str, str], ...]
"""(login, delivery id) of some people of one event."""


def recognised(records: Sequence[Record], arrived: Sequence[Arrived]) -> list[Arrived]:
    """Each with the id of its delivery; a message to a group as one for each delivery in it. What fits none keeps what
    it carries."""
    to_persons = {
        f"{_mark(record.event.id)} to {recipient.login}": send.delivery_id
        for record in records
        for recipient in record.recipients
        for send in recipient.sends
        if send.channel == "dingtalk"
    }
    in_groups = _by_subject(records)
    found: list[Arrived] = []
    for one in arrived:
        if one.channel == "dingtalk":
            found.append(replace(one, delivery=to_persons.get(one.delivery, one.delivery)))
        elif one.channel == "dingtalk_robot":
            found += [replace(one, login=login, delivery=key) for login, key in _in_group(one, in_groups)] or [one]
        else:
            found.append(one)
    return found


def _mark(event_id: str) -> str:
    """Stands in every message of this event to a person."""
    return event_id.replace("-", "")[-15:-5]


def _by_subject(records: Sequence[Record]) -> Mapping[str, Sequence[Mapping[str, str]]]:
    """Of each event of a subject: who was told by a robot, and the delivery."""
    events: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for record in records:
        told = {
            recipient.login: send.delivery_id
            for recipient in record.recipients
            for send in recipient.sends
            if send.channel == "dingtalk_robot"
        }
        if told:
            events[record.event.subject.id].append(told)
    return events


def _in_group(one: Arrived, events: Mapping[str, Sequence[Mapping[str, str]]]) -> Deliveries:
    """Its parts say which subjects and people; which of a subject's events it was, the message's id proves, which is
    made of the ids of all its deliveries."""
    for choice in product(*(list(_candidates(part, events)) for part in one.parts)):
        deliveries = tuple(sorted({each for some in choice for each in some}))
        if one.delivery == _identity([key for _, key in deliveries]):
            return deliveries
    return ()


def _candidates(part: Named, events: Mapping[str, Sequence[Mapping[str, str]]]) -> Iterator[Deliveries]:
    for told in events.get(part.subject, ()):
        if part.logins and part.logins <= set(told):
            yield tuple((login, told[login]) for login in sorted(part.logins))


def _identity(deliveries: Sequence[str]) -> str:
    """`msgUuid`, as the channel promises it."""
    keys = sorted(key.replace("-", "") for key in deliveries)
    return keys[0] if len(keys) == 1 else hashlib.sha256("".join(keys).encode()).hexdigest()[:32]
