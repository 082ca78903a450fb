"""What an address or a form says. In a filter what cannot be meant is passed over, so that any link opens."""

from collections.abc import Collection
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.http import url_has_allowed_host_and_scheme

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
        # In UTC already here: in the last hours of the year 9999 there is no such time in every zone.
        return max((found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC), _FIRST)
    except OverflowError:
        return None


def number_in(text: str) -> int | None:
    """A number as our own forms write it, such as a version; None for all else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def is_ours(url: str, below: str = "") -> bool:
    """Whether it leads to a page of ours, below this one, and can stand in a header."""
    return (
        url.startswith(below or reverse("home"))
        and url.isprintable()
        and url_has_allowed_host_and_scheme(url, allowed_hosts=None)
    )
