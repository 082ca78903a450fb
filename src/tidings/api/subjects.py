"""Tickets and task flows: their status, and who was told what when."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import AwareDatetime

from tidings.api.authenticate import caller
from tidings.api.events import RecipientShown, SkipShown
from tidings.api.pages import Listed, Paging, Text
from tidings.delivery.told import told_of
from tidings.events.find import subject_of, subjects_of, visible_events
from tidings.events.models import Subject
from tidings.kernel.ids import made_at
from tidings.kernel.pages import page_of

router = Router(tags=["subjects"])


class SubjectFilters(Schema):
    kind: Text | None = None
    status: Text | None = None
    q: Text | None = None


class SubjectShown(Schema):
    """`status` is the type of the event that decides it: the one of the greatest time."""

    kind: str
    id: str
    title: str
    url: str
    status: str
    status_time: AwareDatetime


class Step(Schema):
    event_id: UUID
    type: str
    time: AwareDatetime
    accepted_at: AwareDatetime
    number: int
    recipients: list[RecipientShown]
    skips: list[SkipShown]


class SubjectTold(SubjectShown):
    """The latest step first; `next_cursor` leads to earlier ones."""

    timeline: list[Step]
    next_cursor: str | None


@router.get("/subjects", response=Listed[SubjectShown])
def list_subjects(request: HttpRequest, filters: Query[SubjectFilters], paging: Query[Paging]) -> dict[str, Any]:
    """Those that are known for the shortest time come first; `q` is a part of the id."""
    return page_of(subjects_of(caller(request), **filters.dict()), paging).listed(_shown)


@router.get("/subjects/{kind}/{path:key}", response=SubjectTold, exclude_unset=True)
def get_subject(request: HttpRequest, kind: str, key: str, paging: Query[Paging]) -> dict[str, Any]:
    who = caller(request)
    subject = subject_of(who, kind, key)
    page = page_of(visible_events(who).filter(subject_id=subject.id), paging, by="-number")
    told = told_of(who, page.rows)
    timeline = [
        {
            "event_id": event.id,
            "type": event.type,
            "time": event.time,
            "accepted_at": made_at(event.id),
            "number": event.number,
            "recipients": told[event.id].recipients,
            "skips": told[event.id].skips,
        }
        for event in page.rows
    ]
    return {**_shown(subject), "timeline": timeline, "next_cursor": page.next_cursor}


def _shown(subject: Subject) -> dict[str, Any]:
    return {
        "kind": subject.kind,
        "id": subject.key,
        "title": subject.title,
        "url": subject.url,
        "status": subject.status,
        "status_time": subject.status_time,
    }
