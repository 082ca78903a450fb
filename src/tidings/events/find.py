"""The events and subjects that somebody may see, and those of them that are asked for.

Administrators, DBAs and security administrators see all of their tenant. Others see what they submitted, approve, are
related to or were told; anything else does not exist for them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, Func, OuterRef, Q, QuerySet, UUIDField

from tidings.accounts.permissions import Caller
from tidings.events.models import Event, Recipient, Subject
from tidings.kernel.ids import first_at
from tidings.kernel.problems import not_found


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


class LastOf(Func):
    """The greatest key a child of this event can have: see `kernel/ids.py`."""

    template = "(left((%(expressions)s)::text, 31) || 'fffff')::uuid"
    output_field = UUIDField()


def visible_events(caller: Caller) -> "QuerySet[Event]":
    """Raises 403 for a token without the scope `read`. Index: event_latest; for others than those who see all
    recipient_inbox too, one probe an event."""
    caller.require_scope("read")
    events = Event.objects.for_tenant(caller.tenant_id)
    if caller.sees_all:
        return events
    me = caller.as_person().id
    told = Recipient.objects.across_tenants().filter(
        person_id=me, id__gt=OuterRef("id"), id__lte=LastOf(OuterRef("id"))
    )
    return events.filter(Q(involved__contains=[me]) | Exists(told))


def events_of(caller: Caller, which: Which) -> "QuerySet[Event]":
    events = visible_events(caller)
    exact = {"source": which.source, "source_id": which.source_id, "type": which.type}
    events = events.filter(**{name: value for name, value in exact.items() if value is not None})
    if which.feature is not None:
        events = events.filter(type__startswith=f"{which.feature}.")
    subject: dict[str, Any] = {"kind": which.subject_kind, "key": which.subject_id}
    if wanted := {name: value for name, value in subject.items() if value is not None}:
        # Index: subject_key, then event_timeline.
        events = events.filter(
            subject_id__in=Subject.objects.for_tenant(caller.tenant_id).filter(**wanted).values("id")
        )
    if which.since is not None:
        events = events.filter(id__gte=first_at(which.since))
    if which.until is not None:
        events = events.filter(id__lt=first_at(which.until))
    return events


def event_of(caller: Caller, event_id: UUID) -> Event:
    """Raises 404."""
    event = visible_events(caller).filter(id=event_id).first()
    if event is None:
        raise not_found("event")
    return event


def subjects_of(
    caller: Caller, *, kind: str | None = None, status: str | None = None, q: str | None = None
) -> "QuerySet[Subject]":
    """`q` is a part of the key. Index: the primary key, or subject_key for a tenant with few of them; for others than
    those who see all event_timeline too."""
    subjects = Subject.objects.for_tenant(caller.tenant_id)
    events = visible_events(caller)
    if not caller.sees_all:
        subjects = subjects.filter(Exists(events.filter(subject_id=OuterRef("id"))))
    if kind is not None:
        subjects = subjects.filter(kind=kind)
    if status is not None:
        subjects = subjects.filter(status=status)
    if q:
        subjects = subjects.filter(key__icontains=q)
    return subjects


def subject_of(caller: Caller, kind: str, key: str) -> Subject:
    """Raises 404."""
    found = subjects_of(caller, kind=kind).filter(key=key)
    # PostgreSQL cannot even be asked for U+0000.
    subject = None if "\0" in kind + key else found.first()
    if subject is None:
        raise not_found("subject")
    return subject


def subjects_by_id(tenant_id: UUID, ids: set[UUID]) -> dict[UUID, Subject]:
    """Index: the primary key."""
    return {each.id: each for each in Subject.objects.for_tenant(tenant_id).filter(id__in=ids)}
