"""A ticket or task flow: where it stands, what happened to it, and who was told what when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import HttpResponse

from tidings.catalog.extend import catalog_of
from tidings.console.activity.words import Person, Silence, silences, status_label, told, tone_of, type_label
from tidings.console.first import First
from tidings.console.page import Asked, is_part, page, show
from tidings.delivery.told import told_of
from tidings.events.find import subject_of, visible_events
from tidings.kernel.ids import made_at
from tidings.kernel.pages import Page, Part, page_of

STEPS = 20


@dataclass(frozen=True, slots=True)
class Step:
    """One event of it. `is_status`: the one that says where it stands."""

    id: UUID
    label: str
    tone: str
    time: datetime
    accepted_at: datetime
    number: int
    is_status: bool
    people: Sequence[Person]
    silent: First[Silence]


@page()
def subject(request: Asked, kind: str, key: str) -> HttpResponse:
    found, catalog = subject_of(request.caller, kind, key), catalog_of(request.caller.tenant_id)
    cursor = request.GET.get("cursor")
    events = page_of(visible_events(request.caller).filter(subject_id=found.id), Part(cursor, STEPS), by="-number")
    records = told_of(request.caller, events.rows)
    steps = [
        Step(
            each.id,
            status_label(catalog, each.type),
            tone_of(catalog, each.type),
            each.time,
            made_at(each.id),
            each.number,
            each.number == found.status_number,
            told(records[each.id].recipients),
            silences(records[each.id].skips),
        )
        for each in events.rows
    ]
    context = {
        "subject": found,
        "title": found.title or found.key,
        "label": type_label(catalog, found.status),
        "status": status_label(catalog, found.status),
        "tone": tone_of(catalog, found.status),
        "page": Page(steps, events.next_cursor),
        "live": not cursor,
        "here": request.get_full_path(),
        "sees_all": request.caller.sees_all,
    }
    return show(request, f"console/activity/{'_timeline' if is_part(request) else 'subject'}.html", context)
