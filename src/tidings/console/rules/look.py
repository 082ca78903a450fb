"""The rules as users of a data platform know them: tickets and task flows, a row for each event, found by words and
filters that stand in the address."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy

from tidings.accounts.models import Person
from tidings.catalog.extend import catalog_of
from tidings.catalog.features import SYSTEM_FEATURE, Catalog, Feature, built_in
from tidings.console.page import Asked, is_part, page, show
from tidings.console.rules.words import Named, called, names_of, role_name, title_of
from tidings.rules.show import ShownRule, Which, rules_of

EDITORS = ("administrator", "dba")
DONE = "rules-done"
"""The session's key for what a batch has just done, so that the next page can offer to undo it."""
USERS_SHOWN = 4
TABS = {
    "tickets": gettext_lazy("Tickets"),
    "flows": gettext_lazy("Task flows"),
    "tidings": gettext_lazy("Notices of Tidings"),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """As they stand in the address; `on` is "", "on" or "off"."""

    tab: str
    q: str
    feature: str
    on: str
    role: str
    user: str
    changed: bool

    @property
    def any(self) -> bool:
        return bool(self.q or self.feature or self.on or self.role or self.user or self.changed)

    def which(self) -> Which:
        return Which(
            feature=self.feature or None,
            enabled={"on": True, "off": False}.get(self.on),
            changed=True if self.changed else None,
            role=self.role or None,
            user=self.user or None,
            q=self.q,
        )

    def address(self, tab: str) -> str:
        """This page with another tab; the filters stay."""
        given = {"tab": tab, "q": self.q, "feature": self.feature, "on": self.on, "role": self.role, "user": self.user}
        pairs = {name: value for name, value in given.items() if value} | ({"changed": "1"} if self.changed else {})
        return f"{reverse('rules')}?{urlencode(pairs)}" if pairs else reverse("rules")


@dataclass(frozen=True, slots=True)
class Row:
    """A rule in words, with the first of its users. `key` names its parts in the page."""

    rule: ShownRule
    label: str
    title: str
    default_role: str
    roles: tuple[str, ...]
    users: tuple[Named, ...]
    url: str

    @property
    def more(self) -> int:
        """Of its users."""
        return len(self.rule.additional_users) - len(self.users)

    @property
    def key(self) -> str:
        return self.rule.event_type.replace(".", "-")


@dataclass(frozen=True, slots=True)
class Tab:
    code: str
    label: str
    count: int
    url: str
    current: bool


@page(*EDITORS)
def rules(request: Asked) -> HttpResponse:
    filters, catalog = _filters(request), catalog_of(request.caller.tenant_id)
    here = filters.address(filters.tab)
    found = rules_of(request.caller, filters.which())
    by_tab: dict[str, list[ShownRule]] = {tab: [] for tab in TABS}
    for rule in found:
        by_tab[tab_of(catalog.features[rule.feature])].append(rule)
    current = filters.tab or next((tab for tab in TABS if by_tab[tab]), "tickets")
    rows = rows_of(request.caller.tenant_id, by_tab[current])
    context = {
        "filters": filters,
        "tabs": [
            Tab(code, str(label), len(by_tab[code]), filters.address(code), code == current)
            for code, label in TABS.items()
        ],
        "current": current,
        "count": len(rows),
        "groups": [(called(those[0].rule.feature_labels), those) for those in _grouped(rows)],
        "features": _features(catalog),
        "roles": [(role, called(about.labels)) for role, about in built_in().roles.items()],
        "told": _told(request, filters.user),
        "done": request.session.pop(DONE, None),
        "here": here,
        "back": urlencode({"back": here}),
    }
    answer = show(request, "console/rules/rules.html", context)
    if is_part(request):
        answer["HX-Push-Url"] = here
    return answer


def rows_of(tenant_id: Any, rules: Sequence[ShownRule]) -> list[Row]:
    """One query, for the names of the users that are shown."""
    names = names_of(tenant_id, {login for rule in rules for login in rule.additional_users[:USERS_SHOWN]})
    return [row_of(rule, names) for rule in rules]


def row_of(rule: ShownRule, names: Mapping[str, Named]) -> Row:
    return Row(
        rule,
        called(rule.labels),
        title_of(rule),
        role_name(rule.default_role),
        tuple(map(role_name, rule.optional_roles)),
        tuple(names[login] for login in rule.additional_users[:USERS_SHOWN]),
        reverse("rule", args=[rule.event_type]),
    )


def in_list(row: Row, here: str) -> dict[str, Any]:
    """What `_row.html` needs; `here` is where one comes back to."""
    return {"row": row, "here": here, "back": urlencode({"back": here})}


def tab_of(feature: Feature) -> str:
    if feature.code == SYSTEM_FEATURE:
        return "tidings"
    return "tickets" if feature.subject_kind == "ticket" else "flows"


def _grouped(rows: Iterable[Row]) -> list[list[Row]]:
    return [list(those) for _, those in groupby(rows, lambda row: row.rule.feature)]


def _filters(request: Asked) -> Filters:
    def given(name: str) -> str:
        return request.GET.get(name, "").replace("\0", "").strip()[:200]

    tab, on = given("tab"), given("on")
    return Filters(
        tab=tab if tab in TABS else "",
        q=given("q"),
        feature=given("feature"),
        on=on if on in ("on", "off") else "",
        role=given("role"),
        user=given("user"),
        changed=given("changed") == "1",
    )


def _features(catalog: Catalog) -> list[tuple[str, str]]:
    return [(code, called(feature.labels)) for code, feature in catalog.features.items()]


def _told(request: Asked, login: str) -> Named | None:
    """Whom the list is narrowed down to."""
    if not login:
        return None
    person = Person.objects.for_tenant(request.caller.tenant_id).filter(login=login).only("login", "name").first()
    return Named(login, person.name if person else "")
