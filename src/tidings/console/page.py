"""What a page is: a function, open to those who hold one of its roles, that acts as the signed-in person."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.encoding import iri_to_uri

from tidings.accounts.models import SCOPES, Account, Person
from tidings.accounts.permissions import Caller, who_may
from tidings.kernel.problems import forbidden, invalid

SEES_ALL = ("administrator", "dba", "security_administrator")
"""Who may see the events, subjects and deliveries of the whole tenant."""
CHOSEN = "person"
"""The session's key for whom an account is just now, when it belongs to several tenants."""


class Asked(HttpRequest):
    """A request for a page by somebody who may have it."""

    caller: Caller
    person: Person
    people: list[Person]
    """Whom this account may be, one in each of its tenants."""


View = Callable[..., HttpResponse]


def page(*roles: str, methods: tuple[str, ...] = ("GET",)) -> Callable[[View], View]:
    """Open to people with one of these system roles; with none, to everyone who has signed in. Who has not is asked to;
    who may not gets a 403. Roles are walked by a test, so they are declared here and nowhere else."""
    allowed = (*methods, "HEAD") if "GET" in methods else methods

    def opened(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, *path: Any, **named: Any) -> HttpResponse:
            if request.method not in allowed:
                return HttpResponseNotAllowed(allowed)
            people = people_of(request)
            if not people:
                return _asked_to_sign_in(request)
            asked = _as_person(request, people)
            if roles and not asked.caller.holds(*roles):
                raise forbidden(who_may(*roles))
            _refuse_nul(asked)
            return view(asked, *path, **named)

        answer.roles = roles  # type: ignore[attr-defined]
        answer.methods = methods  # type: ignore[attr-defined]
        return answer

    return opened


class Shown(HttpResponse):
    """A page of ours: it goes out as it is, whatever its status, and Django does not log what people mistyped."""

    _has_been_logged = True


def show(request: HttpRequest, template: str, context: Mapping[str, Any] | None = None, status: int = 200) -> Shown:
    return Shown(render_to_string(template, dict(context or {}), request), status=status)


def say(request: HttpRequest, text: str) -> None:
    """Shown on the page that comes next, and read out."""
    messages.success(request, text)


def go(request: HttpRequest, url: str) -> HttpResponse:
    """To another page, also from a dialog."""
    return HttpResponse(headers={"HX-Redirect": iri_to_uri(url)}) if is_part(request) else redirect(url)


def is_part(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of a page."""
    return "HX-Request" in request.headers and "HX-Boosted" not in request.headers


def people_of(request: HttpRequest) -> list[Person]:
    """The living people behind the session's account, by tenant; the one chosen first."""
    user = request.user
    if not isinstance(user, Account):
        return []
    living = Person.objects.across_tenants().filter(account=user, active=True, departed_at=None)
    chosen = request.session.get(CHOSEN)
    return sorted(
        living.select_related("tenant"), key=lambda each: (str(each.id) != chosen, each.tenant.name, each.login)
    )


def _as_person(request: HttpRequest, people: list[Person]) -> Asked:
    asked, person = cast(Asked, request), people[0]
    asked.people, asked.person = people, person
    asked.caller = Caller(person.tenant_id, person.login, frozenset(SCOPES), person)
    translation.activate(person.language)
    timezone.activate(person.timezone)
    return asked


def _refuse_nul(request: HttpRequest) -> None:
    """The one character that PostgreSQL stores nowhere; nobody writes it into a form. A filter passes it over."""
    if any("\0" in text for name, given in request.POST.lists() for text in (name, *map(str, given))):
        raise invalid("It holds the character U+0000, which cannot be stored: take it out.", code="unstorable")


def _asked_to_sign_in(request: HttpRequest) -> HttpResponse:
    if is_part(request):
        return HttpResponse(status=401, headers={"HX-Refresh": "true"})
    if request.user.is_authenticated:
        return show(request, "console/nobody.html", status=403)
    return redirect_to_login(request.get_full_path() if request.method in ("GET", "HEAD") else reverse("home"))
