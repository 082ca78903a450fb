"""How a source is read: what it says of its system, what its words mean, who is nobody here; and, before any of it is
saved, what a payload would become and who would be told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import get_language, gettext

from tidings.catalog.extend import catalog_of
from tidings.catalog.features import SYSTEM_FEATURE, Catalog
from tidings.console.asked import number_in
from tidings.console.form import Declared, Form, given, stored_form, written_form
from tidings.console.page import Asked, is_part, page, say, show
from tidings.console.preview import Result, result_of
from tidings.console.sources.mapping import Row, given_people, given_rows, rows_of, written_rows
from tidings.console.sources.systems import label_of
from tidings.console.spoken import spoken
from tidings.events.event import Event
from tidings.events.models import Parked as Waiting
from tidings.events.sources.contract import Adapter
from tidings.events.sources.registry import ADAPTERS
from tidings.events.sources.set_up import ShownMapping, mapping_of, parked_of, put_mapping
from tidings.events.sources.suppose import Supposed, suppose
from tidings.kernel.problems import Problem
from tidings.kernel.versions import Expected
from tidings.messages.explain import explain
from tidings.planning.views import view_now
from tidings.try_payload import try_payload

SHOWN = 20
"""Events that one payload would become."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A call to be tried: headers, one to a line, and the body."""

    headers: str
    body: str


@dataclass(frozen=True, slots=True)
class Filled:
    """The page as it stands: as it is kept, or as somebody has filled it in."""

    rows: Sequence[Row]
    people: Sequence[str]
    form: Form
    sample: Sample
    problems: Sequence[str] = ()
    changed: bool = False
    asked_about: bool = False


@page("administrator", methods=("GET", "POST"))
def mapping(request: Asked, name: str) -> HttpResponse:
    shown = mapping_of(request.caller, name, chosen(request))
    if request.method != "POST":
        return _page(request, name, shown, _as_kept(request, name, shown))
    rows, people = given_rows(shown.parts, request.POST), given_people(request.POST)
    expected = Expected(number_in(request.POST.get("version", "")) or 0)
    try:
        put_mapping(request.caller, name, shown.adapter, rows, people, given(shown.fields, request.POST), expected)
    except Problem as problem:
        if problem.status not in (409, 422):
            raise
        return _page(request, name, shown, _as_written(request, shown, problem), status=problem.status)
    say(request, gettext("Saved. It holds for every payload from now on."))
    return redirect("source-parked" if parked_of(request.caller, name).exists() else "source", name)


@page("administrator", methods=("POST",))
def attempt(request: Asked, name: str) -> HttpResponse:
    """What the payload in the form would become, read by what stands in the form; nothing is kept or sent."""
    shown = mapping_of(request.caller, name, chosen(request))
    tried = _tried(request, name, shown)
    if is_part(request):
        return show(request, "console/sources/_tried.html", {"name": name, **tried})
    return _page(request, name, shown, _as_written(request, shown, None), tried=True, **tried)


def chosen(request: Asked) -> str | None:
    """The adapter that the page is about, where it is another one than the source's."""
    asked = request.POST.get("adapter") or request.GET.get("adapter")
    return asked if asked in ADAPTERS else None


def _page(
    request: Asked, name: str, shown: ShownMapping, filled: Filled, *, status: int = 200, **more: Any
) -> HttpResponse:
    context = {
        "name": name,
        "shown": shown,
        "adapter": ADAPTERS[shown.adapter],
        "label": label_of(ADAPTERS[shown.adapter]),
        "filled": filled,
        "form": filled.form,
        "fields_url": reverse("source-fields", args=[name]),
        "built_in": [_known(shown.parts, row) for row in shown.built_in],
        "ignored": "\n".join(filled.people),
        "types": _types(catalog_of(request.caller.tenant_id)),
        **more,
    }
    return show(request, "console/sources/mapping.html", context, status=status)


def _as_kept(request: Asked, name: str, shown: ShownMapping) -> Filled:
    parked = _parked(request, name)
    rows = rows_of(shown, dict(parked.words) if parked else None)
    sample = _sample(ADAPTERS[shown.adapter], parked or _newest(request, name, shown.adapter))
    form = stored_form(declared(shown))
    return Filled(rows, shown.ignored_people, form, sample, asked_about=parked is not None)


