"""The pages of sources: which there are, how one sends, what it sent, and what of it waits to be understood."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import get_language, gettext

from tidings.accounts.issue import create_source, issue_token, sources, tokens_seen_by
from tidings.accounts.tokens import create_token
from tidings.catalog.extend import catalog_of
from tidings.console.page import Asked, page, say, show
from tidings.console.shown_once import secret_to_show, show_next
from tidings.console.sources.door import keep_now
from tidings.console.sources.lines import address, first_event, lines
from tidings.console.sources.parked import said
from tidings.console.sources.parked import urlpatterns as parked_pages
from tidings.console.spoken import meaning_of
from tidings.events.event import read_event
from tidings.events.find import subjects_by_id
from tidings.events.models import Event
from tidings.events.sources.contract import Adapter
from tidings.events.sources.look import COUNTED_AT_MOST, ShownSource, at_work, look_at_source
from tidings.events.sources.registry import ADAPTERS
from tidings.kernel.clock import now
from tidings.kernel.ids import made_at
from tidings.kernel.pages import Page, Part, page_of
from tidings.kernel.problems import Problem

PER_PAGE = 50
LATEST = 10


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event in a list: its type in words, and when it was accepted."""

    event: Event
    title: str
    labels: Sequence[str]
    at: datetime


@page("administrator", methods=("GET", "POST"))
def all_sources(request: Asked) -> HttpResponse:
    """And a new one, with its first token, which its own page shows once."""
    if request.method != "POST":
        return _list(request)
    name = request.POST.get("name", "")
    try:
        with transaction.atomic():
            source = create_source(request.caller, name)
            _, secret = create_token(request.caller, source=source)
    except Problem as problem:
        if problem.status not in (409, 422):
            raise
        text = (
            gettext("There is a source of this name already; open it to give it another token.")
            if problem.code == "source_exists"
            else said(problem)
        )
        return _list(request, problem=text, written=name, status=problem.status)
    show_next(request, secret, of=source.name)
    return redirect("source", source.name)


@page("administrator")
def source(request: Asked, name: str) -> HttpResponse:
    return _source(request, name, token=secret_to_show(request, of=name))


@page("administrator", methods=("POST",))
def new_token(request: Asked, name: str) -> HttpResponse:
    _, secret = issue_token(request.caller, source=name, name=request.POST.get("token_name", ""))
    show_next(request, secret, of=name)
    return redirect("source", name)


@page("administrator", methods=("POST",))
def try_it(request: Asked, name: str) -> HttpResponse:
    """An event that tells whoever pressed the button and says that it is a test, through the same door as any other."""
    shown = look_at_source(request.caller, name, limit=1)
    title = gettext("Test event of %(source)s") % {"source": shown.source.name}
    event = first_event(request.person.login, shown.source.name, now(), title)
    comment = gettext("A test from the console, sent by %(login)s.") % {"login": request.person.login}
    event["details"] = {"comment": comment}
    keep_now(request.caller, read_event(msgspec.json.encode(event), now=now()))
    say(request, gettext("The test event was kept. It is told to you, and stands among the last events below."))
    return redirect("source", shown.source.name)


@page("administrator")
def latest(request: Asked, name: str) -> HttpResponse:
    shown = look_at_source(request.caller, name, limit=LATEST)
    return show(request, "console/sources/_latest.html", {"shown": shown, "latest": _arrived(request, shown.latest)})


def _list(request: Asked, *, problem: str = "", written: str = "", status: int = 200) -> HttpResponse:
    found = page_of(sources(request.caller), Part(request.GET.get("cursor"), PER_PAGE), by="name")
    page = Page(at_work(request.caller, found.rows), found.next_cursor)
    context = {"page": page, "problem": problem, "written": written, "labels": _labels()}
    return show(request, "console/sources/list.html", context, status=status)


def _source(request: Asked, name: str, *, token: str) -> HttpResponse:
    shown = look_at_source(request.caller, name, limit=LATEST)
    event = first_event(request.person.login, name, now(), gettext("A first event of %(source)s") % {"source": name})
    context = {
        "shown": shown,
        "name": name,
        "token": token,
        "lines": lines(event, token),
        "adapters": [_steps(adapter, shown, token) for adapter in ADAPTERS.values()],
        "latest": _arrived(request, shown.latest),
        "tokens": tokens_seen_by(request.caller, source=name).order_by("-id")[:PER_PAGE],
        "turned_away": [(meaning_of(each.code), each) for each in shown.turned_away],
        "many_parked": shown.parked >= COUNTED_AT_MOST,
        "labels": _labels(),
    }
    return show(request, "console/sources/source.html", context)


def _steps(adapter: Adapter, shown: ShownSource, token: str) -> dict[str, Any]:
    url = address(f"sources/{adapter.code}?token={token or '<token>'}")
    steps = adapter.steps.get(get_language() or "en") or adapter.steps["en"]
    return {
        "adapter": adapter,
        "steps": [step.partition("{url}") for step in steps],
        "url": url,
        "signs": type(adapter).signed is not Adapter.signed,
        "current": shown.adapter == adapter.code,
    }


def _arrived(request: Asked, events: Sequence[Event]) -> list[Arrived]:
    subjects = subjects_by_id(request.caller.tenant_id, {event.subject_id for event in events})
    types = catalog_of(request.caller.tenant_id).event_types if events else {}
    language = get_language() or "en"
    arrived: list[Arrived] = []
    for event in events:
        known, subject = types.get(event.type), subjects[event.subject_id]
        labels = [known.feature_labels[language], known.labels[language]] if known else [event.type]
        arrived.append(Arrived(event, subject.title or subject.key, labels, made_at(event.id)))
    return arrived


def _labels() -> dict[str, str]:
    return {code: adapter.label for code, adapter in ADAPTERS.items()}


urlpatterns = [
    path("sources", all_sources, name="sources"),
    # What is done comes before the name, which may end like any of these.
    path("sources-tokens/<path:name>", new_token, name="source-token"),
    path("sources-try/<path:name>", try_it, name="source-try"),
    path("sources-latest/<path:name>", latest, name="source-latest"),
    *parked_pages,
    path("sources/<path:name>", source, name="source"),
]
