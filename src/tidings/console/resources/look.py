"""Instances, what lies in them, and who answers for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as text

from tidings.accounts.models import Person
from tidings.console.page import Asked, page, show
from tidings.directory.holders import Held, Path, all_resources, holders, resources_in, shown
from tidings.directory.models import Resource
from tidings.imports.export import resources_sheet
from tidings.kernel.downloads import ROWS_AT_MOST, download
from tidings.kernel.pages import Part, page_of
from tidings.kernel.problems import not_found

KEEPERS = ("administrator", "dba")
PER_PAGE = 50
INSIDE = {"": "instance", "instance": "database", "database": "table"}
"""What lies directly in what."""
WORDS = {
    "instance": (text("Instance"), text("Instances"), text("Add an instance")),
    "database": (text("Database"), text("Databases"), text("Add a database")),
    "table": (text("Table"), text("Tables"), text("Add a table")),
}


@dataclass(frozen=True, slots=True)
class Holder:
    """`gone`: they have left, and nobody is told in their place."""

    login: str
    name: str
    gone: bool


@dataclass(frozen=True, slots=True)
class Row:
    held: Held
    dba: Holder | None
    owners: list[Holder]
    inside: int | None = None
    """How many databases or tables lie in it."""

    @property
    def path(self) -> Path:
        return self.held.path

    @property
    def name(self) -> str:
        return self.held.path.names[-1]

    @property
    def by_nobody(self) -> bool:
        """Nobody who is here answers for it."""
        return not any(not one.gone for one in (*self.owners, *([self.dba] if self.dba else ())))


@page(*KEEPERS)
def resources(request: Asked) -> HttpResponse:
    return _shown(request, None)


@page(*KEEPERS)
def resource(request: Asked, where: str) -> HttpResponse:
    return _shown(request, path_in(where))


@page(*KEEPERS)
def resources_csv(request: Asked) -> HttpResponse:
    instance = request.GET.get("instance", "").replace("\0", "") or None
    found = all_resources(request.caller, instance=instance)
    cut = page_of(found, Part(request.GET.get("cursor"), ROWS_AT_MOST), by="path")
    return download(request, "resources.csv", resources_sheet(shown(cut.rows), for_excel=True), cut.next_cursor)


def path_in(where: str) -> Path:
    """Raises 404."""
    names = where.split("/")
    if not 1 <= len(names) <= 3 or not all(names):
        raise not_found("resource")
    return Path(*names)


def row(request: Asked, held: Held) -> Row:
    return _rows(request, [held], {})[0]


def _shown(request: Asked, where: Path | None) -> HttpResponse:
    one = holders(request.caller, where) if where else None
    level = INSIDE.get(where.level if where else "")
    q, by_nobody = request.GET.get("q", "").replace("\0", "").strip()[:200], request.GET.get("held") == "no"
    context: dict[str, Any] = {
        "where": where,
        "parents": where.parents if where else (),
        "row": row(request, one) if one else None,
        "level": level,
        "q": q,
        "by_nobody": by_nobody,
        "any": bool(q or by_nobody),
        "at_most": ROWS_AT_MOST,
        "edits": True,
    }
    if where:
        context["name"], context["kind"] = where.names[-1], WORDS[where.level][0]
    if level:
        found = resources_in(request.caller, where, q=q, held=False if by_nobody else None)
        cut = page_of(found, Part(request.GET.get("cursor"), PER_PAGE), by=level)
        items = _rows(request, shown(cut.rows), _inside(request.caller.tenant_id, cut.rows, level))
        context["page"] = {"items": items, "next_cursor": cut.next_cursor}
        context["one_of_them"], context["all_of_them"], context["add"] = WORDS[level]
    return show(request, "console/resources/resources.html", context)


def _rows(request: Asked, found: list[Held], inside: Mapping[Path, int]) -> list[Row]:
    """One query, for the names of all."""
    logins = {login for held in found for login in (held.dba, *held.owners) if login}
    people = Person.objects.for_tenant(request.caller.tenant_id).filter(login__in=logins) if logins else ()
    known = {one.login: Holder(one.login, one.name, one.departed_at is not None) for one in people}
    return [
        Row(
            held,
            known.get(held.dba) if held.dba else None,
            [known[login] for login in held.owners if login in known],
            inside.get(held.path),
        )
        for held in found
    ]


def _inside(tenant_id: UUID, rows: list[Resource], level: str) -> dict[Path, int]:
    """How much lies directly in each of these. Index: resource_path."""
    if level == "table" or not rows:
        return {}
    found = Resource.objects.for_tenant(tenant_id).filter(instance__in={one.instance for one in rows})
    if level == "instance":
        counted = found.values_list("instance").annotate(n=Count("id", filter=~Q(database="") & Q(table="")))
        return {Path(instance): number for instance, number in counted}
    found = found.filter(database__in={one.database for one in rows})
    counted = found.values_list("instance", "database").annotate(n=Count("id", filter=~Q(table="")))
    return {Path(instance, database): number for instance, database, number in counted}
