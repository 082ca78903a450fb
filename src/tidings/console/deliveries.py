"""Deliveries: what became of each message, what waits and fails, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict
from django.urls import path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from tidings.catalog.extend import catalog_of
from tidings.catalog.features import Catalog
from tidings.channels.registry import CHANNELS
from tidings.console.activity.words import RETRIABLE, WAITS, Try, tries, type_label
from tidings.console.asked import given, one_of, time_in
from tidings.console.page import Asked, is_part, page, show
from tidings.console.templatetags.told import explained
from tidings.delivery.find import Shown, Which, deliveries_page
from tidings.delivery.waits import COUNTED_AT_MOST, standing_of
from tidings.kernel.clock import now
from tidings.kernel.pages import Page, Part
from tidings.messages.explain import Explained

EDITORS = ("administrator", "dba")
PER_PAGE = 50
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

    @property
    def query(self) -> dict[str, str]:
        """As an address says them."""
        times = {name: at.isoformat() if at else "" for name, at in (("since", self.since), ("until", self.until))}
        said = {"state": self.state, "channel": self.channel, "recipient": self.recipient, "type": self.type}
        return {name: value for name, value in {**said, **times}.items() if value}

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


@page()
def deliveries(request: Asked) -> HttpResponse:
    catalog = catalog_of(request.caller.tenant_id)
    filters = filters_in(request, catalog)
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


def filters_in(request: Asked, catalog: Catalog, said: QueryDict | None = None) -> Filters:
    said, zone = request.GET if said is None else said, request.person.timezone
    return Filters(
        state=one_of(said, "state", STATES),
        channel=one_of(said, "channel", CHANNELS),
        recipient=given(said, "recipient") if request.caller.sees_all else "",
        type=one_of(said, "type", catalog.event_types),
        since=time_in(said, "since", zone),
        until=time_in(said, "until", zone),
    )


def _explained(reason: str) -> Explained | None:
    return explained(reason) if reason else None


urlpatterns = [
    path("deliveries", deliveries, name="deliveries"),
    path("deliveries/standing", standing, name="deliveries-standing"),
]
