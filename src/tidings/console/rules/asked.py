"""What a form of these pages says, and where one goes from it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext

from tidings.console.page import Asked, is_part
from tidings.kernel.problems import invalid


def back_to(request: HttpRequest) -> str:
    """The page it was sent from, with its filters; never another site."""
    back, home = request.POST.get("back") or request.GET.get("back", ""), reverse("rules")
    return back if back.startswith(home) and url_has_allowed_host_and_scheme(back, allowed_hosts=None) else home


def version_in(request: Asked) -> int:
    """Which version of a rule the form was made from. Raises 422."""
    try:
        return int(request.POST.get("version", ""))
    except ValueError:
        raise invalid(gettext("This form is not whole. Load the page again.")) from None


def go(request: Asked, url: str) -> HttpResponse:
    """There, whoever asks: a browser by itself, or htmx from within a dialog."""
    return HttpResponse(headers={"HX-Redirect": url}) if is_part(request) else redirect(url)
