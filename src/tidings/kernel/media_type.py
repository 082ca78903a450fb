"""What a `Content-Type` says a body is."""

from functools import lru_cache

from tidings.kernel.problems import Problem

JSON = "application/json"


@lru_cache(256)
def media_type(header: str) -> str:
    """Without its parameters, in lower case. Raises 415 for a charset that is not UTF-8."""
    kind, *parameters = header.split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in ("utf-8", "utf8"):
            raise unsupported("Send it in UTF-8: charset=utf-8, or no charset at all.")
    return kind.strip().lower()


def unsupported(detail: str) -> Problem:
    return Problem(415, "unsupported_media_type", detail)
