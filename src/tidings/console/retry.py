"""Try deliveries again: one, those that were ticked, or everything that fits the filters, with its progress shown."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext, ngettext

from tidings.catalog.extend import catalog_of
from tidings.console.activity.words import RETRIABLE
from tidings.console.asked import is_ours, number_in
from tidings.console.deliveries import EDITORS, Filters, filters_in
from tidings.console.page import Asked, is_part, page, say, show
from tidings.console.templatetags.told import explained
from tidings.delivery.find import Which, count_deliveries
from tidings.delivery.retry import retry_deliveries, retry_delivery
from tidings.kernel.pages import cursor_of, write_cursor
from tidings.kernel.problems import Problem, invalid
from tidings.messages.explain import Explained

SLICE = 500
"""Deliveries that one request tries again; a page of progress asks for the next."""
ASKED_ABOUT = 5_000
"""So many are counted before they are tried again; more are called so."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Of trying many again: how many were, how many were left as they are, by reason; and where it goes on."""

    filters: Mapping[str, str]
    total: int
    retried: int
    refused: Mapping[str, int]
    cursor: str | None

    @property
    def looked_at(self) -> int:
        return self.retried + sum(self.refused.values())

    @property
    def reasons(self) -> list[tuple[Explained, int]]:
        return [(explained(reason), count) for reason, count in sorted(self.refused.items())]


@page(*EDITORS, methods=("POST",))
def retry(request: Asked, delivery_id: UUID) -> HttpResponse:
    try:
        done = retry_delivery(request.caller, delivery_id)
    except Problem as problem:
        if problem.status not in (409, 410):
            raise
        messages.error(request, _why_not(problem))
        return redirect(_back(request))
    say(request, gettext("It is tried again now: %(who)s.") % {"who": done.name or done.recipient})
    return redirect(_back(request))


@page(*EDITORS, methods=("POST",))
def retry_chosen(request: Asked) -> HttpResponse:
    """Those that were ticked."""
    chosen = [key for each in request.POST.getlist("id") if (key := _key(each))]
    if not chosen:
        raise invalid(gettext("Choose at least one delivery that failed."))
    retried, refused = 0, dict[str, int]()
    # Of either state: what was ticked may have been of both.
    for state in RETRIABLE:
        done = retry_deliveries(request.caller, Which(state=state, ids=chosen), limit=len(chosen))
        retried += done.retried
        for reason, count in done.refused.items():
            refused[reason] = refused.get(reason, 0) + count
    if retried:
        say(request, _said(retried))
    for reason, count in refused.items():
        messages.error(request, _left(reason, count))
    if not retried and not refused:
        messages.error(request, gettext("None of these can be tried again: somebody was quicker."))
    return redirect(_back(request))


@page(*EDITORS, methods=("GET", "POST"))
def retry_all(request: Asked) -> HttpResponse:
    """Everything that fits the filters: asked first, then done a slice at a time, since no request may take long."""
    said = request.POST if request.method == "POST" else request.GET
    filters = filters_in(request, catalog_of(request.caller.tenant_id), said)
    if filters.state not in RETRIABLE:
        filters = replace(filters, state="failed")
    which = filters.which()
    if request.method != "POST":
        total = count_deliveries(request.caller, which, at_most=ASKED_ABOUT)
        return _progress(request, Progress(filters.query, total, 0, {}, ""), asked=True)
    before = _so_far(request, filters)
    done = retry_deliveries(request.caller, which, after=cursor_of(before.cursor, UUID), limit=SLICE)
    refused = dict(before.refused)
    for reason, count in done.refused.items():
        refused[reason] = refused.get(reason, 0) + count
    cursor = write_cursor(done.last) if done.last else None
    return _progress(request, replace(before, retried=before.retried + done.retried, refused=refused, cursor=cursor))


def _progress(request: Asked, progress: Progress, *, asked: bool = False) -> HttpResponse:
    context = {
        "progress": progress,
        "asked": asked,
        "many": progress.total >= ASKED_ABOUT,
        "back": f"{reverse('deliveries')}?{urlencode(progress.filters)}",
    }
    return show(request, f"console/deliveries/{'_retry_all' if is_part(request) else 'retry_all'}.html", context)


def _so_far(request: Asked, filters: Filters) -> Progress:
    """As the form carries it from slice to slice: numbers to be shown, nothing that is trusted."""
    refused = {}
    for each in request.POST.getlist("refused"):
        reason, _, count = each.partition(":")
        refused[reason[:100]] = _number(count)
    total, retried = _number(request.POST.get("total")), _number(request.POST.get("retried"))
    return Progress(filters.query, total, retried, refused, request.POST.get("cursor", ""))


def _said(retried: int) -> str:
    return ngettext("%d delivery is tried again now.", "%d deliveries are tried again now.", retried) % retried


def _left(reason: str, count: int) -> str:
    why = explained(reason)
    text = ngettext(
        "%(count)d is left as it is. %(says)s: %(todo)s", "%(count)d are left as they are. %(says)s: %(todo)s", count
    )
    return text % {"count": count, "says": why.says, "todo": why.todo}


def _why_not(problem: Problem) -> str:
    """What stands in the way is a reason like any other; that somebody was quicker is none."""
    why = explained(problem.code)
    if why.todo:
        return gettext("It cannot be tried again. %(says)s: %(todo)s") % {"says": why.says, "todo": why.todo}
    return gettext("It cannot be tried again: it is on its way, or has arrived.")


def _back(request: Asked) -> str:
    back = request.POST.get("back", "")
    return back if is_ours(back) else reverse("deliveries")


def _key(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _number(text: str | None) -> int:
    return number_in(text or "") or 0


urlpatterns = [
    path("deliveries/retry", retry_chosen, name="deliveries-retry"),
    path("deliveries/retry-all", retry_all, name="deliveries-retry-all"),
    path("deliveries/<uuid:delivery_id>/retry", retry, name="delivery-retry"),
]
