"""What every call may answer besides what was asked for, as the OpenAPI document says it: problems, in one form."""

from collections.abc import Iterator
from typing import Any

from tidings.kernel.problems import CONTENT_TYPE

JSON = dict[str, Any]
PROBLEM: JSON = {
    "type": "object",
    "description": "RFC 9457. `code` is stable, `detail` says what to do; `current` is how it stands now (409, 412).",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
        "current": {},
    },
}
_ALWAYS = {
    401: "No living token.",
    403: "This token may not.",
    413: "The body is too large.",
    422: "What was sent does not fit: see `code`, `detail` and `errors`.",
    429: "Too much, too often: again after Retry-After, where it is there.",
    503: "The database does not answer, or too much waits: send it again after Retry-After.",
}
_OF_ONE_THING = {404: "There is no such thing, or this token may not see it."}
_OF_A_BODY = {415: "Send JSON in UTF-8, or what else is named here."}
_OF_A_CHANGE = {
    409: "It stands otherwise: somebody changed it meanwhile, or it is not in a state for this.",
}
_OF_ANOTHER_TRY = {410: "What it would send is no longer kept."}
_OF_A_VERSION = {412: "If-Match names another version than the present one."}


def with_problems(path: str, method: str, call: JSON) -> JSON:
    """The call, with the problems that it may answer; what it says of them itself stays."""
    own = {str(status): answer for status, answer in call["responses"].items()}
    problems = {str(status): problem(text) for status, text in _problems(path, method, call)}
    return {**call, "responses": problems | own}


def _problems(path: str, method: str, call: JSON) -> Iterator[tuple[int, str]]:
    yield from _ALWAYS.items()
    if "{" in path:
        yield from _OF_ONE_THING.items()
    if "requestBody" in call:
        yield from _OF_A_BODY.items()
    if method != "get":
        yield from _OF_A_CHANGE.items()
    if method in ("put", "patch", "delete"):
        yield from _OF_A_VERSION.items()
    if path.endswith("/retry"):
        yield from _OF_ANOTHER_TRY.items()


def problem(text: str) -> JSON:
    return {"description": text, "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
