"""Deliveries: what became of each message, what waits and fails and why, and trying again, one or many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, ngettext

from tidings.catalog.extend import catalog_of
from tidings.catalog.features import Catalog
from tidings.channels.registry import CHANNELS
from tidings.console.activity.words import RETRIABLE, WAITS, Try, tries, type_label
from tidings.console.asked import given, is_ours, number_in, one_of, time_in
from tidings.console.page import Asked, is_part, page, say, show
from tidings.console.templatetags.told import explained
from tidings.delivery.find import Shown, Which, count_deliveries, deliveries_page
from tidings.delivery.retry import retry_deliveries, retry_delivery
from tidings.delivery.waits import COUNTED_AT_MOST, standing_of
from tidings.kernel.clock import now
from tidings.kernel.pages import Page, Part, cursor_of, write_cursor
from tidings.kernel.problems import Problem, invalid
from tidings.messages.explain import Explained

EDITORS = ("administrator", "dba")
PER_PAGE = 50
SLICE = 500
"""Deliveries that one request tries again; a page of progress asks for the next."""
ASKED_ABOUT = 5_000
"""So many are counted before they are tried again; more are called so."""
FAILED_WITHIN = 24
GROUPS = 3
"""Reasons of what waits and of what failed; the overview has more of them."""
STATES: Mapping[str, str | Promise] = {
    "pending": gettext_lazy("pending"),
    "sent": gettext_lazy("sent"),
    "delivered": gettext_lazy("delivered"),
    "failed": gettext_lazy("failed"),
    "cancelled": gettext_lazy("cancelled"),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """As they stand in the address."""

    state: str
    channel: str
    recipient: str
    type: str
    since: datetime | None
    until: datetime | None

    @property
    def any(self) -> bool:
        return any((self.state, self.channel, self.recipient, self.type, self.since, self.until))

    def which(self) -> Which:
        return Which(
            state=self.state or None,
            channel=self.channel or None,
            recipient=self.recipient or None,
            event_type=self.type or None,
            since=self.since,
            until=self.until,
        )


@dataclass(frozen=True, slots=True)
class Row:
    shown: Shown
    label: str
    why: Explained | None
    waits: str
    tries: Sequence[Try]

    @property
    def can_be_retried(self) -> bool:
        return self.shown.state in RETRIABLE

    @property
    def count(self) -> int:
        return sum(each.counts for each in self.tries)

    @property
    def said(self) -> str:
        """The provider's last words."""
        return next((each.said for each in reversed(self.tries) if each.said), "")


@dataclass(frozen=True, slots=True)
class Group:
    """What waits, or failed, for one reason. `url` leads to those; `key` names it in the page."""

    key: str
    channel: str
    count: int
    words: str
    why: Explained | None
    due_at: datetime | None
    url: str


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


@page()
def deliveries(request: Asked) -> HttpResponse:
    catalog = catalog_of(request.caller.tenant_id)
    filters = _filters(request, catalog)
    cursor = request.GET.get("cursor")
    found = deliveries_page(request.caller, filters.which(), Part(cursor, PER_PAGE))
    sees_all = request.caller.sees_all
    context = {
        "page": Page([_row(catalog, each) for each in found.rows], found.next_cursor),
        "filters": filters,
        "retriable": filters.state in RETRIABLE,
        "live": not cursor,
        "here": request.get_full_path(),
        "sees_all": sees_all,
        "may_retry": request.caller.holds(*EDITORS),
        "opens_people": request.caller.holds("administrator"),
    }
    if is_part(request):
        return show(request, "console/deliveries/_list.html", context)
    context |= {
        "features": catalog.features.values(),
        "channels": list(CHANNELS),
        "states": STATES.items(),
        **(_standing(request) if sees_all and not cursor and not filters.any else {}),
    }
    return show(request, "console/deliveries/deliveries.html", context)


@page("administrator", "dba", "security_administrator")
def standing(request: Asked) -> HttpResponse:
    """What waits and fails, asked for again while the page is open."""
    return show(request, "console/deliveries/_standing.html", _standing(request))


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
    filters = _filters(
        request, catalog_of(request.caller.tenant_id), request.POST if request.method == "POST" else request.GET
    )
    if filters.state not in RETRIABLE:
        filters = replace(filters, state="failed")
    which = filters.which()
    if request.method != "POST":
        total = count_deliveries(request.caller, which, at_most=ASKED_ABOUT)
        return _progress(request, Progress(_query(filters), total, 0, {}, ""), asked=True)
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
    return Progress(_query(filters), total, retried, refused, request.POST.get("cursor", ""))


def _standing(request: Asked) -> dict[str, Any]:
    found = standing_of(request.caller, hours=FAILED_WITHIN, now=now())
    return {
        "standing": found,
        "waiting": [
            Group(
                f"{each.waits_for}-{each.channel}-{each.reason}",
                each.channel,
                each.count,
                str(WAITS[each.waits_for]),
                _explained(each.reason),
                each.due_at,
                f"{reverse('deliveries')}?{urlencode({'state': 'pending', 'channel': each.channel})}",
            )
            for each in found.waiting[:GROUPS]
        ],
        "failing": [
            Group(
                f"{each.channel}-{each.reason}",
                each.channel,
                each.count,
                "",
                _explained(each.reason),
                None,
                f"{reverse('deliveries')}?{urlencode({'state': 'failed', 'channel': each.channel})}",
            )
            for each in found.failed[:GROUPS]
        ],
        "more_waiting": len(found.waiting) > GROUPS,
        "more_failing": len(found.failed) > GROUPS,
        "counted_at_most": COUNTED_AT_MOST,
    }


def _row(catalog: Catalog, one: Shown) -> Row:
    return Row(
        one,
        type_label(catalog, one.event_type),
        _explained(one.reason),
        str(WAITS.get(one.waits_for, "")),
        tries(one.attempts),
    )


def _filters(request: Asked, catalog: Catalog, said: QueryDict | None = None) -> Filters:
    said, zone = request.GET if said is None else said, request.person.timezone
    return Filters(
        state=one_of(said, "state", STATES),
        channel=one_of(said, "channel", CHANNELS),
        recipient=given(said, "recipient") if request.caller.sees_all else "",
        type=one_of(said, "type", catalog.event_types),
        since=time_in(said, "since", zone),
        until=time_in(said, "until", zone),
    )


def _query(filters: Filters) -> dict[str, str]:
    """The filters as an address says them."""
    times = {name: at.isoformat() if at else "" for name, at in (("since", filters.since), ("until", filters.until))}
    said = {"state": filters.state, "channel": filters.channel, "recipient": filters.recipient, "type": filters.type}
    return {name: value for name, value in {**said, **times}.items() if value}


def _explained(reason: str) -> Explained | None:
    return explained(reason) if reason else None


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
    path("deliveries", deliveries, name="deliveries"),
    path("deliveries/standing", standing, name="deliveries-standing"),
    path("deliveries/retry", retry_chosen, name="deliveries-retry"),
    path("deliveries/retry-all", retry_all, name="deliveries-retry-all"),
    path("deliveries/<uuid:delivery_id>/retry", retry, name="delivery-retry"),
]
