"""The menu: what a person may open, in the places where users of a data platform look for it."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as text

from tidings.console.page import SEES_ALL


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    """Of its address."""
    label: str | Promise
    icon: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    url: str
    label: str | Promise
    icon: str
    current: bool


@dataclass(frozen=True, slots=True)
class Section:
    label: str | Promise
    links: tuple[Link, ...]


MENU: tuple[tuple[str | Promise, tuple[Entry, ...]], ...] = (
    (
        text("Mine"),
        (
            Entry("inbox", text("My notifications"), "bell"),
            Entry("settings", text("My settings"), "settings"),
        ),
    ),
    (
        text("O&M"),
        (
            Entry("overview", text("Overview"), "chart-bar", SEES_ALL),
            Entry("rules", text("Notification"), "list-check", ("administrator", "dba")),
            Entry("preview", text("Who would be told?"), "search", ("administrator", "dba")),
            Entry("activity", text("Activity"), "activity"),
            Entry("deliveries", text("Deliveries"), "send"),
        ),
    ),
    (
        text("Administration"),
        (
            Entry("people", text("People"), "users", ("administrator",)),
            Entry("resources", text("Data resources"), "database", ("administrator", "dba")),
            Entry("channels", text("Notice management"), "messages", ("administrator", "dba")),
            Entry("sources", text("Sources"), "plug", ("administrator",)),
            Entry("tokens", text("Tokens"), "key"),
            Entry("audit", text("Audit"), "history", ("administrator",)),
            Entry("organisation", text("Organisation"), "building", ("administrator",)),
        ),
    ),
)


def sections(request: HttpRequest) -> list[Section]:
    made = [Section(label, tuple(_links(request, entries))) for label, entries in MENU]
    return [section for section in made if section.links]


def _links(request: HttpRequest, entries: tuple[Entry, ...]) -> Iterator[Link]:
    for entry in entries:
        if entry.roles and not request.caller.holds(*entry.roles):  # type: ignore[attr-defined]
            continue
        try:
            url = reverse(entry.name)
        except NoReverseMatch:  # until its page is there
            continue
        yield Link(url, entry.label, entry.icon, request.path.startswith(url))
