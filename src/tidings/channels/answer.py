"""Reading what a provider answered: its own words, with nothing of ours in them, and when it wants us back."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from tidings.channels.words import CUT, cut, one_line

SAID_LENGTH = 200
MAX_RETRY_AFTER = timedelta(hours=6)
# Shorter ones occur in ordinary words; hiding them would make the answer unreadable and protect nobody.
SHORTEST_HIDDEN = 4


def said(code: int, words: str | bytes, *, hide: Iterable[str] = ()) -> str:
    """Status and words on one line, at most `SAID_LENGTH` characters of them. `hide`: what a provider may echo and
    nobody may read in a record (secrets, addresses, the path of a URL)."""
    text = one_line(words if isinstance(words, str) else words.decode(errors="replace"))
    if not text:
        return str(code)
    lowered = text.lower()
    # The longest first: a part of a secret must not spoil the whole for the search.
    for secret in sorted({one_line(item) for item in hide}, key=len, reverse=True):
        if len(secret) >= SHORTEST_HIDDEN and secret.lower() in lowered:
            text = re.sub(re.escape(secret), CUT, text, flags=re.IGNORECASE)
            lowered = text.lower()
    return f"{code} {cut(text, SAID_LENGTH)}"


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """`Retry-After` as a wait: seconds or an HTTP date (RFC 9110, 10.2.3), 6 h at most; nothing for what is neither."""
    if not value:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    return min(wait, MAX_RETRY_AFTER) if wait > timedelta(0) else None
