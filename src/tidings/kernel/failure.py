"""What went wrong, for the log: an error that nobody foresaw is told by what it is and where it happened.

Its text is left out, since it may quote what it was given (`invalid literal for int(): 'the secret'`); only the system
and PostgreSQL are quoted.
"""

import traceback
from collections.abc import Iterator

import psycopg


def failure(error: BaseException) -> str:
    """The errors that led to it come first, as Python has it."""
    return "\n".join(reversed([_told(each) for each in _chain(error)]))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _told(error: BaseException) -> str:
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    where = "".join(traceback.format_tb(error.__traceback__))
    return f"{where}{kind}{_text(error)}"


def _text(error: BaseException) -> str:
    match error:
        case psycopg.Error(diag=diag) if diag.message_primary:
            return f": {diag.message_primary}"
        case OSError(strerror=said) if said:
            return f": {said}"
    return ""
