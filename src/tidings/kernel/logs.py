"""Logs: one line an entry on standard error, with the event's and delivery's id where there is one."""

import logging
import sys
from datetime import UTC, datetime

# What an entry may carry besides its text; nothing else is ever printed, so that no secret comes along by accident.
CONTEXT = ("event", "delivery", "channel", "reason", "tenant")


class OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        context = "".join(f" {name}={value}" for name in CONTEXT if (value := getattr(record, name, None)) is not None)
        line = f"{time} {record.levelname.lower()} {record.name}: {record.getMessage()}{context}"
        if record.exc_info:
            line += f"\n{self.formatException(record.exc_info)}"
        return line


def set_up_logs(*, quiet: bool = False) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.WARNING if quiet else logging.INFO)
    # A refused request is the caller's affair; only failures of ours are told.
    logging.getLogger("django.request").setLevel(logging.ERROR)
    for noisy in ("asyncio", "psycopg", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