def _as_written(request: Asked, shown: ShownMapping, problem: Problem | None) -> Filled:
    found = problem.of_fields if problem else {}
    changed = problem is not None and problem.status == 409
    return Filled(
        rows=written_rows(shown.parts, request.POST, found),
        people=given_people(request.POST),
        form=written_form(declared(shown), request.POST, found, changed=changed),
        sample=Sample(request.POST.get("headers", ""), request.POST.get("sample", "")),
        problems=[said(problem)] if problem else [],
        changed=changed,
    )


def _tried(request: Asked, name: str, shown: ShownMapping) -> dict[str, Any]:
    rows, people = given_rows(shown.parts, request.POST), given_people(request.POST)
    supposed = Supposed(shown.adapter, rows, given(shown.fields, request.POST), people)
    headers = _headers(request.POST.get("headers", ""))
    try:
        adapter, set_up = suppose(request.caller, name, supposed)
        view = view_now(request.caller.tenant_id)
        tried = try_payload(view, name, adapter, set_up, headers, request.POST.get("sample", "").encode())
    except Problem as problem:
        if problem.status not in (413, 422):
            raise
        labels = {each.name: each.label for each in stored_form(declared(shown)).inputs}
        wrong = [(labels.get(str(each["field"]), ""), spoken(str(each["problem"]))) for each in problem.errors]
        return {"wrong": wrong or [("", problem.detail)]}
    if tried.parked:
        return {"parked": tried.parked, "why": explain(tried.parked.reason, get_language() or "en")}
    if not tried.events:
        return {"ignored": True}
    written = [_written(event) for event in tried.events[:SHOWN]]
    result: Result = result_of(request, written[0], None)
    back = reverse("source-mapping", args=[name])
    return {"events": tried.events, "written": written, "text": written[0], "result": result, "back": back}


def _sample(adapter: Adapter, parked: Waiting | None) -> Sample:
    """What is tried first: the parked payload that this is about, else the newest, else a sample of such a system."""
    if parked:
        headers, body = parked.headers, parked.body.encode()
    elif adapter.sample:
        headers, body = dict(adapter.sample.headers), adapter.sample.body
    else:
        headers, body = {}, b"{}"
    return Sample("\n".join(f"{name}: {value}" for name, value in headers.items()), _formatted(body))


def _formatted(body: bytes) -> str:
    try:
        return msgspec.json.format(body, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode(errors="replace")


def _headers(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in text.splitlines())
    return {name.strip().lower(): value.strip() for name, colon, value in lines if colon and name.strip()}


def _written(event: Event) -> str:
    return msgspec.json.format(msgspec.json.encode(event), indent=2).decode()


def _parked(request: Asked, name: str) -> Waiting | None:
    """The parked payload that this is about."""
    key = as_uuid(request.GET.get("for", ""))
    return parked_of(request.caller, name).filter(id=key).first() if key else None


def _newest(request: Asked, name: str, adapter: str) -> Waiting | None:
    """Of those that wait, else of those that were read in the end: the system's own words beat a sample of ours."""
    for resolved in (False, True):
        rows = parked_of(request.caller, name, resolved=resolved).filter(adapter=adapter)
        if found := rows.exclude(reason="test_message").order_by("-id").first():
            return found
    return None


def declared(shown: ShownMapping) -> Declared:
    """What the source may say of its system, as a form is made of it."""
    return Declared(shown.fields, shown.options, shown.version)


def _known(parts: Sequence[str], row: Mapping[str, Any]) -> tuple[list[str], str]:
    words = [row.get(part, "") for part in parts]
    return [each if isinstance(each, str) else ", ".join(each) for each in words], row["type"]


def _types(catalog: Catalog) -> list[tuple[str, str]]:
    language = get_language() or "en"
    return [
        (code, f"{each.feature_labels[language]}{gettext(': ')}{each.labels[language]}")
        for code, each in catalog.event_types.items()
        if each.feature != SYSTEM_FEATURE
    ]


def said(problem: Problem) -> str:
    if problem.status == 409:
        return gettext("Somebody changed this meanwhile. Load the page again and repeat your change.")
    return "; ".join(dict.fromkeys(spoken(str(error["problem"])) for error in problem.errors)) or problem.detail


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


urlpatterns = [
    path("sources-mapping/<path:name>", mapping, name="source-mapping"),
    path("sources-attempt/<path:name>", attempt, name="source-attempt"),
]
