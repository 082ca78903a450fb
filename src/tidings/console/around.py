"""What is around every page: headers, the language of who reads, problems in words, the menu."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.gzip import GZipMiddleware
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext, gettext_lazy

from tidings.accounts.live_key import live_key
from tidings.console.menu import sections
from tidings.console.page import Shown, is_part, show
from tidings.console.spoken import meant, spoken
from tidings.events.inbox import count_unread
from tidings.kernel.clock import now
from tidings.kernel.logs import REQUEST
from tidings.kernel.problems import PAGES, Problem

log = logging.getLogger("tidings.console")
# No script, style or frame but our own; `data:` for the small pictures in the style's own file.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# With a length that says nothing of what is in it (BREACH): https://docs.djangoproject.com/en/5.2/ref/middleware/
_compress = GZipMiddleware(lambda _request: HttpResponse())
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    # What a page shows belongs to who has signed in: no cache keeps it, and "back" after signing out asks again.
    "Cache-Control": "no-store",
}
TITLES = {
    401: gettext_lazy("Please sign in"),
    403: gettext_lazy("This is not open to you"),
    404: gettext_lazy("Nothing here"),
    409: gettext_lazy("Somebody was quicker"),
    412: gettext_lazy("Somebody was quicker"),
    429: gettext_lazy("A little slower, please"),
    503: gettext_lazy("Just now this cannot be answered"),
}


class ConsoleMiddleware:
    """Pages only: all else passes through."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not _is_page(request):
            return self.get_response(request)
        # Until it is known who reads: a page activates its reader's own.
        with translation.override(translation.get_language_from_request(request)), timezone.override(None):
            response = self.get_response(request)
            if response.status_code == 404 and not isinstance(response, Shown):
                response = _shown(request, _nothing_here())
            _add_messages(request, response)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return cast(HttpResponse, _compress.process_response(request, response))

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return _shown(request, _problem_of(error)) if _is_page(request) else None


def refuse_forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that did not come from our own page, or from one that was open for too long."""
    text = gettext("This form is out of date. Load the page again and send it once more.")
    return _shown(request, Problem(403, "csrf_failed", text))


def surroundings(request: HttpRequest) -> dict[str, Any]:
    """Of use to the frame alone, and asked for by it alone: a part of a page costs no query for it."""
    if not hasattr(request, "person"):
        return {}
    return {
        "person": request.person,
        "people": request.people,  # type: ignore[attr-defined]
        "menu": SimpleLazyObject(lambda: sections(request)),
        "unread": SimpleLazyObject(lambda: count_unread(request.person)),
        "live_url": SimpleLazyObject(lambda: f"{get_script_prefix()}live?key={live_key(request.caller, now())}"),  # type: ignore[attr-defined]
    }


def _is_page(request: HttpRequest) -> bool:
    return request.path_info.startswith(PAGES)


def _problem_of(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case Http404():
            return _nothing_here()
        case PermissionDenied():
            return Problem(403, "forbidden", gettext("You may not do this."))
        case RequestDataTooBig():
            return Problem(413, "body_too_large", gettext("This is too large."))
        case OperationalError() | InterfaceError():
            log.warning("the database did not answer a page: %s", str(error).partition("\n")[0])
            return Problem(503, "unavailable", gettext("The database cannot be reached. Try again in a moment."))
        case SuspiciousOperation():
            return Problem(400, "bad_request", gettext("This is no request that can be answered."))
    log.exception("a page failed unexpectedly", exc_info=error)
    return Problem(500, "internal_error", gettext("This is our fault; the log of this node says more."))


def _nothing_here() -> Problem:
    return Problem(404, "not_found", gettext("There is no such page, or you may not see it."))


def _shown(request: HttpRequest, problem: Problem) -> HttpResponse:
    """A page; for a part of one, a message in its own place."""
    log.debug("refused: %s", problem.code, extra={"reason": problem.detail})
    context = {
        "problem": problem,
        "detail": meant(problem),
        "errors": [{**error, "problem": spoken(str(error.get("problem", "")))} for error in problem.errors],
        "headline": TITLES.get(problem.status, gettext("This did not work")),
        "home": reverse("home"),
        # For whoever is told of it to find it in the log.
        "call": REQUEST.get() if problem.status >= 500 else "",
    }
    part = is_part(request)
    response = show(request, f"console/{'_problem' if part else 'problem'}.html", context, status=problem.status)
    if part:
        response["HX-Retarget"], response["HX-Reswap"] = "#problems", "innerHTML"
    for name, value in problem.headers.items():
        response[name] = value
    return response


def _add_messages(request: HttpRequest, response: HttpResponse) -> None:
    """What was said while a part was made goes out with it; a page shows it itself."""
    if not is_part(request) or response.status_code >= 300 or "HX-Redirect" in response or "HX-Refresh" in response:
        return
    said = list(messages.get_messages(request))
    if said and not response.streaming:
        response.content += render_to_string("console/_said.html", {"messages": said}).encode()
