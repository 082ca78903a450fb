"""What a source sent and nobody could read: looked at, mapped, and read again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import get_language, gettext, ngettext

from tidings.catalog.extend import catalog_of
from tidings.catalog.features import SYSTEM_FEATURE, Catalog
from tidings.console.asked import number_in
from tidings.console.form import Declared, given, stored_form, written_form
from tidings.console.page import Asked, is_part, page, say, show
from tidings.console.sources.mapping import given_people, given_rows, rows_of, written_rows
from tidings.console.spoken import spoken
from tidings.door import AGAIN_AT_MOST, read_parked_again
from tidings.events.models import Parked
from tidings.events.sources.registry import ADAPTERS, in_order
from tidings.events.sources.set_up import ShownMapping, has_secret, mapping_of, parked_of, put_mapping, put_secret
from tidings.kernel.ids import made_at
from tidings.kernel.pages import Page, Part, page_of
from tidings.kernel.problems import Problem
from tidings.kernel.versions import Expected
from tidings.messages.explain import Explained, explain

PER_PAGE = 20
PAYLOAD_SHOWN = 5_000
"""Characters."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parked payload: `words` are those that a row would have to name."""

    parked: Parked
    why: Explained
    words: Sequence[tuple[str, str]]
    payload: str
    first_at: datetime


@page("administrator")
def parked(request: Asked, name: str) -> HttpResponse:
    resolved = request.GET.get("resolved") == "1"
    rows = parked_of(request.caller, name, resolved=resolved)
    found = page_of(rows, Part(request.GET.get("cursor"), PER_PAGE))
    shown = Page([_waiting(each) for each in found.rows], found.next_cursor)
    context = {"name": name, "page": shown, "resolved": resolved, "at_most": AGAIN_AT_MOST}
    return show(request, "console/sources/parked.html", context)


@page("administrator", methods=("POST",))
def again(request: Asked, name: str) -> HttpResponse:
    only = [each for each in map(_uuid, request.POST.getlist("id")) if each is not None]
    read = read_parked_again(request.caller, name, only or None)
    became = sum(1 for events in read.became.values() if events)
    if became or not (read.became or read.still):
        told = ngettext("%(number)s payload became events.", "%(number)s payloads became events.", became)
        say(request, told % {"number": became})
    if ignored := len(read.became) - became:
        told = ngettext(
            "%(number)s is not wanted, by the mapping.", "%(number)s are not wanted, by the mapping.", ignored
        )
        say(request, told % {"number": ignored})
    if read.still:
        told = ngettext("%(number)s still waits.", "%(number)s still wait.", len(read.still))
        say(request, told % {"number": len(read.still)})
    return redirect("source-parked", name)


@page("administrator", methods=("GET", "POST"))
def mapping(request: Asked, name: str) -> HttpResponse:
    chosen = request.POST.get("adapter") or request.GET.get("adapter")
    shown = mapping_of(request.caller, name, chosen if chosen in ADAPTERS else None)
    status, problems, changed = 200, [], False
    people = shown.ignored_people
    rows = rows_of(shown, _words(request, name))
    form = stored_form(declared(shown))
    if request.method == "POST":
        version = request.POST.get("version", "")
        expected = Expected(number_in(version) or 0)
        rows_given, people = given_rows(shown.parts, request.POST), given_people(request.POST)
        try:
            options = given(shown.fields, request.POST)
            put_mapping(request.caller, name, shown.adapter, rows_given, people, options, expected)
        except Problem as problem:
            if problem.status not in (409, 422):
                raise
            found = {str(error["field"]): str(error["problem"]) for error in problem.errors}
            rows, status = written_rows(shown.parts, request.POST, found), problem.status
            problems, changed = [said(problem)], problem.status == 409
            form = written_form(declared(shown), request.POST, found, changed=changed)
        else:
            say(request, gettext("Saved. It holds for every payload from now on."))
            return redirect("source-parked" if parked_of(request.caller, name).exists() else "source", name)
    context = {
        "name": name,
        "shown": shown,
        "adapter": ADAPTERS[shown.adapter],
        "rows": rows,
        "form": form,
        "fields_url": reverse("source-fields", args=[name]),
        "built_in": [_known(shown.parts, row) for row in shown.built_in],
        "ignored": "\n".join(people),
        "types": _types(catalog_of(request.caller.tenant_id)),
        "problems": problems,
        "changed": changed,
    }
    return show(request, "console/sources/mapping.html", context, status=status)


@page("administrator", methods=("POST",))
def secret(request: Asked, name: str) -> HttpResponse:
    """An empty field keeps what is stored; only the box takes it away."""
    written = request.POST.get("secret", "")
    if written or request.POST.get("remove"):
        put_secret(request.caller, name, written or None)
        told = gettext("From now on payloads that are not signed with this key are refused.")
        say(request, told if written else gettext("Signatures are not looked at any more."))
    if is_part(request):
        context = {"name": name, "has_secret": has_secret(request.caller, name)}
        return show(request, "console/sources/_signing.html", context)
    return redirect("source", name)


def _waiting(one: Parked) -> Waiting:
    try:
        payload = msgspec.json.format(one.body.encode(), indent=1).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        payload = one.body
    words = list(in_order(one.adapter, one.words).items())
    return Waiting(one, explain(one.reason, get_language() or "en"), words, payload[:PAYLOAD_SHOWN], made_at(one.id))


def _words(request: Asked, name: str) -> dict[str, str] | None:
    """Of the parked payload that a row is to be made for."""
    key = _uuid(request.GET.get("for", ""))
    one = parked_of(request.caller, name).filter(id=key).first() if key else None
    return None if one is None else dict(one.words)


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


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


urlpatterns = [
    path("sources-parked/<path:name>", parked, name="source-parked"),
    path("sources-again/<path:name>", again, name="source-again"),
    path("sources-mapping/<path:name>", mapping, name="source-mapping"),
    path("sources-secret/<path:name>", secret, name="source-secret"),
]
