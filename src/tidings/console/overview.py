"""What a person on duty wants first: is everything being delivered, how fast, what fails, what waits for approval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, ngettext

from tidings.catalog.extend import catalog_of
from tidings.catalog.features import Catalog
from tidings.channels.configure import READERS
from tidings.channels.registry import CHANNELS
from tidings.console import plots
from tidings.console.activity.words import type_label
from tidings.console.page import SEES_ALL, Asked, is_part, page, show
from tidings.console.templatetags.told import channel_name, explained
from tidings.delivery.overview import FAILED_WITHIN, Cause, Health, Overview, Trouble, overview_of
from tidings.events.awaiting import Awaiting
from tidings.kernel.clock import now
from tidings.messages.explain import Explained

SPANS: Mapping[str, tuple[str | Promise, str, int]] = {
    "24h": (gettext_lazy("24 hours"), "hour", 24),
    "30d": (gettext_lazy("30 days"), "day", 30),
}
CAUSES = 8
STATES: Mapping[str, tuple[str, str, str | Promise]] = {
    "fine": ("green", "circle-check", gettext_lazy("fine")),
    "trouble": ("yellow", "alert-triangle", gettext_lazy("some did not go through")),
    "failing": ("red", "circle-x", gettext_lazy("nothing goes through")),
    "idle": ("secondary", "clock", gettext_lazy("nothing to send in the last hour")),
    "off": ("secondary", "x", gettext_lazy("switched off")),
}
START_A_NODE = gettext_lazy("An operator has to start one: tidings serve, or tidings worker.")
WORST = ("nobody_delivers", "overdue", "channel_failing", "unplanned")


@dataclass(frozen=True, slots=True)
class Said:
    """A trouble in words, and where one looks after it. `key` names it in the page, whatever comes before it."""

    key: str
    bad: bool
    text: str
    since: datetime | None
    url: str
    action: str


@dataclass(frozen=True, slots=True)
class Why:
    channel: str
    why: Explained
    count: int


@dataclass(frozen=True, slots=True)
class Channel:
    health: Health
    name: str
    colour: str
    icon: str
    words: str
    why: Explained | None
    url: str


@dataclass(frozen=True, slots=True)
class Waits:
    one: Awaiting
    label: str


@page(*SEES_ALL)
def overview(request: Asked) -> HttpResponse:
    chosen = request.GET.get("span", "")
    chosen = chosen if chosen in SPANS else "24h"
    _, unit, count = SPANS[chosen]
    found = overview_of(request.caller, unit="day" if unit == "day" else "hour", count=count, now=now())
    catalog = catalog_of(request.caller.tenant_id)
    moments = [each.at for each in found.points]
    context = {
        "found": found,
        "spans": [(code, label, code == chosen) for code, (label, _, _) in SPANS.items()],
        "here": request.get_full_path(),
        "troubles": [_said(each, found.until) for each in found.troubles],
        "amounts": plots.bars(moments, [each.sent for each in found.points], [each.failed for each in found.points]),
        "speeds": plots.times(moments, [each.p50 for each in found.points], [each.p99 for each in found.points]),
        "frame": plots,
        "failures": _causes(found.failures),
        "skips": _causes(found.skips),
        "channels": [_channel(each, request.caller.holds(*READERS)) for each in found.channels],
        "awaiting": _awaiting(catalog, found),
        "waiting": found.standing.waiting_count,
    }
    return show(request, f"console/overview/{'_overview' if is_part(request) else 'overview'}.html", context)


def _said(trouble: Trouble, until: datetime) -> Said:
    text, url, action = _words(trouble, until)
    key = f"{trouble.kind}-{trouble.channel}" if trouble.channel else trouble.kind
    return Said(key, trouble.kind in WORST, text, trouble.since, url, action)


def _words(trouble: Trouble, until: datetime) -> tuple[str, str, str]:
    count, deliveries = trouble.count, reverse("deliveries")
    match trouble.kind:
        case "nobody_delivers":
            text = gettext("No node delivers, so what comes in only waits. %(todo)s") % {"todo": START_A_NODE}
            return text, f"{deliveries}?state=pending", gettext("What waits")
        case "overdue":
            text = ngettext(
                "%d message should have gone and is still here: nodes do not keep up, or a destination hangs.",
                "%d messages should have gone and are still here: nodes do not keep up, or a destination hangs.",
                count,
            )
            return text % count, f"{deliveries}?state=pending", gettext("What waits")
        case "channel_failing":
            why = explained(trouble.reason)
            text = gettext("Nothing goes through by %(channel)s. %(says)s: %(todo)s")
            said = text % {"channel": channel_name(trouble.channel), "says": why.says, "todo": why.todo}
            return said, _channel_url(trouble.channel) or deliveries, gettext("Look at the channel")
        case "retrying":
            text = ngettext("%d message waits for another try.", "%d messages wait for another try.", count)
            return text % count, f"{deliveries}?state=pending", gettext("What waits, and why")
        case "failed":
            text = ngettext(
                "%d message of the last 24 hours failed for good, and nobody has retried it.",
                "%d messages of the last 24 hours failed for good, and nobody has retried them.",
                count,
            )
            since = (until - timedelta(hours=FAILED_WITHIN)).isoformat()
            return (
                text % count,
                f"{deliveries}?{urlencode({'state': 'failed', 'since': since})}",
                gettext("Why, and retry"),
            )
        case "unplanned":
            text = ngettext(
                "%d event could not be planned yet, so nobody was told of it.",
                "%d events could not be planned yet, so nobody was told of them.",
                count,
            )
            return text % count, f"{reverse('activity')}?state=unplanned", gettext("Show")
        case "parked":
            text = ngettext(
                "%d payload is parked: nobody has said yet what it means.",
                "%d payloads are parked: nobody has said yet what they mean.",
                count,
            )
            return text % count, reverse("activity"), gettext("Show")


def _causes(causes: Sequence[Cause]) -> list[Why]:
    return [
        Why(
            channel_name(each.channel) if each.channel else "",
            explained(each.reason),
            each.count,
        )
        for each in causes[:CAUSES]
    ]


def _channel(health: Health, may_open: bool) -> Channel:
    colour, icon, words = STATES[health.state]
    why = explained(health.reason) if health.reason and health.state in ("trouble", "failing") else None
    name = channel_name(health.channel)
    return Channel(health, name, colour, icon, str(words), why, _channel_url(health.channel) if may_open else "")


def _channel_url(code: str) -> str:
    """Empty where there is no such page."""
    return reverse("channel", args=[code]) if code in CHANNELS else ""


def _awaiting(catalog: Catalog, found: Overview) -> list[Waits]:
    return [Waits(each, type_label(catalog, each.status)) for each in found.awaiting.longest]


urlpatterns = [path("overview", overview, name="overview")]
