"""Tokens: who may call by which, made and shown once, taken back with a question before."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext

from tidings.accounts.issue import issue_token, token_of, tokens_seen_by, withdraw_token
from tidings.accounts.models import SCOPES
from tidings.console.page import Asked, is_part, page, say, show
from tidings.console.shown_once import secret_to_show, show_next
from tidings.console.spoken import spoken
from tidings.console.templatetags.tidings import SCOPE_WORDS, scope_name
from tidings.kernel.pages import Page, Part, page_of
from tidings.kernel.problems import Problem

PER_PAGE = 50


@page(methods=("GET", "POST"))
def tokens(request: Asked) -> HttpResponse:
    """And a new one: for oneself or, by an administrator, for another person. Sources have theirs on their own page."""
    if request.method != "POST":
        return _page(request)
    login = request.POST.get("person", "").strip()
    scopes = [scope for scope in request.POST.getlist("scope") if scope in SCOPES]
    if not scopes:
        return _page(request, problem=gettext("Choose at least one thing that it may do."), status=422)
    try:
        _, secret = issue_token(request.caller, login=login or None, scopes=scopes, name=request.POST.get("name", ""))
    except Problem as problem:
        if problem.status != 422:
            raise
        errors = [(str(error["field"]), str(error["problem"])) for error in problem.errors]
        if any(field == "person" for field, _ in errors):
            said = gettext("Nobody here has the login %(login)s.") % {"login": login}
        else:
            said = " ".join(spoken(each) for _, each in errors) or problem.detail
        return _page(request, problem=said, status=422)
    show_next(request, secret)
    return redirect("tokens")


@page(methods=("GET", "POST"))
def revoke(request: Asked, token_id: UUID) -> HttpResponse:
    """Asked before it is done: what works by it stops at once."""
    token = token_of(request.caller, token_id)
    if request.method == "POST":
        withdraw_token(request.caller, token_id)
        say(request, gettext("The token was revoked; nothing is accepted with it any more."))
        back = redirect("source", token.source.name) if token.source else redirect("tokens")
        return HttpResponse(headers={"HX-Redirect": back["Location"]}) if is_part(request) else back
    template = "console/tokens/_revoke.html" if is_part(request) else "console/tokens/revoke.html"
    return show(request, template, {"token": token, "scopes": _scopes(token.scopes)})


def _page(request: Asked, *, problem: str = "", status: int = 200) -> HttpResponse:
    found = page_of(tokens_seen_by(request.caller), Part(request.GET.get("cursor"), PER_PAGE))
    rows = [(token, _scopes(token.scopes)) for token in found.rows]
    context = {
        "page": Page(rows, found.next_cursor),
        "secret": secret_to_show(request),
        "problem": problem,
        "written": request.POST,
        "scopes": list(SCOPE_WORDS.items()),
        "chosen": request.POST.getlist("scope") if problem else ["read"],
        "for_others": request.caller.holds("administrator"),
    }
    return show(request, "console/tokens/list.html", context, status=status)


def _scopes(scopes: list[str]) -> list[str]:
    return [scope_name(scope) for scope in scopes]


urlpatterns = [
    path("tokens", tokens, name="tokens"),
    path("tokens/<uuid:token_id>/revoke", revoke, name="token-revoke"),
]
