"""The page of my settings: how I am reached, in which language, and what I would get."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from tidings.catalog.features import EventType
from tidings.console.my_settings.sheet import Whose, sheet
from tidings.console.page import Asked, page, say, show
from tidings.directory.own_profile import change_own_profile
from tidings.directory.profile import timezones
from tidings.kernel.clock import now
from tidings.kernel.problems import Problem
from tidings.kernel.versions import Expected
from tidings.planning.expect import Expectation
from tidings.planning.expectations import HELD_AT_MOST, Expectations, own_expectations

LANGUAGES = {"en": "English", "zh-hans": "简体中文"}
NAMED_AT_MOST = 5
# Of which events a role of the rule leads to this person.
WHEN: dict[str, str | Promise] = {
    "submitter": gettext_lazy("when you submitted it or own it"),
    "approver": gettext_lazy("when you are one of its approvers"),
    "related_person": gettext_lazy("when it names you as a related person"),
    "data_owner": gettext_lazy("when it touches data that you own"),
    "instance_dba": gettext_lazy("when it touches an instance whose DBA you are"),
    "dba": gettext_lazy("always: you are a DBA"),
    "administrator": gettext_lazy("always: you are an administrator"),
    "security_administrator": gettext_lazy("always: you are a security administrator"),
    "additional_user": gettext_lazy("always: you were added to its rule"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """An event type, and when it would be told; `whys` is empty when it would not, and `off` when nobody is told."""

    event_type: EventType
    whys: Sequence[str]
    off: bool


@dataclass(frozen=True, slots=True)
class Group:
    labels: dict[str, str]
    lines: Sequence[Line]

    @property
    def told(self) -> int:
        return sum(bool(line.whys) for line in self.lines)


@page()
def my_settings(request: Asked) -> HttpResponse:
    context = {
        "sheet": sheet(Whose(request.caller)),
        "languages": LANGUAGES.items(),
        "zones": sorted(timezones()),
        "now": now(),
        **_outlook(own_expectations(request.caller)),
    }
    return show(request, "console/my_settings/settings.html", context)


@page()
def expectations(request: Asked) -> HttpResponse:
    return show(request, "console/my_settings/_expectations.html", _outlook(own_expectations(request.caller)))


@page(methods=("POST",))
def profile(request: Asked) -> HttpResponse:
    """The page comes back in the language that was chosen."""
    chosen = {name: request.POST.get(name) for name in ("language", "timezone")}
    version = request.POST.get("version", "")
    try:
        person = change_own_profile(
            request.caller, chosen["language"], chosen["timezone"], Expected(if_match=frozenset({version}))
        )
    except Problem as problem:
        if problem.status not in (412, 422):
            raise
        messages.error(request, _words(problem))
        return redirect("settings")
    with translation.override(person.language):
        say(request, gettext("Saved. Messages and pages follow from now on."))
    return redirect("settings")


def _outlook(found: Expectations) -> dict[str, object]:
    groups = [
        Group(dict(lines[0].event_type.feature_labels), [_line(one) for one in lines])
        for _, each in groupby(found.items, key=lambda one: one.event_type.feature)
        if (lines := list(each))
    ]
    told = next((one for one in found.items if one.because), None)
    return {
        "groups": groups,
        "sends": told.sends if told else (),
        "skips": [skip for skip in told.skips if skip.channel] if told else (),
        "roles": [WHEN[role] for role in found.person.roles],
        "dba_of": _named(found.dba_of),
        "owns": _named(found.owns),
    }


def _line(one: Expectation) -> Line:
    off = any(skip.reason == "rule_off" for skip in one.skips)
    return Line(one.event_type, [str(WHEN[reason.role]) for reason in one.because], off)


def _named(paths: Sequence[str]) -> dict[str, object]:
    """The first few of them, and how many more there are."""
    more = len(paths) - NAMED_AT_MOST
    return {
        "shown": paths[:NAMED_AT_MOST],
        "more": max(more, 0),
        "all": len(paths) < HELD_AT_MOST,
    }


def _words(problem: Problem) -> str:
    if problem.status == 412:
        return gettext("Somebody changed this meanwhile. Look at how it is now, then change it again.")
    return gettext("This language or time zone is not known here. Choose one of the list.")
