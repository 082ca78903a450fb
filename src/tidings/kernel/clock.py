"""The current time. Pure code takes `now` as an argument; only the rim asks here."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)
