"""Why bytes are no JSON that can be read, in words that lead to the place."""

import re

from tidings.kernel.problems import Problem

# An escape for one half of a character beyond U+FFFF, without its other half beside it.
_HALF = re.compile(
    rb"(?<!\\)(?:\\\\)*(\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2}))"
)


def unreadable(raw: bytes, error: Exception) -> Problem:
    """422 with the words for this error of the decoder's, which names the wrong thing for a broken character."""
    if isinstance(error, RecursionError):
        return Problem(422, "too_deep", "This is nested far deeper than an event may be.")
    return Problem(422, "malformed_json", f"This is not JSON in UTF-8: {_why(raw) or error}.")


def _why(raw: bytes) -> str:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start} (0x{raw[error.start]:02x}) is part of no character"
    if half := _HALF.search(raw):
        text = half[1].decode()
        return f"{text} at byte {half.start(1)} is one half of a character, and the other half is not beside it"
    return ""
