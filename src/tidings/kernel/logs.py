"""Logs: one line an entry on standard error, with the event's and delivery's id where there is one.

An error that nobody foresaw is told by what it is and where it happened. Its text is left out, since it may quote what
it was given (`invalid literal for int(): 'the secret'`); only the system and PostgreSQL are quoted.
"""

import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg

# What an entry may carry besides its text; nothing else is ever printed, so that no secret comes along by accident.
CONTEXT = ("event", "delivery", "channel", "reason", "tenant")


class OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        context = "".join(f" {name}={value}" for name in CONTEXT if (value := getattr(record, name, None)) is not None)
        line = f"{time} {record.levelname.lower()} {record.name}: {record.getMessage()}{context}"
        if record.exc_info and record.exc_info[1]:
            line += f"\n{failure(record.exc_info[1])}"
        return line


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


def set_up_logs(*, quiet: bool = False) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.WARNING if quiet else logging.INFO)
    # A refused request is the caller's affair; only failures of ours are told.
    logging.getLogger("django.request").setLevel(logging.ERROR)
    for noisy in ("asyncio", "psycopg", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
