"""Where one lands, and as whom."""

from uuid import UUID

from django.http import HttpResponse
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect
from django.urls import path

from tidings.console.page import CHOSEN, SEES_ALL, Asked, page
from tidings.kernel.problems import not_found


@page()
def home(request: Asked) -> HttpResponse:
    """What a person on duty wants first; their own messages for everyone else."""
    return redirect("overview" if request.caller.holds(*SEES_ALL) else "inbox")


@page(methods=("POST",))
def be(request: Asked, person_id: UUID) -> HttpResponse:
    """The same account in another of its tenants."""
    if person_id not in {each.id for each in request.people}:
        raise not_found("user")
    request.session[CHOSEN] = str(person_id)
    # What other tabs still show is of another tenant: their forms are out of date.
    rotate_token(request)
    return redirect("home")


urlpatterns = [path("", home, name="home"), path("be/<uuid:person_id>", be, name="be")]
