"""What a source sent and nobody could read: looked at, mapped, and read again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import get_language, gettext, ngettext

from tidings.console.page import Asked, is_part, page, say, show
from tidings.console.sources.words import as_uuid
from tidings.door import AGAIN_AT_MOST, read_parked_again
from tidings.events.models import Parked
from tidings.events.sources.registry import in_order
from tidings.events.sources.set_up import has_secret, parked_of, put_secret
from tidings.kernel.ids import made_at
from tidings.kernel.pages import Page, Part, page_of
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
    only = [each for each in map(as_uuid, request.POST.getlist("id")) if each is not None]
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


urlpatterns = [
    path("sources-parked/<path:name>", parked, name="source-parked"),
    path("sources-again/<path:name>", again, name="source-again"),
    path("sources-secret/<path:name>", secret, name="source-secret"),
]
