"""Switch a rule, or many, on or off; and take it back."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext, ngettext

from tidings.console.asked import number_in
from tidings.console.page import Asked, go, is_part, page, say, show
from tidings.console.rules.asked import back_to, version_in
from tidings.console.rules.look import DONE, EDITORS, in_list, rows_of
from tidings.console.rules.modify import other_edit
from tidings.console.rules.words import names_of, title_of
from tidings.kernel.problems import Problem, invalid
from tidings.kernel.versions import Expected
from tidings.rules.change import Changed, Wanted, change_rule, switch_rules
from tidings.rules.restore import undo_changes
from tidings.rules.show import ShownRule, rule_of


@page(*EDITORS, methods=("POST",))
def switch(request: Asked, event_type: str) -> HttpResponse:
    """Works at once. Somebody else's edit of the same rule is shown first, and asks."""
    enabled = request.POST.get("enabled") == "true"
    try:
        rule = change_rule(request.caller, event_type, Wanted(enabled=enabled), Expected(version_in(request)))
    except Problem as problem:
        if problem.code != "version_conflict":
            raise
        return _conflict(request, event_type, enabled)
    text = gettext("%(rule)s is on.") if enabled else gettext("%(rule)s is off: nobody is told.")
    say(request, text % {"rule": title_of(rule)})
    if not is_part(request):
        return redirect(back_to(request))
    context = _row(request, rule)
    answer = show(request, "console/rules/_row.html", context)
    answer["HX-Trigger"] = "close-dialog"
    answer["HX-Retarget"], answer["HX-Reswap"] = f"#rule-{context['row'].key}", "outerHTML"
    return answer


@page(*EDITORS, methods=("POST",))
def batch(request: Asked) -> HttpResponse:
    """First what would change, then, once that is confirmed, the change."""
    chosen, enabled = request.POST.getlist("event_type"), request.POST.get("enabled") == "true"
    if not chosen:
        raise invalid(gettext("Choose at least one rule."))
    confirmed = "confirmed" in request.POST
    changes = switch_rules(request.caller, chosen, enabled=enabled, dry_run=not confirmed)
    differing = [one for one in changes if one.differs]
    if confirmed:
        return _done(request, differing, enabled)
    context = {
        "rows": rows_of(request.caller.tenant_id, [one.before for one in differing]),
        "same": rows_of(request.caller.tenant_id, [one.before for one in changes if not one.differs]),
        "enabled": enabled,
        "back": back_to(request),
    }
    return show(request, f"console/rules/{'_batch' if is_part(request) else 'batch'}.html", context)


def _done(request: Asked, changes: list[Changed], enabled: bool) -> HttpResponse:
    count = len(changes)
    if enabled:
        text = ngettext("%d rule was switched on.", "%d rules were switched on.", count) % count
    else:
        text = ngettext("%d rule was switched off.", "%d rules were switched off.", count) % count
    request.session[DONE] = {"text": text, "rules": [[one.after.event_type, one.after.version] for one in changes]}
    return go(request, back_to(request))


@page(*EDITORS, methods=("POST",))
def undo(request: Asked) -> HttpResponse:
    undone = undo_changes(request.caller, _versions(request))
    if count := len(undone.restored):
        say(request, ngettext("%d rule is as it was.", "%d rules are as they were.", count) % count)
    names = names_of(request.caller.tenant_id, {one.actor for one in undone.left_alone if one.actor})
    for one in undone.left_alone:
        rule = title_of(rule_of(request.caller, one.event_type))
        if one.reason == "changed_since" and one.actor:
            text = gettext("%(rule)s was left alone: %(who)s has changed it since.")
            messages.warning(request, text % {"rule": rule, "who": names[one.actor]})
        else:
            messages.warning(request, gettext("%(rule)s was left alone: there is nothing to undo.") % {"rule": rule})
    return redirect(back_to(request))


def _versions(request: Asked) -> Mapping[str, int]:
    pairs = [each.rpartition(":") for each in request.POST.getlist("rule")]
    versions = {event_type: number for event_type, _, version in pairs if (number := number_in(version)) is not None}
    if not versions or len(versions) < len(pairs):
        raise invalid(gettext("This form is not whole. Load the page again."))
    return versions


def _conflict(request: Asked, event_type: str, enabled: bool) -> HttpResponse:
    rule = rule_of(request.caller, event_type)
    context = {**_row(request, rule), "other": other_edit(request, event_type), "enabled": enabled}
    if not is_part(request):
        return show(request, "console/rules/conflict.html", context, status=409)
    answer = show(request, "console/rules/_conflict.html", context)
    answer["HX-Retarget"], answer["HX-Reswap"] = "#dialog", "innerHTML"
    return answer


def _row(request: Asked, rule: ShownRule) -> dict[str, Any]:
    [row] = rows_of(request.caller.tenant_id, [rule])
    return in_list(row, back_to(request))
