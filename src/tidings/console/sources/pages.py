"""The pages of sources: which there are, how one sends, what it sent, and what of it waits to be understood."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import get_language, gettext

from tidings.accounts.issue import issue_token, sources, tokens_seen_by
from tidings.catalog.extend import catalog_of
from tidings.console.asked import number_in
from tidings.console.form import Form, given, stored_form, written_form
from tidings.console.page import Asked, is_part, page, say, show
from tidings.console.shown_once import secret_to_show, show_next
from tidings.console.sources.lines import first_event, lines
from tidings.console.sources.new import urlpatterns as new_pages
from tidings.console.sources.parked import urlpatterns as parked_pages
from tidings.console.sources.systems import OWN, label_of, steps_of, system
from tidings.console.sources.words import chosen, declared
from tidings.console.sources.words import urlpatterns as words_pages
from tidings.console.spoken import meaning_of
from tidings.door import send_test
from tidings.events.find import subjects_by_id
from tidings.events.group import Kept
from tidings.events.models import Event
from tidings.events.sources.contract import Parked
from tidings.events.sources.look import COUNTED_AT_MOST, ShownSource, at_work, look_at_source
from tidings.events.sources.registry import ADAPTERS
from tidings.events.sources.rehearse import TEST
from tidings.events.sources.set_up import mapping_of, put_mapping
from tidings.kernel.clock import now
from tidings.kernel.ids import made_at
from tidings.kernel.pages import Page, Part, page_of
from tidings.kernel.problems import Problem
from tidings.kernel.versions import Expected
from tidings.messages.explain import explain

PER_PAGE = 50
LATEST = 10
FEW_OPTIONS = 6
"""More of them are filled in beside a sample, not beside the steps."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event in a list: its type in words, and when it was accepted."""

    event: Event
    title: str
    labels: Sequence[str]
    at: datetime

    @property
    def is_test(self) -> bool:
        return self.event.source_id.startswith(TEST)


@page("administrator")
def all_sources(request: Asked) -> HttpResponse:
    found = page_of(sources(request.caller), Part(request.GET.get("cursor"), PER_PAGE), by="name")
    shown = Page(at_work(request.caller, found.rows), found.next_cursor)
    return show(request, "console/sources/list.html", {"page": shown, "labels": _labels()})


@page("administrator")
def source(request: Asked, name: str) -> HttpResponse:
    """How it is connected, and what came of it."""
    return _source(request, name, token=secret_to_show(request, of=name))


@page("administrator", methods=("POST",))
def new_token(request: Asked, name: str) -> HttpResponse:
    _, secret = issue_token(request.caller, source=name, name=request.POST.get("token_name", ""))
    show_next(request, secret, of=name)
    return redirect("source", name)


@page("administrator", methods=("POST",))
def try_it(request: Asked, name: str) -> HttpResponse:
    """What its system would send, told to whoever pressed the button."""
    tested = send_test(request.caller, name)
    if is_part(request):
        return show(request, "console/sources/_tested.html", {"name": name, **_tested(tested)})
    return _source(request, name, token="", **_tested(tested))


@page("administrator", methods=("POST",))
def save_options(request: Asked, name: str) -> HttpResponse:
    """What it says of its system, beside words; these stay."""
    now_kept = mapping_of(request.caller, name)
    expected = Expected(number_in(request.POST.get("version", "")) or 0)
    values = given(now_kept.fields, request.POST)
    status, form, saved = 200, None, False
    try:
        put_mapping(request.caller, name, now_kept.adapter, now_kept.rows, None, values, expected)
        saved = True
    except Problem as problem:
        if problem.status not in (409, 422):
            raise
        changed, status = problem.status == 409, problem.status
        form = written_form(
            declared(mapping_of(request.caller, name)), request.POST, problem.of_fields, changed=changed
        )
    if is_part(request):
        form = form or stored_form(declared(mapping_of(request.caller, name)))
        context = {"name": name, "form": form, "saved": saved, "fields_url": reverse("source-fields", args=[name])}
        return show(request, "console/sources/_options.html", context, status=status)
    if saved:
        say(request, gettext("Saved. It holds for every payload from now on."))
        return redirect("source", name)
    return _source(request, name, token="", form=form, status=status)


