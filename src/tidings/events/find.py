"""The events and subjects that somebody may see, and those of them that are asked for.

Administrators, DBAs and security administrators see all of their tenant. Others see what they submitted, approve, are
related to or were told; anything else does not exist for them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, Func, OuterRef, QuerySet, UUIDField

from tidings.accounts.models import Person
from tidings.accounts.permissions import Caller
from tidings.events.models import Event, Seen, Subject
from tidings.kernel.ids import first_at
from tidings.kernel.pages import Asked, Page, cursor_of, page_of, write_cursor
from tidings.kernel.problems import not_found

LOOKED_AT = 50_000
"""Events, for one page of what has no index of its own."""
MANY = 20_000
"""So many events are still looked up one by one in a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Which:
    """Which events; `since` (included) and `until` (not included) are about when they were accepted."""

    source: str | None = None
    source_id: str | None = None
    type: str | None = None
    feature: str | None = None
    subject_kind: str | None = None
    subject_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    person: str | None = None
    """A login: events that this person was told of, or is involved in."""
    unplanned: bool = False


class LastOf(Func):
    """The greatest key a child of this event can have: see `kernel/ids.py`."""

    template = "(left((%(expressions)s)::text, 31) || 'fffff')::uuid"
    output_field = UUIDField()


def visible_events(caller: Caller) -> "QuerySet[Event]":
    """To be narrowed down to an event or a subject. Raises 403 for a token without the scope `read`.

    Index: for others than those who see all recipient_inbox and the key of `events_involved`, one probe each an event.
    """
    caller.require_scope("read")
    events = Event.objects.for_tenant(caller.tenant_id)
    if caller.sees_all:
        return events
    seen = Seen.objects.across_tenants().filter(person_id=caller.as_person().id)
    return events.filter(Exists(seen.filter(id__gte=OuterRef("id"), id__lte=LastOf(OuterRef("id")))))


def events_of(caller: Caller, which: Which) -> "QuerySet[Event]":
    """In the order of `place`. Who does not see all has their own index of what they may see, however much there is of
    others': recipient_inbox and the key of `events_involved`, merged."""
    caller.require_scope("read")
    # These name few events, which are found by event_key, or by subject_key and event_timeline.
    few = which.source_id is not None or which.subject_id is not None
    if which.person is not None and caller.sees_all:
        events = _seen_by(caller, Person.objects.for_tenant(caller.tenant_id).filter(login=which.person).first())
    elif caller.sees_all or few:
        events = visible_events(caller).annotate(place=F("id"))
    else:
        events = _seen_by(caller, caller.as_person())
        if which.person not in (None, caller.as_person().login):
            events = events.none()
    if which.unplanned:
        events = events.filter(fault__isnull=False)
    exact = {"source": which.source, "source_id": which.source_id, "type": which.type}
    events = events.filter(**{name: value for name, value in exact.items() if value is not None})
    if which.feature is not None:
        events = events.filter(type__startswith=f"{which.feature}.")
    subject: dict[str, Any] = {"kind": which.subject_kind, "key": which.subject_id}
    if wanted := {name: value for name, value in subject.items() if value is not None}:
        events = events.filter(
            subject_id__in=Subject.objects.for_tenant(caller.tenant_id).filter(**wanted).values("id")
        )
    span: dict[str, Any] = {
        "place__gte": which.since and first_at(which.since),
        "place__lt": which.until and first_at(which.until),
    }
    return events.filter(**{name: value for name, value in span.items() if value is not None})


def events_page(
    caller: Caller,
    which: Which,
    paging: Asked,
    narrow: "Callable[[QuerySet[Event]], QuerySet[Event]]" = lambda all: all,
) -> "Page[Event]":
    """Newest first. Of what has no index so many events are looked at and no more: a page may be short, or empty, and
    lead on all the same."""
    after = cursor_of(paging.cursor, UUID)
    floor = _floor(caller.tenant_id, after) if caller.sees_all and _walks(which) else None
    not_below: dict[str, Any] = {"place__gt": floor} if floor else {}
    page = page_of(narrow(events_of(caller, which)).filter(**not_below), paging, by="-place")
    if floor is None or page.next_cursor is not None:
        return page
    return Page(page.rows, write_cursor(UUID(int=floor.int + 1)))


def _walks(which: Which) -> bool:
    if which.source_id is not None or which.subject_id is not None or which.person is not None or which.unplanned:
        return False
    return not (which.source is which.type is which.feature is which.subject_kind is None)


def _floor(tenant_id: UUID, after: UUID | None) -> UUID | None:
    """The key before which a walk ends. Index: event_latest."""
    events = Event.objects.for_tenant(tenant_id)
    if after is not None:
        events = events.filter(id__lt=after)
    return events.order_by("-id").values_list("id", flat=True)[LOOKED_AT : LOOKED_AT + 1].first()


def _seen_by(caller: Caller, person: Person | None) -> "QuerySet[Event]":
    events = Event.objects.for_tenant(caller.tenant_id)
    if person is None:
        return events.annotate(place=F("id")).none()
    return events.filter(seen__person_id=person.id).annotate(place=F("seen__id"))


def event_of(caller: Caller, event_id: UUID) -> Event:
    """Raises 404."""
    event = visible_events(caller).filter(id=event_id).first()
    if event is None:
        raise not_found("event")
    return event


def subjects_of(
    caller: Caller, *, kind: str | None = None, status: str | None = None, q: str | None = None
) -> "QuerySet[Subject]":
    """`q` is a part of the key. Index: the primary key, or subject_key for a tenant with few of them. For others than
    those who see all, what finds their events, as in `events_of`; or where these are many, event_timeline: walking the
    tenant's subjects fills a page soon then, unless all of theirs are old."""
    subjects = Subject.objects.for_tenant(caller.tenant_id)
    events = visible_events(caller)
    if not caller.sees_all:
        me = caller.as_person().id
        if Seen.objects.across_tenants().filter(person_id=me)[: MANY + 1].count() > MANY:
            subjects = subjects.filter(Exists(events.filter(subject_id=OuterRef("id"))))
        else:
            mine = Event.objects.for_tenant(caller.tenant_id).filter(seen__person_id=me)
            # The limit keeps the planner from walking the tenant all the same, in the hope of finding a page soon.
            subjects = subjects.filter(id__in=mine.values("subject_id")[: 2 * MANY])
    if kind is not None:
        subjects = subjects.filter(kind=kind)
    if status is not None:
        subjects = subjects.filter(status=status)
    if q:
        subjects = subjects.filter(key__icontains=q)
    return subjects


def subject_of(caller: Caller, kind: str, key: str) -> Subject:
    """Raises 404."""
    events = visible_events(caller)
    # PostgreSQL cannot even be asked for U+0000.
    found = Subject.objects.for_tenant(caller.tenant_id).filter(kind=kind, key=key) if "\0" not in kind + key else None
    subject = found.first() if found is not None else None
    if subject is None or not (caller.sees_all or events.filter(subject_id=subject.id).exists()):
        raise not_found("subject")
    return subject


def subjects_by_id(tenant_id: UUID, ids: set[UUID]) -> dict[UUID, Subject]:
    """Index: the primary key."""
    return {each.id: each for each in Subject.objects.for_tenant(tenant_id).filter(id__in=ids)}
