"""Any JSON body, read as its source describes it: an expression (JMESPath) for each part of an event. A source that
describes nothing sends events as `POST /events` takes them.

https://jmespath.org/
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from tidings.catalog.features import built_in
from tidings.channels.contract import Values
from tidings.events.event import Event, People, Subject
from tidings.events.sources.contract import Adapter, Known, Parked, Push, Reading, Reason, with_made_up_id
from tidings.events.sources.json import headers
from tidings.events.sources.json.catalogue import PARTS, words_of_the_catalogue
from tidings.events.sources.json.expression import Failed, evaluate
from tidings.events.sources.json.interpret import Budget
from tidings.events.sources.json.options import OPTIONS, describes
from tidings.events.sources.json.parts import (
    Unfit,
    as_details,
    as_items,
    as_people,
    as_person,
    as_resources,
    as_text,
    empty,
    shown,
)
from tidings.events.sources.json.signature import header_of, proven
from tidings.events.sources.steps import told_beside
from tidings.events.sources.understand import line, moment, title, unmapped
from tidings.events.sources.zone import zone

T = TypeVar("T")
EVENTS_AT_MOST = 100
"""A body: they are kept together."""
NO_ID = "-"
WORD_AT_MOST = 1_000
"""Characters of a word that are looked at."""


class Unread(Exception):
    """This body is parked."""

    def __init__(self, reason: Reason, detail: str, words: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.parked = Parked(reason, detail, words or {})


class JsonAdapter(Adapter):
    code = "json"
    label = "Any JSON"
    mapping = words_of_the_catalogue()
    labels, about, steps, sample = told_beside(__file__)
    options = OPTIONS

    def read(self, push: Push, known: Known) -> Reading:
        try:
            body = _decoded(push.body)
            if not describes(known.options):
                return [_ours(item, push.received) for item in _items(body)]
            seen = headers.seen(self.parked_headers(push.headers, known.options))
            return [*_described(body, seen, known, push.received)]
        except Unread as unread:
            return unread.parked

    def parked_headers(self, headers_: Mapping[str, str], options: Values) -> Mapping[str, str]:
        return headers.kept(headers_, but=header_of(options))

    def signed(self, push: Push, secret: str) -> bool:
        return proven(push, secret, {})

    def signed_as(self, push: Push, secret: str, options: Values) -> bool:
        return proven(push, secret, options)


@dataclass(slots=True)
class _Place:
    """Where expressions are evaluated: the body, or one of its events."""

    known: Known
    budget: Budget
    document: dict[str, Any]
    within: str = ""
    words: dict[str, str] = field(default_factory=dict)

    def value(self, name: str) -> Any:
        """None where the source says nothing of it."""
        expression = self.known.option(name)
        if not expression:
            return None
        try:
            return evaluate(expression, self.document, self.budget)
        except Failed as failed:
            raise self.unread("not_understood", name, f"the expression {failed}") from None

    def part(self, name: str, read: Callable[[Any], T]) -> T:
        value = self.value(name)
        try:
            return read(value)
        except Unfit as unfit:
            raise self.unread("not_understood", name, f"what the expression gives {unfit}") from None

    def text(self, name: str) -> str:
        return self.part(name, as_text)

    def unread(self, reason: Reason, name: str, why: str) -> Unread:
        return Unread(reason, f"{self.within}{name}: {why}.", self.words)


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unread("not_understood", f"The body is no JSON: {line(str(error))}.") from None


def _items(body: Any) -> list[Any]:
    try:
        return as_items(body, EVENTS_AT_MOST)
    except Unfit as unfit:
        raise Unread("not_understood", f"The body {unfit}.") from None


def _ours(item: Any, received: datetime) -> Event:
    """An event of our own form."""
    if not isinstance(item, dict):
        raise Unread("not_understood", f"An event is an object, and this is {shown(item)}.")
    try:
        event = msgspec.convert({"id": NO_ID, **item}, Event)
    except (msgspec.ValidationError, RecursionError) as error:
        hint = "Say in the source's options where the parts of an event are."
        raise Unread("not_understood", f"This is no event of Tidings' own form: {line(str(error))}. {hint}") from None
    return _identified(event, received, "id" in item)


def _described(body: Any, seen: dict[str, str], known: Known, received: datetime) -> Iterator[Event]:
    budget = Budget()
    whole = _Place(known, budget, {"body": body, "headers": seen, "item": body})
    if known.option("events"):
        items = whole.part("events", lambda value: as_items(value, EVENTS_AT_MOST))
    else:
        items = _items(body) if isinstance(body, list) else [body]
    several = len(items) > 1
    for number, item in enumerate(items):
        document = {"body": body, "headers": seen, "item": item}
        place = _Place(known, budget, document, f"Event {number + 1} of {len(items)}, " if several else "")
        if known.option("only_if") and empty(place.value("only_if")):
            continue
        event_type = _type(place)
        if event_type is not None:
            yield _event(place, event_type, received)


def _type(place: _Place) -> str | None:
    """None: nobody wants to know."""
    if said := place.text("type"):
        return said
    place.words = {part: line(place.text(part)[:WORD_AT_MOST]) for part in PARTS}
    if not any(place.words.values()):
        given = [name for name in ("type", *PARTS) if place.known.option(name)]
        why = f"{' and '.join(given)} give nothing here" if given else "no option says what it is"
        raise place.unread("incomplete", "type", f"{why}, so nobody can say what happened")
    row = place.known.words.meaning(list(place.words.values()))
    if row is None:
        parked = unmapped(place.words, place.known.words)
        raise Unread(parked.reason, f"{place.within}{parked.detail}", parked.words)
    return row.type


def _event(place: _Place, event_type: str, received: datetime) -> Event:
    by, identity = place.known.option("people_by") or "login", place.text("id")
    subject = Subject(
        kind=place.text("subject_kind") or _kind(event_type),
        id=_required(place, "subject_id"),
        title=title(place.text("title")),
        url=place.text("url"),
    )
    people = People(
        place.part("submitter", lambda value: as_person(value, by)),
        place.part("approvers", lambda value: as_people(value, by)),
        place.part("related", lambda value: as_people(value, by)),
    )
    event = Event(
        id=identity or NO_ID,
        type=event_type,
        subject=subject,
        time=_time(place),
        people=people,
        actor=place.part("actor", lambda value: as_person(value, by)),
        resources=place.part("resources", as_resources),
        details=place.part("details", as_details),
    )
    try:
        return _identified(event, received, bool(identity))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise place.unread("not_understood", "details", f"this cannot be written as JSON: {line(str(error))}") from None


def _identified(event: Event, received: datetime, has_id: bool) -> Event:
    """With an id, the time of arrival is no part of what a repeat is compared by; without one, it tells apart two
    changes that have the same words."""
    if has_id:
        msgspec.json.encode(event)
        return event
    return with_made_up_id(event if event.time else msgspec.structs.replace(event, time=received))


def _required(place: _Place, name: str) -> str:
    said = place.text(name)
    if not said:
        missing = "the expression gives nothing here" if place.known.option(name) else "no option says where it is"
        raise place.unread("incomplete", name, f"{missing}, and an event cannot do without it")
    return said


def _time(place: _Place) -> datetime | None:
    said = place.value("time")
    if empty(said):
        return None
    timezone = zone(place.known.option("timezone")) or UTC
    when = moment(said, timezone) if isinstance(said, str | int | float) else None
    if when is None or isinstance(said, bool):
        why = f"what the expression gives is {shown(said)}, and has to be a moment: ISO 8601, or seconds since 1970"
        raise place.unread("not_understood", "time", why)
    return when


def _kind(event_type: str) -> str:
    known = built_in().event_types.get(event_type)
    return known.subject_kind if known else "ticket"
