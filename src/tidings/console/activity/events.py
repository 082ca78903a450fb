"""What came in, as it comes in; and one event with all that became of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext, gettext_lazy

from tidings.accounts.models import Source
from tidings.catalog.extend import catalog_of
from tidings.catalog.features import Catalog
from tidings.console.activity.words import silences, status_label, told, tone_of, type_label
from tidings.console.asked import given, one_of, time_in
from tidings.console.page import Asked, is_part, page, show
from tidings.delivery.told import happened, record_of, sums_of
from tidings.events.awaiting import unresolved_of
from tidings.events.find import Which, subjects_by_id
from tidings.events.models import Event, Subject
from tidings.kernel.ids import made_at
from tidings.kernel.pages import Page, Part
from tidings.messages.wording import VALUE_TABLES, wording

PER_PAGE = 50
STATES: Mapping[str, str | Promise] = {
    "failed": gettext_lazy("something failed"),
    "pending": gettext_lazy("something waits"),
    "unplanned": gettext_lazy("not planned yet"),
}
# In which order people read them, and what may be said of them in a word.
DETAILS: Mapping[str, str | Promise] = {
    "failed_tasks": gettext_lazy("Failed tasks"),
    "risk": gettext_lazy("Risk"),
    "environment": gettext_lazy("Environment"),
    "affected_rows": gettext_lazy("Affected rows"),
    "approval_node": gettext_lazy("Approval node"),
    "exec_mode": gettext_lazy("Execution"),
    "comment": gettext_lazy("Comment"),
    "reason": gettext_lazy("Reason"),
}
PEOPLE: Mapping[str, str | Promise] = {
    "submitter": gettext_lazy("Submitter"),
    "approvers": gettext_lazy("Approvers"),
    "related": gettext_lazy("Related people"),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """As they stand in the address."""

    feature: str
    type: str
    source: str
    subject: str
    person: str
    state: str
    since: datetime | None
    until: datetime | None

    @property
    def any(self) -> bool:
        return any(
            (self.feature, self.type, self.source, self.subject, self.person, self.state, self.since, self.until)
        )

    def which(self) -> Which:
        return Which(
            feature=self.feature or None,
            type=self.type or None,
            source=self.source or None,
            subject_id=self.subject or None,
            person=self.person or None,
            since=self.since,
            until=self.until,
            unplanned=self.state == "unplanned",
        )


@dataclass(frozen=True, slots=True)
class Row:
    id: UUID
    at: datetime
    label: str
    tone: str
    subject: Subject
    source: str
    planned: bool
    told: int
    states: Sequence[tuple[str, int]]


@page()
def activity(request: Asked) -> HttpResponse:
    catalog = catalog_of(request.caller.tenant_id)
    filters = _filters(request, catalog)
    cursor = request.GET.get("cursor")
    found = happened(request.caller, filters.which(), Part(cursor, PER_PAGE), filters.state or None)
    context = {
        "page": Page(_rows(request, catalog, found.rows), found.next_cursor),
        "filters": filters,
        "live": not cursor,
        "here": request.get_full_path(),
        "sees_all": request.caller.sees_all,
    }
    if is_part(request):
        return show(request, "console/activity/_events.html", context)
    context |= {
        "catalog": catalog,
        "features": catalog.features.values(),
        "sources": _sources(request) if request.caller.sees_all else (),
        "states": STATES.items(),
        "unresolved": unresolved_of(request.caller) if request.caller.sees_all else None,
    }
    return show(request, "console/activity/activity.html", context)


@page()
def event(request: Asked, event_id: UUID) -> HttpResponse:
    catalog, record = catalog_of(request.caller.tenant_id), record_of(request.caller, event_id)
    about, people = record["event"], told(record["recipients"])
    context = {
        "event": about,
        "title": about["subject"]["title"] or about["subject"]["id"],
        "label": type_label(catalog, about["type"]),
        "status": status_label(catalog, about["type"]),
        "tone": tone_of(catalog, about["type"]),
        "named": _named(about),
        "where": [_place(each) for each in about.get("resources", ())],
        "details": _details(about.get("details", {})),
        "told_people": people,
        "silent": silences(record["skips"]),
        "is_open": any(send.is_open for each in people for send in each.sends),
        "raw": msgspec.json.format(msgspec.json.encode(record)).decode(),
        "may_retry": request.caller.holds("administrator", "dba"),
        "sees_all": request.caller.sees_all,
        "here": request.get_full_path(),
    }
    return show(request, f"console/activity/{'_record' if is_part(request) else 'event'}.html", context)


def _sources(request: Asked) -> Iterable[str]:
    """What an organisation has connected is for those who see all of it."""
    return Source.objects.for_tenant(request.caller.tenant_id).order_by("name").values_list("name", flat=True)


def _rows(request: Asked, catalog: Catalog, events: Sequence[Event]) -> list[Row]:
    """Two queries, however many."""
    subjects = subjects_by_id(request.caller.tenant_id, {each.subject_id for each in events})
    sums = sums_of(request.caller, events) if events else {}
    return [
        Row(
            each.id,
            made_at(each.id),
            type_label(catalog, each.type),
            tone_of(catalog, each.type),
            subjects[each.subject_id],
            each.source,
            each.fault is None,
            sums[each.id].told,
            sorted(sums[each.id].states.items()),
        )
        for each in events
    ]


def _filters(request: Asked, catalog: Catalog) -> Filters:
    said, zone = request.GET, request.person.timezone
    return Filters(
        feature=one_of(said, "feature", catalog.features),
        type=one_of(said, "type", catalog.event_types),
        source=given(said, "source"),
        subject=given(said, "subject"),
        person=given(said, "person"),
        state=one_of(said, "state", STATES) if request.caller.sees_all else "",
        since=time_in(said, "since", zone),
        until=time_in(said, "until", zone),
    )


def _named(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Who the source named, and as what."""
    named = about.get("people", {})
    found = [(str(label), _people(named.get(role))) for role, label in PEOPLE.items()]
    return [each for each in [*found, (gettext("Done by"), _people(about.get("actor")))] if each[1]]


def _people(named: Any) -> str:
    """A login, or whatever else the source knows somebody by; or several."""
    if not named:
        return ""
    if isinstance(named, Mapping):
        return ", ".join(str(value) for value in named.values() if value)
    return named if isinstance(named, str) else gettext(", ").join(_people(each) for each in named)


def _place(resource: Mapping[str, str]) -> str:
    return " / ".join(resource[part] for part in ("instance", "database", "table") if resource.get(part))


def _details(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known first, and the rest by its own name."""
    known = [(str(label), _known(name, details[name])) for name, label in DETAILS.items() if name in details]
    return known + [(name, _text(value)) for name, value in details.items() if name not in DETAILS]


def _known(name: str, value: Any) -> str:
    """In words, where there are any for it."""
    text = _text(value)
    return (wording(get_language() or "en").value(name, text) if name in VALUE_TABLES else "") or text


def _text(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
