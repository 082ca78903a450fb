"""What a form of these pages says."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext

from tidings.console.page import Asked
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