@page("administrator", methods=("POST",))
def fields(request: Asked, name: str) -> HttpResponse:
    """The form for what was chosen in it, with what was written so far."""
    form = written_form(declared(mapping_of(request.caller, name, chosen(request))), request.POST)
    context = {"form": form, "fields_url": reverse("source-fields", args=[name])}
    return show(request, "console/_declared.html", context)


@page("administrator")
def latest(request: Asked, name: str) -> HttpResponse:
    """Nothing when it is as it was: a page that looks again and again is not read out each time."""
    arrival = _arrival(request, look_at_source(request.caller, name, limit=LATEST))
    if request.GET.get("seen") == arrival["seen"]:
        return HttpResponse(status=204)
    return show(request, "console/sources/_latest.html", {"name": name, **arrival})


def _source(
    request: Asked, name: str, *, token: str, form: Form | None = None, status: int = 200, **more: Any
) -> HttpResponse:
    shown = look_at_source(request.caller, name, limit=LATEST)
    adapter = ADAPTERS.get(shown.adapter)
    event = first_event(request.person.login, name, now(), gettext("A first event of %(source)s") % {"source": name})
    if adapter and adapter.options and form is None:
        form = stored_form(declared(mapping_of(request.caller, name)))
    context = {
        "shown": shown,
        "name": name,
        "token": token,
        "system": system(adapter.code if adapter else OWN),
        "steps": steps_of(adapter, token) if adapter else (),
        "lines": () if adapter else lines(event, token),
        "form": form,
        "many_options": form is not None and len(form.inputs) > FEW_OPTIONS,
        "fields_url": reverse("source-fields", args=[name]),
        "tokens": tokens_seen_by(request.caller, source=name).order_by("-id")[:PER_PAGE],
        **_arrival(request, shown),
        **more,
    }
    return show(request, "console/sources/source.html", context, status=status)


def _arrival(request: Asked, shown: ShownSource) -> dict[str, Any]:
    """`waits`: nothing but tests of ours came yet."""
    arrived = _arrived(request, shown.latest)
    turned_away = [(meaning_of(each.code), each) for each in shown.turned_away]
    newest = str(shown.latest[0].id) if shown.latest else ""
    return {
        "shown": shown,
        "latest": arrived,
        "tests_only": bool(arrived) and all(each.is_test for each in arrived) and len(arrived) < LATEST,
        "turned_away": turned_away,
        "many_parked": shown.parked >= COUNTED_AT_MOST,
        "seen": f"{newest}.{shown.parked}.{sum(each.count for _, each in turned_away)}",
    }


def _tested(tested: Sequence[Kept] | Parked) -> dict[str, Any]:
    if isinstance(tested, Parked):
        return {"tested": True, "why": explain(tested.reason, get_language() or "en"), "detail": tested.detail}
    return {"tested": True, "kept": [each.id for each in tested]}


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
    return {code: label_of(adapter) for code, adapter in ADAPTERS.items()}


urlpatterns = [
    path("sources", all_sources, name="sources"),
    *new_pages,
    # What is done comes before the name, which may end like any of these.
    path("sources-tokens/<path:name>", new_token, name="source-token"),
    path("sources-try/<path:name>", try_it, name="source-try"),
    path("sources-options/<path:name>", save_options, name="source-options"),
    path("sources-fields/<path:name>", fields, name="source-fields"),
    path("sources-latest/<path:name>", latest, name="source-latest"),
    *parked_pages,
    *words_pages,
    path("sources/<path:name>", source, name="source"),
]
