"""A person's inbox as they read it: each event they were told of in the words of its messages, in their language and
time zone, with what is asked of them, where it also went, and what its subject has become since."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Lower

from tidings.accounts.models import Person
from tidings.catalog.features import Catalog, EventType
from tidings.delivery.job import Story
from tidings.delivery.told import sends_to, stored_skips
from tidings.directory.as_member import as_member
from tidings.directory.people import People, people_of
from tidings.directory.spelling import email_as_kept, mobile_as_kept, text_as_kept
from tidings.events.content import outlines_of
from tidings.events.event import Event as Content
from tidings.events.event import PersonKey, PersonRef
from tidings.events.find import subjects_by_id
from tidings.events.inbox import Row
from tidings.events.models import Event, Subject
from tidings.messages.compose import OWN_DETAILS, SHOWN_DETAILS, TITLE_AT_MOST, cut, facts_of
from tidings.messages.document import Fact, Occasion
from tidings.messages.wording import LANGUAGES, wording
from tidings.planning.facts import involve
from tidings.planning.record import Json

DETAILS = (*SHOWN_DETAILS, *OWN_DETAILS)


@dataclass(frozen=True, slots=True)
class Item:
    """`waiting`: its reader is asked to act, and the subject still waits for that. `moved_on`: the later status that
    the subject has. `skips`: the methods that led nowhere."""

    row: Row
    event: Event
    subject: Subject
    event_type: EventType
    headline: str
    facts: Sequence[Fact]
    todo: str
    why: str
    url: str
    waiting: bool
    moved_on: EventType | None
    sends: Sequence[Json]
    skips: Sequence[Json]


def asks_to_act(catalog: Catalog) -> dict[str, str]:
    """The event types that ask somebody to act, and the role that is asked."""
    return {code: one.default_role for code, one in catalog.event_types.items() if one.tone == "action"}


def worded(person: Person, rows: Sequence[Row], catalog: Catalog) -> list[Item]:
    """Five queries, however many items: events, subjects, content, the people it names, deliveries. Once its content is
    gone, an event is called as its subject is called now."""
    ids = [row.event_id for row in rows]
    events = {each.id: each for each in Event.objects.for_tenant(person.tenant_id).filter(id__in=ids)}
    subjects = subjects_by_id(person.tenant_id, {each.subject_id for each in events.values()})
    contents = outlines_of(ids, DETAILS)
    people = _people_named(person.tenant_id, contents.values())
    sends = sends_to(person, ids)
    # An event may be deleted since the page was read: records end after 90 days.
    return [
        _item(
            person,
            row,
            events[key],
            subjects[events[key].subject_id],
            contents.get(key),
            people,
            catalog,
            sends.get(key, []),
        )
        for row in rows
        if (key := row.event_id) in events
    ]


def _item(
    person: Person,
    row: Row,
    event: Event,
    subject: Subject,
    content: Content | None,
    people: People,
    catalog: Catalog,
    sends: Sequence[Json],
) -> Item:
    """Not by `messages.compose`: it keeps what it made of an event, for the messages that go out, and here the event is
    not whole."""
    words = wording(person.language)
    event_type = _known(catalog, event.type, subject.kind)
    if content is None:
        occasion = _of_subject(event, subject, event_type)
    else:
        occasion = Story(event.id, content, event.time, event_type, involve(content, people)).occasion
    return Item(
        row=row,
        event=event,
        subject=subject,
        event_type=event_type,
        headline=words.headline(
            event.type,
            cut(occasion.title, TITLE_AT_MOST),
            feature_label=event_type.feature_labels[words.language],
            event_label=event_type.labels[words.language],
        ),
        facts=facts_of(occasion, words, person.timezone),
        todo=words.todo(event.type),
        why=words.because([(role, of or None) for role, of in row.because]),
        url=occasion.url,
        waiting=_waits(row, event, subject, event_type),
        moved_on=None if _current(event, subject) else _known(catalog, subject.status, subject.kind),
        sends=sends,
        skips=stored_skips(row.skips),
    )


def _waits(row: Row, event: Event, subject: Subject, event_type: EventType) -> bool:
    """As `events.inbox` finds them."""
    asked = event_type.tone == "action" and any(role == event_type.default_role for role, _ in row.because)
    return asked and _current(event, subject)


def _current(event: Event, subject: Subject) -> bool:
    return event.number == subject.status_number


def _of_subject(event: Event, subject: Subject, event_type: EventType) -> Occasion:
    return Occasion(
        event_id=str(event.id),
        event_type=event.type,
        tone=event_type.tone,
        time=event.time,
        subject_kind=subject.kind,
        subject_id=subject.key,
        title=subject.title or subject.key,
        url=subject.url,
        feature_labels=event_type.feature_labels,
        event_labels=event_type.labels,
    )


def _known(catalog: Catalog, code: str, kind: str) -> EventType:
    """One that a tenant no longer has is called by its code."""
    if known := catalog.event_types.get(code):
        return known
    feature, _, event = code.partition(".")
    labels, feature_labels = dict.fromkeys(LANGUAGES, event), dict.fromkeys(LANGUAGES, feature)
    return EventType(code, feature, labels, feature_labels, kind, "info", "submitter", ())


def _people_named(tenant_id: UUID, contents: Iterable[Content]) -> People:
    """Whom a message would call by name: the submitters, and who acted."""
    refs = {ref for one in contents for ref in (one.people.submitter, one.actor) if ref}
    if not refs:
        return people_of(())
    found = Person.objects.for_tenant(tenant_id).alias(lowered=Lower("email")).filter(_any_of(refs))
    return people_of(as_member(person) for person in found)


def _any_of(refs: Iterable[PersonRef]) -> Q:
    """As `People.find` finds them: as it is written, or as it is kept."""
    sought: Mapping[str, set[str]] = {"login": set(), "lowered": set(), "mobile": set(), "external_id": set()}
    for ref in refs:
        if not isinstance(ref, PersonKey):
            sought["login"] |= {ref, text_as_kept(ref)}
        elif ref.email:
            sought["lowered"] |= {ref.email.lower(), email_as_kept(ref.email)}
        elif ref.mobile:
            sought["mobile"] |= {ref.mobile, mobile_as_kept(ref.mobile)}
        else:
            sought["external_id"] |= {ref.external_id, text_as_kept(ref.external_id).strip()}
    wanted = Q()
    for part, values in sought.items():
        if kept := values - {""}:
            wanted |= Q(**{f"{part}__in": kept})
    return wanted
