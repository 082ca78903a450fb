"""One person in an administrator's hands: who they are, how they are reached, what they answer for; bring in, change,
invite and see off."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext

from tidings.accounts.invite import invite
from tidings.accounts.issue import tokens_seen_by, withdraw_token
from tidings.accounts.models import Person
from tidings.console.my_settings.sheet import sheet_of
from tidings.console.page import Asked, go, is_part, page, say, show
from tidings.console.people.form import NOTHING, Form, form_of, form_sent, with_problem
from tidings.console.shown_once import secret_to_show, show_next
from tidings.directory.enrol import put_member
from tidings.directory.holders import Held, held_by, shown
from tidings.directory.members import member, see_off
from tidings.directory.profile import looked_up
from tidings.kernel.problems import Problem
from tidings.kernel.versions import Expected

HELD_SHOWN = 20


@page("administrator", methods=("GET", "POST"))
def person(request: Asked, login: str) -> HttpResponse:
    one = member(request.caller, login)
    if request.method != "POST":
        return _shown(request, one, form_of(one))
    form = form_sent(request)
    # The current version: that nobody is quicker from here on.
    expected = Expected(if_match=frozenset({str(one.version)})) if form.made_from(one) else form.expected
    try:
        put_member(request.caller, one.login, form.profile(), expected)
    except Problem as problem:
        now = member(request.caller, one.login)
        return _shown(request, now, with_problem(form, problem, now), status=problem.status)
    say(request, gettext("Saved. It holds for every event from now on."))
    return redirect("person", one.login)


@page("administrator", methods=("GET", "POST"))
def new_person(request: Asked) -> HttpResponse:
    """Also who has left before comes back by this."""
    asked_for = request.GET.get("login", "").replace("\0", "")[:100]
    if request.method != "POST":
        tenant = request.person.tenant
        started = {
            **NOTHING,
            "language": tenant.language,
            "timezone": tenant.timezone,
            "name": _name(request, asked_for),
        }
        return _shown_new(request, asked_for, Form(started))
    form, login = form_sent(request), request.POST.get("login", "").strip()
    try:
        # Version 0: nobody has this login yet, or not any more.
        one, _ = put_member(request.caller, login, form.profile(), Expected(version=0))
    except Problem as problem:
        if problem.code == "version_conflict":
            problem = Problem(422, "invalid", "", errors=[{"field": "login", "problem": gettext("is taken")}])
        return _shown_new(request, login, with_problem(form, problem, None), status=422)
    say(request, gettext("%s is here now.") % (one.name or one.login))
    return redirect("person", one.login)


@page("administrator", methods=("GET", "POST"))
def invite_person(request: Asked, login: str) -> HttpResponse:
    """The link is shown once, to whoever asked for it: loaded again, the page neither makes another nor shows it."""
    about = f"invitation {login}"
    if request.method == "POST":
        link = invite(request.caller, looked_up(login))
        if is_part(request):
            return show(request, "console/people/_invited.html", {"login": login, "link": link})
        show_next(request, link, of=about)
        return redirect("person-invite", login)
    if link := secret_to_show(request, of=about):
        return show(request, "console/people/invited.html", {"login": login, "link": link})
    return redirect("person", login)


@page("administrator", methods=("GET", "POST"))
def leave(request: Asked, login: str) -> HttpResponse:
    """What it means that somebody has left; and that they have."""
    one = member(request.caller, login)
    problem = ""
    if request.method == "POST":
        version = request.POST.get("version", "")
        try:
            see_off(request.caller, one.login, Expected(if_match=frozenset({version})))
        except Problem as refused:
            if refused.status not in (409, 412):
                raise
            problem, one = _why_not(refused), member(request.caller, login)
        else:
            say(request, gettext("%s has left. The records keep the name.") % (one.name or one.login))
            return go(request, reverse("people"))
    context = {"one": one, "held": _held(request, one), "tokens": _tokens(request, one).count(), "problem": problem}
    return show(request, f"console/people/{'_' if is_part(request) else ''}leave.html", context)


@page("administrator", methods=("POST",))
def end_token(request: Asked, login: str, token_id: Any) -> HttpResponse:
    withdraw_token(request.caller, token_id)
    say(request, gettext("The token has ended; it opens nothing any more."))
    return go(request, reverse("person", args=[login]))


def _why_not(problem: Problem) -> str:
    if problem.status == 412:
        return gettext("Somebody changed this person meanwhile. Look at what it says now, then decide again.")
    return gettext("This is the last active administrator: make somebody else administrator first.")


def _shown(request: Asked, one: Person, form: Form, *, status: int = 200) -> HttpResponse:
    context = {
        "one": one,
        "form": form,
        "sheet": sheet_of(request.caller, one.login),
        "held": _held(request, one),
        "tokens": _tokens(request, one),
        "signs_in": one.account_id is not None,
    }
    return show(request, "console/people/person.html", context, status=status)


def _shown_new(request: Asked, login: str, form: Form, *, status: int = 200) -> HttpResponse:
    return show(request, "console/people/new.html", {"login": login, "form": form}, status=status)


def _held(request: Asked, one: Person) -> list[Held]:
    """The first of what they answer for, and one more where there is more."""
    return shown(held_by(request.caller, one).order_by("instance", "database", "table")[: HELD_SHOWN + 1])


def _tokens(request: Asked, one: Person) -> Any:
    return tokens_seen_by(request.caller).filter(person=one).order_by("-created_at")


def _name(request: Asked, login: str) -> str:
    """Of who has left and comes back."""
    if not login:
        return ""
    found = Person.objects.for_tenant(request.caller.tenant_id).filter(login=looked_up(login)).first()
    return found.name if found else ""
