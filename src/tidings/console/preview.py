"""Who would be told? Of something that happened, or of an event that somebody writes down: each person, why and how, or
why not, and what they would read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.urls import path
from django.utils.translation import gettext

from tidings.catalog.extend import catalog_of
from tidings.catalog.features import Catalog, EventType
from tidings.channels.gallery.pieces import example_parcel, shapes
from tidings.channels.registry import CHANNELS
from tidings.console.first import First
from tidings.console.page import Asked, is_part, page, show
from tidings.console.rules.tell import Silence, Some, silences, some
from tidings.console.rules.words import called, full_name
from tidings.delivery.told import record_of
from tidings.events.content import content_of
from tidings.events.event import Event, Incoming
from tidings.events.find import event_of
from tidings.events.receive import receive_one, type_of
from tidings.events.recent import recent_events
from tidings.kernel.clock import now
from tidings.kernel.ids import made_at
from tidings.kernel.problems import Problem, not_found
from tidings.messages.document import Document
from tidings.pipeline import documents, foresee
from tidings.planning.facts import Planned
from tidings.planning.views import view_now

READERS = ("administrator", "dba")
LISTED = 20
SOURCE = "console"
"""Of an event that is written down here without one."""
SAMPLE: Mapping[str, Any] = {
    "id": "1",
    "source": "dms",
    "type": "data_change.pending_approval",
    "subject": {"kind": "ticket", "id": "1", "title": "Add an index on orders"},
    "people": {"submitter": "", "approvers": []},
    "resources": [],
}


@dataclass(frozen=True, slots=True)
class Happened:
    id: UUID
    title: str
    label: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Since:
    """What is otherwise than it was when it happened: people told now and not then, and then and not now."""

    more: tuple[str, ...]
    fewer: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    title: str
    label: str
    event_type: str
    told: Some
    silent: First[Silence]
    since: Since | None


@dataclass(frozen=True, slots=True)
class Shape:
    """The message as one channel would show it."""

    label: str
    title: str
    text: str
    note: str


@page(*READERS, methods=("GET", "POST"))
def preview(request: Asked) -> HttpResponse:
    text, chosen = request.POST.get("event_json", ""), _key(request.GET.get("event", ""))
    catalog = catalog_of(request.caller.tenant_id)
    result, problem = None, None
    if chosen:
        text = _text(_happened(request, chosen))
    if text:
        try:
            result = result_of(request, text, chosen)
        except Problem as found:
            problem = found
    if is_part(request):
        return show(request, "console/preview/_result.html", {"result": result, "problem": problem, "text": text})
    wanted = request.GET.get("type", "")
    context = {
        "result": result,
        "problem": problem,
        "text": text or msgspec.json.format(msgspec.json.encode({**SAMPLE, "people": _people(request)})).decode(),
        "recent": _recent(request, catalog, wanted if wanted in catalog.event_types else None),
        "chosen": chosen,
        "wanted": wanted,
        "features": [(called(one.labels), one.event_types) for one in catalog.features.values()],
    }
    return show(request, "console/preview/preview.html", context)


@page(*READERS, methods=("POST",))
def message(request: Asked) -> HttpResponse:
    """What one of them would read, and how each of their channels would show it."""
    incoming, planned = _planned(request, request.POST.get("event_json", ""))
    login = request.POST.get("login", "")
    for recipient, document in zip(planned.plan.recipients, documents(incoming, planned), strict=True):
        if recipient.member.login == login:
            channels = [send.channel for send in recipient.sends]
            shown = {"document": document, "shapes": _shapes(document, channels)}
            return show(request, "console/preview/_message.html", shown)
    raise not_found("recipient of this event")


def result_of(request: Asked, text: str, chosen: UUID | None) -> Result:
    """Of an event as its source would send it; `chosen`: it happened, and is compared with what was done. Raises 413,
    422."""
    incoming, planned = _planned(request, text)
    event, about = incoming.event, planned.event_type
    told = [one.member.login for one in planned.plan.recipients]
    return Result(
        title=event.subject.title or event.subject.id,
        label=_label(about),
        event_type=about.code,
        told=some(planned.plan.recipients),
        silent=silences(planned.plan.skips),
        since=_since(request, chosen, told) if chosen else None,
    )


def _planned(request: Asked, text: str) -> tuple[Incoming, Planned]:
    """As an event of this text would be planned now. Raises 413, 422 as `POST /events` would."""
    body = text.encode()
    incoming = receive_one({"content-type": type_of(body)}, body, now=now(), source=SOURCE)
    return incoming, foresee(incoming, view_now(request.caller.tenant_id))


def _since(request: Asked, chosen: UUID, told: Sequence[str]) -> Since | None:
    then = record_of(request.caller, chosen)
    before = {one["login"]: one["name"] or one["login"] for one in then["recipients"]}
    more, fewer = [login for login in told if login not in before], set(before) - set(told)
    return Since(tuple(more), tuple(sorted(before[login] for login in fewer))) if more or fewer else None


def _happened(request: Asked, chosen: UUID) -> Event:
    """Raises 404, and 410 when its content is gone."""
    event = content_of(event_of(request.caller, chosen).id)
    if event is None:
        text = gettext("What its source sent is kept for seven days only; choose a later event.")
        raise Problem(410, "content_expired", text)
    return event


def _recent(request: Asked, catalog: Catalog, event_type: str | None) -> list[Happened]:
    return [
        Happened(
            one.id,
            one.event.subject.title or one.event.subject.id,
            _label(about) if (about := catalog.event_types.get(one.event.type)) else one.event.type,
            made_at(one.id),
        )
        for one in recent_events(request.caller.tenant_id, event_type, LISTED)
    ]


def _shapes(document: Document, channels: Sequence[str]) -> list[Shape]:
    found = []
    for shape in shapes({code: CHANNELS[code] for code in channels if code in CHANNELS}):
        shown = shape.channel.preview(example_parcel(shape, document))
        if shown is not None:
            found.append(Shape(shape.label(document.language), shown.title, shown.text, shown.note))
    return found


def _label(about: EventType) -> str:
    return full_name(called(about.feature_labels), called(about.labels))


def _text(event: Event) -> str:
    return msgspec.json.format(msgspec.json.encode(event)).decode()


def _people(request: Asked) -> dict[str, Any]:
    login = request.person.login
    return {"submitter": login, "approvers": [login]}


def _key(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise not_found("event") from None


urlpatterns = [
    path("preview", preview, name="preview"),
    path("preview/message", message, name="preview-message"),
]
