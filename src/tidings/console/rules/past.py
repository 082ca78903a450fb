"""How a rule came to be as it is: who changed what, when, and the way back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from tidings.audit.models import Change
from tidings.console.asked import number_in
from tidings.console.changed import Line
from tidings.console.page import Asked, go, is_part, page, say, show
from tidings.console.rules.asked import version_in
from tidings.console.rules.look import EDITORS, rows_of
from tidings.console.rules.modify import Form, other_edit
from tidings.console.rules.words import Named, difference, names_of, people_in, role_name, title_of
from tidings.kernel.ids import made_at
from tidings.kernel.problems import Problem, invalid, not_found
from tidings.kernel.versions import Expected
from tidings.rules.change import content
from tidings.rules.history import content_at, history
from tidings.rules.restore import Restored, restore_rule
from tidings.rules.show import ShownRule, rule_of

PER_PAGE = 20
# By whom and how; a plain change needs no word.
ACTS: Mapping[str, str | Promise] = {
    "switch": gettext_lazy("in a batch"),
    "apply": gettext_lazy("from a file"),
    "undo": gettext_lazy("undone"),
    "restore": gettext_lazy("restored"),
}


@dataclass(frozen=True, slots=True)
class Past:
    """One change; `version` is the one it led to, None where there is no way back to it."""

    at: datetime
    who: Named
    act: str
    lines: Sequence[Line]
    version: int | None


@dataclass(frozen=True, slots=True)
class Listed:
    """As `_pager.html` wants it."""

    items: Sequence[Past]
    next_cursor: str | None


@page(*EDITORS)
def history_of(request: Asked, event_type: str) -> HttpResponse:
    rule = rule_of(request.caller, event_type)
    changes = history(request.caller, event_type).order_by("-id")
    if after := _key(request.GET.get("cursor")):
        changes = changes.filter(id__lt=after)
    found = list(changes[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    whole = len(found) <= PER_PAGE
    names = names_of(
        request.caller.tenant_id,
        {one.actor for one in shown} | {login for one in shown for login in people_in(one.before, one.after)},
    )
    [row] = rows_of(request.caller.tenant_id, [rule])
    context = {
        "rule": rule,
        "row": row,
        "title": title_of(rule),
        "page": Listed([_past(one, rule, names) for one in shown], None if whole else str(shown[-1].id)),
        "start": _started(shown[-1], rule) if whole and shown else None,
        "here": request.get_full_path(),
    }
    return show(request, "console/rules/history.html", context)


@page(*EDITORS, methods=("GET", "POST"))
def restore(request: Asked, event_type: str) -> HttpResponse:
    """What it would change, and who would be told then; once that is confirmed, the rule as it was."""
    if request.method == "POST":
        return _restored(request, event_type)
    rule, version = rule_of(request.caller, event_type), number_in(request.GET.get("version", ""))
    changes = history(request.caller, event_type)
    then = None if version is None else content_at(changes, version)
    if then is None:
        raise not_found("version of this rule")
    names = names_of(request.caller.tenant_id, people_in(then, content(rule)))
    context = {
        "rule": rule,
        "title": title_of(rule),
        "version": version,
        "lines": difference(content(rule), then, names),
        # Tried with what can come back.
        "form": Form(
            then["enabled"],
            tuple(role for role in then["optional_roles"] if role in rule.offered_roles),
            tuple(login for login in then["additional_users"] if not names[login].gone),
            rule.version,
        ),
        "lost": [
            *(role_name(role) for role in then["optional_roles"] if role not in rule.offered_roles),
            *(names[login] for login in then["additional_users"] if names[login].gone),
        ],
    }
    return show(request, f"console/rules/{'_restore' if is_part(request) else 'restore'}.html", context)


def _restored(request: Asked, event_type: str) -> HttpResponse:
    wanted = number_in(request.POST.get("restore", ""))
    if wanted is None:
        raise invalid(gettext("This form is not whole. Load the page again."))
    try:
        restored = restore_rule(request.caller, event_type, wanted, Expected(version_in(request)))
    except Problem as problem:
        if problem.code != "version_conflict":
            raise
        other = other_edit(request, event_type)
        who = other.who if other else gettext("Somebody")
        text = gettext("Nothing was restored: %(who)s has changed this rule meanwhile.")
        messages.warning(request, text % {"who": who})
        return go(request, reverse("rule-history", args=[event_type]))
    say(request, _said(request, restored))
    return go(request, reverse("rule-history", args=[event_type]))


def _said(request: Asked, restored: Restored) -> str:
    text = gettext("%(rule)s is as it was then.") % {"rule": title_of(restored.rule)}
    names = names_of(request.caller.tenant_id, restored.users_left_out)
    lost = [*map(role_name, restored.roles_left_out), *(str(names[login]) for login in restored.users_left_out)]
    if lost:
        text += " " + gettext("Without %(lost)s: they cannot come back.") % {"lost": gettext(", ").join(lost)}
    return text


def _past(change: Change, rule: ShownRule, names: Mapping[str, Named]) -> Past:
    before, after = change.before, change.after
    lines = difference(before, after, names) if before and after else []
    version = (after or {}).get("version")
    return Past(
        made_at(change.id),
        names[change.actor],
        str(ACTS.get(change.action, "")),
        lines,
        version if version != rule.version else None,
    )


def _started(first: Change, rule: ShownRule) -> int | None:
    """The version before the first change."""
    version = (first.before or {}).get("version")
    return version if version != rule.version else None


def _key(text: str | None) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise invalid(gettext("This link is not whole. Start again from the first page.")) from None
