"""What a filter in a page's address says; what cannot be meant is passed over, so that any link opens."""

from collections.abc import Collection
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.utils.dateparse import parse_datetime

AT_MOST = 500
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def given(said: QueryDict, name: str) -> str:
    return said.get(name, "").replace("\0", "").strip()[:AT_MOST]


def one_of(said: QueryDict, name: str, known: Collection[str]) -> str:
    """Empty for what is not among those that are known."""
    value = given(said, name)
    return value if value in known else ""


def time_in(said: QueryDict, name: str, zone: str) -> datetime | None:
    """As `<input type="datetime-local">` writes it, in the reader's zone. Nothing is older than 1970."""
    try:
        found = parse_datetime(given(said, name))
    except ValueError:
        return None
    if found is None:
        return None
    try:
        return max(found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone)), _FIRST)
    except OverflowError:
        return None
