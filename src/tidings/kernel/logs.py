"""Logs: one line an entry on standard error, as text or as JSON, with the ids of what it is about.

What comes from outside cannot write an entry of its own: line breaks, control and invisible characters are escaped
wherever they stand, and the lines of a traceback are indented.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from tidings.kernel.failure import failure

Format = Literal["text", "json"]
# What an entry may carry besides its text; nothing else is ever printed, so that no secret comes along by accident.
CONTEXT = (
    "event", "source", "source_id", "delivery", "tenant", "channel", "reason", "outcome", "ms", "adapter", "parked",
    "lease", "due_at", "bus",
)  # fmt: skip
REQUEST: ContextVar[str] = ContextVar("request", default="")
"""The id of the call that is being answered; its caller was told it (X-Request-ID)."""
_PLAIN = re.compile(r"[\w.:/@+-]+", re.ASCII)


class OneLine(logging.Formatter):
    """time level logger: message name=value ... ; a value that is not plain is quoted."""

    def format(self, record: logging.LogRecord) -> str:
        context = "".join(f" {name}={_quoted(value)}" for name, value in _context(record))
        line = f"{_time(record)} {record.levelname.lower()} {record.name}: {record.getMessage()}{context}"
        entry = visible(line)
        if record.exc_info and record.exc_info[1]:
            entry += "".join(f"\n    {visible(each)}" for each in failure(record.exc_info[1]).splitlines())
        return entry


class OneObject(logging.Formatter):
    """One JSON object a line; `exception` is the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **dict(_context(record)),
        }
        if record.exc_info and record.exc_info[1]:
            entry["exception"] = failure(record.exc_info[1])
        # JSON escapes what ASCII has of control characters; the rest may confuse a terminal as well.
        return visible(json.dumps(entry, ensure_ascii=False, default=str), _json_escape)


def set_up_logs(*, quiet: bool = False, level: str = "info", form: Format = "text") -> None:
    """`quiet`: warnings and worse, for commands that answer on the terminal. `debug` is of our own code alone: others
    would print statements with what stands in them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneObject() if form == "json" else OneLine())
    logging.root.handlers = [handler]
    least = max(logging.getLevelName(level.upper()), logging.WARNING if quiet else 0)
    logging.root.setLevel(max(least, logging.INFO))
    logging.getLogger("tidings").setLevel(least)
    # A refused request is the caller's affair; only failures of ours are told.
    logging.getLogger("django.request").setLevel(logging.ERROR)
    logging.getLogger("django.request").addFilter(_outside_a_view)
    for noisy in ("asyncio", "psycopg", "httpx", "uvicorn"):
        logging.getLogger(noisy).setLevel(max(least, logging.WARNING))
    # What they cannot reach is told once, by whoever takes events from them.
    for talkative in ("aio_pika", "aiokafka", "aiormq", "nats"):
        logging.getLogger(talkative).setLevel(logging.CRITICAL)


def _outside_a_view(record: logging.LogRecord) -> bool:
    """What fails in a view we tell ourselves. Django's text names the address, which may be as good as a password."""
    record.msg, record.args = "a request failed unexpectedly, outside its view", ()
    return record.exc_info is not None


def visible(text: str, escape: Callable[[str], str] = lambda each: each.encode("unicode_escape").decode()) -> str:
    """The same, with what is not seen written out."""
    return text if text.isprintable() else "".join(each if each.isprintable() else escape(each) for each in text)


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1]


def _quoted(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _context(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    for name in CONTEXT:
        value = getattr(record, name, None)
        if value is not None and value != "":
            yield name, value if isinstance(value, int | float) else str(value)
    if request := REQUEST.get():
        yield "request", request


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
