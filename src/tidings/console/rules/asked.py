"""What a form of these pages says."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext

from tidings.console.asked import is_ours, number_in
from tidings.console.page import Asked
from tidings.kernel.problems import invalid


def back_to(request: HttpRequest) -> str:
    """The page it was sent from, with its filters; never another site."""
    back, home = request.POST.get("back") or request.GET.get("back", ""), reverse("rules")
    return back if is_ours(back, home) else home


def version_in(request: Asked) -> int:
    """Which version of a rule the form was made from. Raises 422."""
    version = number_in(request.POST.get("version", ""))
    if version is None:
        raise invalid(gettext("This form is not whole. Load the page again."))
    return version
