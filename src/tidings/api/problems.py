"""Every error of the REST calls leaves here, as problem+json with a stable code (RFC 9457)."""

import logging
from collections.abc import Callable
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousFileOperation, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from tidings.events.group import unavailable
from tidings.kernel.problems import CONTENT_TYPE, Problem

log = logging.getLogger("tidings.api")


def render(problem: Problem) -> HttpResponse:
    response = HttpResponse(problem.body(), status=problem.status, content_type=CONTENT_TYPE)
    for name, value in problem.headers.items():
        response[name] = value
    return response


def add_problem_handlers(api: NinjaAPI) -> None:
    def of_problem(_request: HttpRequest, error: Problem) -> HttpResponse:
        return render(error)

    def of_validation(_request: HttpRequest, error: ValidationError) -> HttpResponse:
        errors = [{"field": ".".join(map(str, each["loc"][1:])), "problem": each["msg"]} for each in error.errors]
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
        response = self.get_response(request)
        if isinstance(response, Page):
            return response
        if response.status_code in (404, 405) and not response.headers.get("Content-Type", "").startswith(CONTENT_TYPE):
            code = {404: "not_found", 405: "method_not_allowed"}[response.status_code]
            return render(Problem(response.status_code, code, f"Nothing answers {request.method} {request.path}."))
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse:
        match error:
            case Problem():
                return render(error)
            case Http404() | SuspiciousFileOperation():
                return render(Problem(404, "not_found", f"Nothing answers {request.method} {request.path}."))
            case RequestDataTooBig():
                return render(Problem(413, "body_too_large", "The body is too large."))
            case OperationalError() | InterfaceError():
                log.warning("the database did not answer a call: %s", str(error).partition("\n")[0])
                return render(unavailable("The database cannot be reached, or cannot do this just now. Send it again."))
            case SuspiciousOperation():
                return render(Problem(400, "bad_request", "This is no request that can be answered."))
        log.exception("a request failed unexpectedly", exc_info=error)
        return render(Problem(500, "internal_error", "This is our fault; the log of this node says more."))
