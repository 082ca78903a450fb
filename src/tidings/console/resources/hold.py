"""Say who answers for something: add it, change it, take it away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext

from tidings.console.changed import Line, difference
from tidings.console.page import Asked, go, is_part, page, say, show
from tidings.console.resources.look import INSIDE, KEEPERS, WORDS, path_in
from tidings.console.spoken import spoken
from tidings.directory.assign import OWNERS_AT_MOST, Holding, put_holders
from tidings.directory.holders import LEVELS, Held, Path, content, holders, remove_resource
from tidings.kernel.problems import Problem
from tidings.kernel.versions import Expected

IN_PLACE = (409, 412, 422)


@dataclass(frozen=True, slots=True)
class Form:
    """`version` is that of what it was made from; "" for something new. `conflict`: what saving it now would change of
    what somebody else has saved meanwhile."""

    dba: str = ""
    owners: Sequence[str] = ()
    version: str = ""
    name: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    conflict: Sequence[Line] = ()

    @property
    def owner_fields(self) -> list[tuple[int, str]]:
        """As many as there may be."""
        return list(enumerate([*self.owners, *[""] * OWNERS_AT_MOST][:OWNERS_AT_MOST], 1))

    def holding(self, path: Path) -> Holding:
        return Holding(self.dba if path.level == "instance" else None, self.owners)


@page(*KEEPERS, methods=("GET", "POST"))
def hold(request: Asked, where: str) -> HttpResponse:
    path = path_in(where)
    held = holders(request.caller, path)
    if request.method != "POST":
        return _shown(request, path, Form(held.dba or "", held.owners, str(held.version)))
    form = _sent(request)
    try:
        put_holders(request.caller, path, form.holding(path), Expected(if_match=frozenset({form.version})))
    except Problem as problem:
        now = holders(request.caller, path)
        return _shown(request, path, _with_problem(form, problem, path.level, now), status=problem.status)
    say(request, gettext("Saved. It holds for every event from now on."))
    return go(request, _back(request, path))


@page(*KEEPERS, methods=("GET", "POST"))
def add(request: Asked, where: str = "") -> HttpResponse:
    parent = path_in(where) if where else None
    level = INSIDE.get(parent.level if parent else "", "")
    if parent:
        holders(request.caller, parent)
    if not level or request.method != "POST":
        return _shown(request, parent, Form(), level=level)
    form = _sent(request)
    path = Path(**dict(zip(LEVELS, (*(parent.names if parent else ()), form.name), strict=False)))
    try:
        if not form.name:
            raise Problem(422, "invalid", "", errors=[{"field": level, "problem": gettext("is missing")}])
        put_holders(request.caller, path, form.holding(path), Expected(version=0))
    except Problem as problem:
        if problem.code == "version_conflict":
            problem = Problem(422, "invalid", "", errors=[{"field": level, "problem": gettext("is taken")}])
        return _shown(request, parent, _with_problem(form, problem, level), level=level, status=422)
    say(request, gettext("%s is added.") % path)
    return go(request, _of(parent))


@page(*KEEPERS, methods=("GET", "POST"))
def remove(request: Asked, where: str) -> HttpResponse:
    path = path_in(where)
    held, problem = holders(request.caller, path), ""
    if request.method == "POST":
        version = request.POST.get("version", "")
        try:
            remove_resource(request.caller, path, Expected(if_match=frozenset({version})))
        except Problem as refused:
            if refused.status != 412:
                raise
            problem = gettext("Somebody changed this meanwhile. Look at who answers for it now, then decide again.")
        else:
            say(request, gettext("%s is taken out of the directory.") % path)
            return go(request, _of(path.parents[-1] if path.parents else None))
    context = {"path": path, "held": held, "problem": problem}
    return show(request, f"console/resources/{'_' if is_part(request) else ''}remove.html", context)


def _sent(request: Asked) -> Form:
    return Form(
        dba=request.POST.get("dba", "").strip(),
        owners=[login for each in request.POST.getlist("owners") if (login := each.strip())],
        version=request.POST.get("version", ""),
        name=request.POST.get("name", "").strip(),
    )


def _with_problem(form: Form, problem: Problem, level: str, now: Held | None = None) -> Form:
    if problem.status not in IN_PLACE:
        raise problem
    if problem.status == 412 and now is not None:
        wanted = {"owners": list(form.owners)} | ({"dba": form.dba or None} if level == "instance" else {})
        text = gettext("Somebody changed this while you did. Saving now puts yours on top:")
        conflict = difference(content(now), wanted)
        return Form(form.dba, form.owners, str(now.version), form.name, {}, text, conflict)
    problems = {str(each["field"]): spoken(str(each["problem"])) for each in problem.errors}
    if level in problems:
        problems["name"] = problems[level]
    text = "" if problems else spoken(problem.detail)
    return Form(form.dba, form.owners, form.version, form.name, problems, text)


def _shown(request: Asked, path: Path | None, form: Form, *, level: str = "", status: int = 200) -> HttpResponse:
    """Of something new where a level is given."""
    at = level or (path.level if path else "instance")
    context = {
        "path": path,
        "form": form,
        "new": bool(level),
        "level": at,
        "kind": WORDS[at][0],
        "title": WORDS[at][2] if level else path,
        "url": reverse("resource-add", args=[path] if path else []) if level else reverse("holders", args=[path]),
        "back": _of(path),
        "from_inside": request.GET.get("from") or request.POST.get("from", ""),
    }
    return show(request, f"console/resources/{'_' if is_part(request) else ''}hold.html", context, status=status)


def _back(request: Asked, path: Path) -> str:
    """Where the form was opened: on the page of what it is about, or of what that lies in."""
    if request.POST.get("from") == "inside":
        return _of(path)
    return _of(path.parents[-1] if path.parents else None)


def _of(path: Path | None) -> str:
    return reverse("resource", args=[path]) if path else reverse("resources")
