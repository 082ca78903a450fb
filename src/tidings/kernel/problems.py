"""What goes wrong at the border: a status, a stable code, and words that say what to do. Rendered as problem+json
(RFC 9457) in one place."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

CONTENT_TYPE = "application/problem+json"
PAGES = "/console/"
"""Below it people look at pages, and at problems as pages."""


class Problem(Exception):
    """An answer other than the one asked for. `headers` go out with it (Retry-After, ETag ...)."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.headers, self.more = errors, headers or {}, more

    @property
    def of_fields(self) -> dict[str, str]:
        """What is wrong with each, by its name."""
        return {str(error["field"]): str(error["problem"]) for error in self.errors}

    def body(self) -> bytes:
        content: dict[str, Any] = {
            "type": f"urn:tidings:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.more,
        }
        if self.errors:
            content["errors"] = list(self.errors)
        return msgspec.json.encode(content)


def not_found(what: str) -> Problem:
    """Also the answer for what exists and may not be seen: the two cannot be told apart."""
    return Problem(404, "not_found", f"There is no such {what}, or you may not see it.")


def forbidden(who: str) -> Problem:
    return Problem(403, "forbidden", f"Only {who} may do this.")


def internal_error() -> Problem:
    """Of what nobody foresaw; it is in the log, and its text nowhere else."""
    return Problem(500, "internal_error", "This is our fault; the log of this node says more.")


def invalid(detail: str, errors: Sequence[Mapping[str, Any]] = (), *, code: str = "invalid") -> Problem:
    return Problem(422, code, detail, errors=errors)
