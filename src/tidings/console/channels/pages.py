"""The pages of channels: a card for each; one with its settings, a test, and how it is doing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext

from tidings.channels.check import MASK
from tidings.channels.configure import ShownChannel, channel_of, channels_of, configure, known_channel
from tidings.channels.contract import Field
from tidings.channels.registry import CHANNELS
from tidings.console.asked import number_in
from tidings.console.channels.words import (
    Gauge,
    Health,
    Told,
    about,
    health_of,
    soon,
    told_of,
    trouble_of,
    worth_a_look,
)
from tidings.console.form import Declared, Form, given, said, stored_form, written_form
from tidings.console.page import Asked, is_part, page, say, show
from tidings.delivery.limits import limits_of
from tidings.delivery.tally import Row, lately
from tidings.delivery.together import LIMITED
from tidings.delivery.try_channel import try_channel
from tidings.directory.contact_points import refresh_destinations
from tidings.kernel.clock import now
from tidings.kernel.problems import Problem
from tidings.kernel.versions import Expected

READERS = ("administrator", "dba")
ICONS: Mapping[str, str] = {
    "email": "mail",
    "sms": "device-mobile",
    "dingtalk": "message-circle",
    "dingtalk_robot": "robot",
    "webhook": "webhook",
}
"""Others have one for all."""
HOUR = timedelta(hours=1)
ON_A_CARD, ON_ITS_PAGE = 2, 10
"""Addresses whose budgets are shown."""
CHANGED_MEANWHILE = ("precondition_failed", "version_conflict")


@dataclass(frozen=True, slots=True)
class Card:
    """`ready`: what it needs is set, so that it can be switched on. `watched`: its vendor has limits to be shown."""

    code: str
    label: str
    icon: str
    enabled: bool
    ready: bool
    version: int
    health: Health
    watched: bool


@page(*READERS)
def channels(request: Asked) -> HttpResponse:
    shown = channels_of(request.caller)
    rows = _lately(request, list(CHANNELS))
    cards = [_card(each, [row for row in rows if row.channel == each.channel]) for each in shown]
    return show(request, "console/channels/list.html", {"cards": cards, **_may(request)})


@page(*READERS)
def channel(request: Asked, code: str) -> HttpResponse:
    return _page(request, channel_of(request.caller, code), None)


@page("administrator", methods=("POST",))
def save(request: Asked, code: str) -> HttpResponse:
    one = known_channel(code)
    enabled = request.POST.get("enabled") == "on"
    try:
        shown = configure(
            request.caller, code, enabled, given(one.settings, request.POST), _expected(request), refresh_destinations
        )
    except Problem as problem:
        return _refused(request, code, problem)
    if made := _made(shown):
        # Shown this once, so not after another request.
        return _page(request, channel_of(request.caller, code), None, made=made)
    say(request, gettext("Saved."))
    return redirect("channel", code)


@page("administrator", methods=("POST",))
def switch(request: Asked, code: str) -> HttpResponse:
    """On or off, with the settings as they are."""
    enabled = request.POST.get("enabled") == "on"
    try:
        shown = configure(request.caller, code, enabled, None, _expected(request), refresh_destinations)
    except Problem as problem:
        if problem.status != 422:
            raise
        # There is something to be filled in first.
        return _go(request, f"{reverse('channel', args=[code])}?missing=1")
    on = gettext("%(channel)s is on.") if shown.enabled else gettext("%(channel)s is off.")
    say(request, on % {"channel": said(shown.labels)})
    if is_part(request):
        return show(
            request, "console/channels/_card.html", {"card": _card(shown, _lately(request, [code])), **_may(request)}
        )
    return redirect("channel", code)


@page("administrator", methods=("POST",))
def fields(request: Asked, code: str) -> HttpResponse:
    """The form for what was chosen in it, with what was written so far."""
    form = written_form(_declared(channel_of(request.caller, code)), request.POST)
    return show(request, "console/_declared.html", {"form": form, "fields_url": reverse("channel-fields", args=[code])})


@page(*READERS)
def health(request: Asked, code: str) -> HttpResponse:
    """How it is doing now; asked for again and again while somebody looks."""
    shown = channel_of(request.caller, code)
    if request.GET.get("part") == "limits":
        return show(request, "console/channels/_limits.html", _now(request, shown, at_most=ON_A_CARD))
    return show(request, "console/channels/_now.html", _now(request, shown))


@page("administrator", methods=("POST",))
def test(request: Asked, code: str) -> HttpResponse:
    login = request.POST.get("to", "").strip() or request.person.login
    told = _tried(request, code, login)
    if is_part(request):
        return show(request, "console/channels/_told.html", {"told": told})
    return _page(request, channel_of(request.caller, code), None, told=told, to=login)


def _tried(request: Asked, code: str, login: str) -> Told:
    try:
        return told_of(try_channel(request.caller, code, login))
    except Problem as problem:
        match problem.code:
            case "contact_missing" | "contact_disabled" | "contact_unverified":
                headline = gettext("%(login)s cannot be reached by this channel.") % {"login": login}
                return Told("warning", headline, trouble_of(problem.code, ""), "")
            case "not_found":
                return Told("warning", gettext("Nobody here has the login %(login)s.") % {"login": login}, None, "")
            case "invalid":
                return Told("warning", gettext("Save the settings first: something is missing in them."), None, "")
            case "busy":
                return Told("warning", gettext("Another message is being sent; try again in a moment."), None, "")
        raise


def _refused(request: Asked, code: str, problem: Problem) -> HttpResponse:
    shown = channel_of(request.caller, code)
    if problem.code in CHANGED_MEANWHILE:
        return _page(request, shown, written_form(_declared(shown), request.POST, changed=True), status=409)
    if problem.status != 422:
        raise problem
    return _page(request, shown, written_form(_declared(shown), request.POST, problem.of_fields), status=422)


def _page(
    request: Asked,
    shown: ShownChannel,
    form: Form | None,
    *,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    one = CHANNELS[shown.channel]
    context = {
        "card": _card(shown, []),
        "form": form or stored_form(_declared(shown)),
        "fields_url": reverse("channel-fields", args=[shown.channel]),
        "missing": "missing" in request.GET,
        "about": about(one, reports=shown.receipts_url is not None),
        "receipts_url": _receipts_url(shown),
        "contact": [said(each.words.label) for each in one.contact],
        "to": request.person.login,
        **_now(request, shown),
        **_may(request),
        **more,
    }
    return show(request, "console/channels/channel.html", context, status=status)


def _declared(shown: ShownChannel) -> Declared:
    return Declared(shown.fields, shown.settings, shown.version)


def _now(request: Asked, shown: ShownChannel, *, at_most: int = ON_ITS_PAGE) -> dict[str, Any]:
    code = shown.channel
    gauges: list[Gauge] = []
    left_alone: list[tuple[str, str]] = []
    if code in LIMITED:
        limits = limits_of(request.caller, code)
        gauges = worth_a_look(limits.budgets, at_most=at_most)
        left_alone = [(each.of, soon(each.until)) for each in limits.left_alone]
    health = health_of(_lately(request, [code]))
    return {"code": code, "enabled": shown.enabled, "health": health, "gauges": gauges, "left_alone": left_alone}


def _card(shown: ShownChannel, rows: Sequence[Row]) -> Card:
    code = shown.channel
    ready = not any(_lacks(each, shown.settings) for each in shown.fields)
    label, icon = said(shown.labels), ICONS.get(code, "messages")
    return Card(code, label, icon, shown.enabled, ready, shown.version, health_of(rows), code in LIMITED)


def _lacks(field: Field, settings: Mapping[str, Any]) -> bool:
    """`settings` are those of fields that exist."""
    return field.required and field.name in settings and settings[field.name] in (None, "")


def _lately(request: Asked, codes: list[str]) -> list[Row]:
    return lately(request.caller.tenant_id, codes, now() - HOUR)


def _expected(request: Asked) -> Expected:
    version = request.POST.get("version", "")
    return Expected(number_in(version) or 0)


def _made(shown: ShownChannel) -> list[tuple[str, str]]:
    """Secrets that were made just now: (label, secret)."""
    secrets = [each.name for each in shown.fields if each.kind == "secret" and each.generate]
    values = {name: shown.settings.get(name) for name in secrets}
    return [
        (_declared(shown).label_of(name), str(value)) for name, value in values.items() if value not in (None, "", MASK)
    ]


def _receipts_url(shown: ShownChannel) -> str:
    return f"{shown.receipts_url}/" if shown.receipts_url else ""


def _may(request: Asked) -> dict[str, bool]:
    return {"may_change": request.caller.holds("administrator")}


def _go(request: Asked, url: str) -> HttpResponse:
    return HttpResponse(headers={"HX-Redirect": url}) if is_part(request) else redirect(url)


urlpatterns = [
    path("channels", channels, name="channels"),
    path("channels/<str:code>", channel, name="channel"),
    path("channels/<str:code>/settings", save, name="channel-settings"),
    path("channels/<str:code>/switch", switch, name="channel-switch"),
    path("channels/<str:code>/fields", fields, name="channel-fields"),
    path("channels/<str:code>/now", health, name="channel-now"),
    path("channels/<str:code>/test", test, name="channel-test"),
]
