"""Hand a file in, watch it being looked at, see what each row would change, and have exactly that done."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as text

from tidings.accounts.permissions import Caller
from tidings.console.changed import Line, changes_in_words, part_name
from tidings.console.page import Asked, go, is_part, page, say, show
from tidings.console.spoken import spoken
from tidings.imports.begin import OF, begin_import
from tidings.imports.find import as_sheet, import_of, imports_of, rows_of
from tidings.imports.go_on import apply_import, check_again, discard_import, go_on
from tidings.imports.models import Import, Row
from tidings.kernel.downloads import ROWS_AT_MOST, download
from tidings.kernel.ids import made_at
from tidings.kernel.pages import Part, page_of
from tidings.kernel.problems import Problem

KEEPERS = ("administrator", "dba")
PER_PAGE, LISTED = 50, 20
KINDS = {"people": text("People"), "resources": text("Data resources")}
# What a row is to bring about, and what became of it: how it looks, and in words.
FATES = {
    "new": ("green", "plus", text("new")),
    "changed": ("blue", "edit", text("changed")),
    "unchanged": ("secondary", "check", text("unchanged")),
    "refused": ("red", "circle-x", text("refused")),
    "applied": ("green", "circle-check", text("done")),
    "left": ("yellow", "alert-triangle", text("left as it is")),
}
SEPARATORS = {",": text("commas"), ";": text("semicolons"), "\t": text("tabs")}


@dataclass(frozen=True, slots=True)
class Told:
    """A row in words. `marks`: its fate, and then its outcome."""

    row: Row
    marks: list[tuple[str, str, Any]]
    lines: list[Line]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Listed:
    one: Import
    at: datetime
    kind: Any


@page(*KEEPERS, methods=("GET", "POST"))
def imports(request: Asked) -> HttpResponse:
    """A file is sent here."""
    mine = _kinds(request.caller)
    problem, kind = "", request.POST.get("kind") or request.GET.get("kind", "")
    if request.method == "POST":
        file = request.FILES.get("file")
        try:
            if file is None:
                raise Problem(422, "unreadable_file", gettext("Choose a file first."))
            one = begin_import(request.caller, kind, file.name or "", file.read())
            return redirect("import", one.id)
        except Problem as refused:
            if refused.status != 422:
                raise
            problem = spoken(refused.detail)
    recent = imports_of(request.caller).order_by("-id")[:LISTED]
    context = {
        "kinds": [(code, KINDS[code], OF[code]) for code in mine],
        "kind": kind if kind in mine else mine[0],
        "columns": [(code, [(name, part_name(name)) for name in OF[code].columns]) for code in mine],
        "problem": problem,
        "recent": [Listed(one, made_at(one.id), KINDS[one.kind]) for one in recent],
        "at_most": ROWS_AT_MOST,
    }
    return show(request, "console/imports/imports.html", context, status=422 if problem else 200)


@page(*KEEPERS)
def one_import(request: Asked, import_id: UUID) -> HttpResponse:
    one = import_of(request.caller, import_id)
    fate, outcome = request.GET.get("fate", ""), request.GET.get("outcome", "")
    found = rows_of(
        one,
        fate=fate if fate in one.counts else None,
        outcome=outcome if outcome in one.counts else None,
    )
    cut = page_of(found, Part(request.GET.get("cursor"), PER_PAGE), by="line")
    busy = one.state in ("checking", "applying")
    context = {
        **_standing(one),
        "fate": fate,
        "outcome": outcome,
        "page": {"items": [_told(row) for row in cut.rows], "next_cursor": cut.next_cursor} if not busy else None,
        "tabs": _tabs(one),
    }
    return show(request, "console/imports/import.html", context)


@page(*KEEPERS, methods=("POST",))
def on(request: Asked, import_id: UUID) -> HttpResponse:
    """The next step; the page asks for it again until there is none."""
    one = go_on(request.caller, import_id)
    if not is_part(request):
        return redirect("import", one.id)
    if one.state in ("checked", "applied"):
        return go(request, reverse("import", args=[one.id]))
    return show(request, "console/imports/_progress.html", _standing(one))


def _act(act: Callable[[Caller, UUID], Import]) -> Callable[..., HttpResponse]:
    @page(*KEEPERS, methods=("POST",))
    def view(request: Asked, import_id: UUID) -> HttpResponse:
        return redirect("import", act(request.caller, import_id).id)

    return view


@page(*KEEPERS, methods=("POST",))
def discard(request: Asked, import_id: UUID) -> HttpResponse:
    one = import_of(request.caller, import_id)
    discard_import(request.caller, import_id)
    say(request, gettext("The import is thrown away. What it had done stays."))
    return redirect(f"{reverse('imports')}?kind={one.kind}")


@page(*KEEPERS)
def rows_csv(request: Asked, import_id: UUID) -> HttpResponse:
    """Those that were refused or left, to be mended and handed in again."""
    one, which = import_of(request.caller, import_id), request.GET.get("which")
    found = rows_of(one, outcome="left") if which == "left" else rows_of(one, fate="refused")
    cut = page_of(found, Part(None, ROWS_AT_MOST), by="line")
    return download(request, "refused.csv", as_sheet(one, cut.rows, for_excel=True), cut.next_cursor)


def _kinds(caller: Caller) -> list[str]:
    return [kind for kind, of in OF.items() if caller.holds(*of.roles)]


def _standing(one: Import) -> dict[str, Any]:
    return {
        "one": one,
        "at": made_at(one.id),
        "kind": KINDS[one.kind],
        "separator": SEPARATORS[one.separator],
        "percent": one.done * 100 // one.rows,
        "busy": one.state in ("checking", "applying"),
        "to_do": one.counts.get("new", 0) + one.counts.get("changed", 0),
        "counts": one.counts,
        "back": reverse("people" if one.kind == "people" else "resources"),
    }


def _tabs(one: Import) -> list[tuple[str, str, Any, int]]:
    """What rows can be narrowed down to: by fate, then by outcome."""
    return [
        ("outcome" if code in ("applied", "left") else "fate", code, FATES[code][2], one.counts[code])
        for code in FATES
        if one.counts.get(code)
    ]


def _told(row: Row) -> Told:
    problems = []
    for each in row.problems:
        name = part_name(each["field"]) if each.get("field") else ""
        said = spoken(str(each["problem"]))
        problems.append(gettext("%(part)s: %(problem)s") % {"part": name, "problem": said} if name else said)
    marks = [FATES[each] for each in (row.fate, row.outcome) if each]
    lines = changes_in_words(row.changes) if row.fate != "refused" else []
    return Told(row, marks, lines, problems)


urlpatterns = [
    path("imports", imports, name="imports"),
    path("imports/<uuid:import_id>", one_import, name="import"),
    path("imports/<uuid:import_id>/continue", on, name="import-continue"),
    path("imports/<uuid:import_id>/apply", _act(apply_import), name="import-apply"),
    path("imports/<uuid:import_id>/check", _act(check_again), name="import-check"),
    path("imports/<uuid:import_id>/discard", discard, name="import-discard"),
    path("imports/<uuid:import_id>/rows.csv", rows_csv, name="import-rows"),
]
