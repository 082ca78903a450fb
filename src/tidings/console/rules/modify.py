"""Modify a rule: who is told by default, who else may be by role or by name; with what it would have meant for the last
events, and with the edits of others in sight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext

from tidings.catalog.extend import catalog_of
from tidings.console.changed import Line
from tidings.console.page import Asked, go, is_part, page, say, show
from tidings.console.rules.asked import back_to, version_in
from tidings.console.rules.look import EDITORS, in_list, rows_of
from tidings.console.rules.tell import shown_preview
from tidings.console.rules.words import HINTS, Named, difference, names_of, people_in, role_name, title_of
from tidings.directory.members import members
from tidings.kernel.ids import made_at
from tidings.kernel.problems import Problem, not_found
from tidings.kernel.versions import Expected
from tidings.planning.preview import preview_rule
from tidings.rules.change import Wanted, change_rule, content
from tidings.rules.history import content_at, history
from tidings.rules.show import ShownRule, rule_of

FOUND_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Form:
    """A rule as somebody wants it, and the version it was made from."""

    enabled: bool
    roles: tuple[str, ...]
    users: tuple[str, ...]
    version: int

    def wanted(self) -> Wanted:
        return Wanted(self.enabled, self.roles, self.users)


@dataclass(frozen=True, slots=True)
class Offered:
    code: str
    name: str
    hint: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class OtherEdit:
    """The last change of a rule: who made it, when, and what differs since."""

    who: Named
    at: datetime
    lines: Sequence[Line]


@page(*EDITORS, methods=("GET", "POST"))
def rule(request: Asked, event_type: str) -> HttpResponse:
    if request.method != "POST":
        kept = rule_of(request.caller, event_type)
        return _shown(request, kept, _form_of(kept))
    form = _sent(request)
    try:
        changed = change_rule(request.caller, event_type, form.wanted(), Expected(form.version))
    except Problem as problem:
        if problem.code not in ("version_conflict", "invalid"):
            raise
        return _again(request, event_type, form, problem)
    say(request, gettext("%(rule)s: saved. It holds for every event from now on.") % {"rule": title_of(changed)})
    if not is_part(request) or request.POST.get("from") != "list":
        return go(request, back_to(request))
    [row] = rows_of(request.caller.tenant_id, [changed])
    answer = show(request, "console/rules/_row_beside.html", in_list(row, back_to(request)))
    answer["HX-Trigger"], answer["HX-Reswap"] = "close-dialog", "none"
    return answer


@page(*EDITORS, methods=("POST",))
def users(request: Asked, event_type: str) -> HttpResponse:
    """The form as it stands, with somebody added or taken out; nothing is kept."""
    form = _sent(request)
    if added := request.POST.get("add"):
        form = replace(form, users=tuple(dict.fromkeys((*form.users, added))))
    if removed := request.POST.get("remove"):
        form = replace(form, users=tuple(login for login in form.users if login != removed))
    kept = rule_of(request.caller, event_type)
    if not is_part(request):
        return _shown(request, kept, form)
    answer = show(request, "console/rules/_users.html", {**_people(request, form), "rule": kept, "focus": True})
    answer["HX-Trigger-After-Settle"] = "rule-edited"
    return answer


@page(*EDITORS)
def people(request: Asked) -> HttpResponse:
    """Found while somebody types: to be added to a rule, without those who are chosen already; or as suggestions for
    the filter of the list."""
    event_type = request.GET.get("event_type", "")
    suggested = "user" in request.GET or not event_type
    typed = (request.GET.get("search") or request.GET.get("user", "")).replace("\0", "")[:200].strip()
    if typed and not suggested and event_type not in catalog_of(request.caller.tenant_id).event_types:
        raise not_found("rule")
    chosen = set(request.GET.getlist("additional_users"))
    found = list(members(request.caller, search=typed).order_by("login")[: FOUND_AT_MOST + 1]) if typed else []
    context = {
        "typed": typed,
        "found": [one for one in found[:FOUND_AT_MOST] if one.login not in chosen],
        "more": len(found) > FOUND_AT_MOST,
        "event_type": event_type,
    }
    return show(request, f"console/rules/{'_suggested' if suggested else '_found'}.html", context)


@page(*EDITORS, methods=("POST",))
def tried(request: Asked, event_type: str) -> HttpResponse:
    """Who would have been told by the form as it stands."""
    try:
        seen = preview_rule(request.caller, event_type, _sent(request).wanted())
    except Problem as problem:
        return show(request, "console/rules/_preview.html", {"problem": problem})
    return show(request, "console/rules/_preview.html", {"preview": shown_preview(seen)})


def other_edit(request: Asked, event_type: str, since: Mapping[str, Any] | None = None) -> OtherEdit | None:
    """The last one; `since`: how the rule was when somebody began to edit it."""
    last = history(request.caller, event_type).order_by("-id").first()
    if last is None or last.before is None or last.after is None:
        return None
    was = since or last.before
    names = names_of(request.caller.tenant_id, {last.actor} | people_in(was, last.after))
    return OtherEdit(names[last.actor], made_at(last.id), difference(was, last.after, names))


def _again(request: Asked, event_type: str, form: Form, problem: Problem) -> HttpResponse:
    """With what they changed, and what this form would change on top of it."""
    kept = rule_of(request.caller, event_type)
    if problem.code == "invalid":
        return _shown(request, kept, form, problems=problem.errors, status=422)
    mine = {"enabled": form.enabled, "optional_roles": form.roles, "additional_users": form.users}
    names = names_of(request.caller.tenant_id, people_in(mine, content(kept)))
    conflict = {
        "other": other_edit(request, event_type, content_at(history(request.caller, event_type), form.version)),
        "mine": difference(content(kept), mine, names),
    }
    return _shown(request, kept, replace(form, version=kept.version), **conflict, status=409)


def _shown(request: Asked, kept: ShownRule, form: Form, *, status: int = 200, **more: Any) -> HttpResponse:
    context = {
        "rule": kept,
        "title": title_of(kept),
        "form": form,
        "default": _offered(kept.default_role, form),
        "offered": [_offered(role, form) for role in kept.offered_roles],
        "here": back_to(request),
        "from": request.POST.get("from") or request.GET.get("from", ""),
        **_people(request, form),
        **more,
    }
    # htmx shows what a dialog answers, whatever its status.
    return show(request, f"console/rules/{'_modify' if is_part(request) else 'modify'}.html", context, status=status)


def _offered(role: str, form: Form) -> Offered:
    return Offered(role, role_name(role), str(HINTS.get(role, "")), role in form.roles)


def _people(request: Asked, form: Form) -> dict[str, Any]:
    names = names_of(request.caller.tenant_id, form.users)
    return {"users": [names[login] for login in form.users], "form": form}


def _form_of(kept: ShownRule) -> Form:
    return Form(kept.enabled, kept.optional_roles, kept.additional_users, kept.version)


def _sent(request: Asked) -> Form:
    return Form(
        request.POST.get("enabled") == "true",
        tuple(request.POST.getlist("optional_roles")),
        tuple(dict.fromkeys(request.POST.getlist("additional_users"))),
        version_in(request),
    )
