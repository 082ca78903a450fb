"""A new source: what it is, then its name. And another system for one that there is."""

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext

from tidings.accounts.issue import create_source, sources
from tidings.accounts.tokens import create_token
from tidings.console.page import Asked, page, say, show
from tidings.console.shown_once import show_next
from tidings.console.sources.systems import OWN, System, gallery, system
from tidings.console.sources.words import said
from tidings.events.sources.look import at_work
from tidings.events.sources.set_up import choose_adapter, source_of
from tidings.kernel.problems import Problem


@page("administrator")
def choose(request: Asked) -> HttpResponse:
    """Of a source that there is (`of`), another system."""
    name, current = request.GET.get("of", ""), ""
    if name:
        [at_work_now] = at_work(request.caller, [source_of(request.caller, name)])
        current = at_work_now.adapter or OWN
    return show(request, "console/sources/choose.html", {"groups": gallery(), "of": name, "current": current})


@page("administrator", methods=("GET", "POST"))
def new(request: Asked, code: str) -> HttpResponse:
    """With its first token, which its own page shows once."""
    chosen = system(code)
    if request.method != "POST":
        return _form(request, chosen, _free_name(request, chosen.name))
    name = request.POST.get("name", "")
    try:
        with transaction.atomic():
            source = create_source(request.caller, name)
            _, secret = create_token(request.caller, source=source)
            if chosen.adapter:
                choose_adapter(request.caller, source.name, chosen.adapter.code)
    except Problem as problem:
        if problem.status not in (409, 422):
            raise
        text = (
            gettext("There is a source of this name already; open it to give it another token.")
            if problem.code == "source_exists"
            else said(problem)
        )
        return _form(request, chosen, name, problem=text, status=problem.status)
    show_next(request, secret, of=source.name)
    return redirect("source", source.name)


@page("administrator", methods=("POST",))
def another_system(request: Asked, name: str) -> HttpResponse:
    chosen = system(request.POST.get("system", ""))
    choose_adapter(request.caller, name, chosen.adapter.code if chosen.adapter else "")
    say(request, gettext("It sends as %(system)s from now on.") % {"system": chosen.label})
    return redirect("source", name)


def _form(request: Asked, chosen: System, name: str, *, problem: str = "", status: int = 200) -> HttpResponse:
    context = {"system": chosen, "written": name, "problem": problem}
    return show(request, "console/sources/new.html", context, status=status)


def _free_name(request: Asked, name: str) -> str:
    taken = set(sources(request.caller).filter(name__startswith=name).values_list("name", flat=True)[:1_000])
    numbers = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(each for each in numbers if each not in taken)


urlpatterns = [
    path("sources-new", choose, name="source-choose"),
    path("sources-new/<str:code>", new, name="source-new"),
    path("sources-system/<path:name>", another_system, name="source-system"),
]
