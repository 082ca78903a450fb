"""Every error of the REST calls leaves here, as problem+json with a stable code (RFC 9457)."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousFileOperation, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from tidings.api.hot_calls import PATHS
from tidings.events.group import unavailable
from tidings.kernel.origin import coming_from
from tidings.kernel.problems import CONTENT_TYPE, PAGES, Problem, internal_error

log = logging.getLogger("tidings.api")
# Where pydantic's own words do not say what to do.
OUR_WORDS: Mapping[str, str] = {
    "extra_forbidden": "is not known here; take it out, or see /api/docs for what it may be meant for",
    "missing": "is missing",
}


def render(problem: Problem) -> HttpResponse:
    log.debug("refused: %s", problem.code, extra={"reason": problem.detail})
    response = HttpResponse(problem.body(), status=problem.status, content_type=CONTENT_TYPE)
    for name, value in problem.headers.items():
        response[name] = value
    return response


def add_problem_handlers(api: NinjaAPI) -> None:
    def of_problem(_request: HttpRequest, error: Problem) -> HttpResponse:
        return render(error)

    def of_validation(_request: HttpRequest, error: ValidationError) -> HttpResponse:
        errors = [
            {"field": _field(each["loc"]), "problem": OUR_WORDS.get(each["type"], each["msg"])} for each in error.errors
        ]
        return render(Problem(422, "invalid", "The request does not fit; see errors.", errors=errors))

    def of_authentication(_request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
        challenge = {"WWW-Authenticate": "Bearer"}
        return render(Problem(401, "unauthorized", "Send a token: Authorization: Bearer <token>.", headers=challenge))

    def of_http(_request: HttpRequest, error: HttpError) -> HttpResponse:
        # ninja hides what the reader of the body found behind an error of its own.
        found = error.__cause__
        return render(found if isinstance(found, Problem) else Problem(error.status_code, "http_error", error.message))

    # ninja's types let a handler get the class where it always gets the error.
    handlers: dict[type[Exception], Any] = {
        Problem: of_problem,
        ValidationError: of_validation,
        AuthenticationError: of_authentication,
        HttpError: of_http,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


def _field(where: Sequence[object]) -> str:
    """As the caller wrote it: what our own code calls a body is nobody's field, unless there is no body at all."""
    source, *path = where
    return ".".join(map(str, path[1:] if source == "body" and len(path) > 1 else path))


class Page(HttpResponse):
    """For people: it goes out as it is, whatever its status. Django logs the address of what was not found or refused,
    and that of a page may be as good as a password."""

    _has_been_logged = True


class ProblemMiddleware:
    """Answers what no route took, and what nobody foresaw, in the same form; the text of an unforeseen error stays in
    the log."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with coming_from(request.META.get("REMOTE_ADDR", "")):
            return self._answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(PAGES):
            return self.get_response(request)
        hot = [method.upper() for method in PATHS.get(request.path_info, ())]
        if hot and not _has_route(request.path_info):
            return render(_not_allowed(request, hot))
        response = self.get_response(request)
        if isinstance(response, Page) or response.headers.get("Content-Type", "").startswith(CONTENT_TYPE):
            return response
        match response.status_code:
            case 404:
                return render(_nothing_there(request))
            case 405:
                return render(_not_allowed(request, [*response.headers["Allow"].split(", "), *hot]))
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse:
        match error:
            case Problem():
                return render(error)
            case Http404() | SuspiciousFileOperation():
                return render(_nothing_there(request))
            case RequestDataTooBig():
                return render(Problem(413, "body_too_large", "The body is too large."))
            case OperationalError() | InterfaceError():
                log.warning("the database did not answer a call: %s", str(error).partition("\n")[0])
                return render(unavailable("The database cannot be reached, or cannot do this just now. Send it again."))
            case SuspiciousOperation():
                return render(Problem(400, "bad_request", "This is no request that can be answered."))
        log.exception("a request failed unexpectedly", exc_info=error)
        return render(internal_error())


def _nothing_there(request: HttpRequest) -> Problem:
    return Problem(404, "not_found", f"Nothing answers {request.method} {request.path_info}.")


def _not_allowed(request: HttpRequest, methods: Iterable[str]) -> Problem:
    """What the node answers itself counts too."""
    allowed = ", ".join(sorted(set(methods)))
    detail = f"Nothing answers {request.method} {request.path_info}; it answers {allowed}."
    return Problem(405, "method_not_allowed", detail, headers={"Allow": allowed})


@cache
def _has_route(path: str) -> bool:
    """Whether Django knows this very path: `/events/batch` looks to it as an event that is called batch."""
    try:
        return "<" not in resolve(path).route
    except Resolver404:
        return False
