"""Reading what a provider answered: its own words, with nothing of ours in them, and when it wants us back."""

import html
from base64 import b64encode
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from urllib.parse import quote

from tidings.channels.words import CUT, cut, one_line

SAID_LENGTH = 200
LOOKED_AT = 1_000
"""Characters: more than can be said of them once what is hidden is out."""
MAX_RETRY_AFTER = timedelta(hours=6)
# Shorter ones occur in ordinary words; hiding them would make the answer unreadable and protect nobody.
SHORTEST_HIDDEN = 4
PIECE = 8
"""A receiver may echo a part of a secret ("unknown token 5f3a9c..."); shorter parts help nobody to guess the rest."""


def said(code: int, words: str | bytes, *, hide: Iterable[str] = (), whole: Iterable[str] = ()) -> str:
    """Status and words on one line, at most `SAID_LENGTH` characters of them. `hide`: what a provider may echo and
    nobody may read in a record, nor any piece of it (secrets, the path of a URL). `whole`: the same for what is hidden
    only where all of it stands there, since its parts are ordinary words (a mail address, a user name)."""
    if not words:
        return str(code)
    text = words[: 4 * LOOKED_AT].decode(errors="replace") if isinstance(words, bytes) else words
    if "&" in text:  # a page echoes `?a=b&amp;c=d`
        text = html.unescape(text)
    text = one_line(text)[:LOOKED_AT]
    return f"{code} {cut(_without(text, tuple(hide), whole), SAID_LENGTH)}" if text else str(code)


def _without(text: str, hide: tuple[str, ...], whole: Iterable[str]) -> str:
    pieces, short = _pieces(hide)
    lowered = _lower(text)
    hidden = bytearray(len(text))
    for at in range(len(text) - PIECE + 1) if pieces else ():
        if lowered[at : at + PIECE] in pieces:
            hidden[at : at + PIECE] = b"\1" * PIECE
    for each in (*short, *(_lower(one_line(one)) for one in whole)):
        at = lowered.find(each) if len(each) >= SHORTEST_HIDDEN else -1
        while at >= 0:
            hidden[at : at + len(each)] = b"\1" * len(each)
            at = lowered.find(each, at + 1)
    if not any(hidden):
        return text
    runs = groupby(zip(hidden, text, strict=True), itemgetter(0))
    return "".join([CUT if out else "".join(map(itemgetter(1), run)) for out, run in runs])


@lru_cache(maxsize=1024)
def _pieces(hide: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """All pieces of those that are long enough to have one, however they may be written, and the others."""
    lowered = [_lower(one_line(each)) for each in hide]
    written = [_lower(form) for each in hide if len(each) >= PIECE for form in (each, *_other_forms(one_line(each)))]
    pieces = {each[at : at + PIECE] for each in written for at in range(len(each) - PIECE + 1)}
    return frozenset(pieces), tuple(each for each in lowered if len(each) < PIECE)


def _other_forms(text: str) -> Iterator[str]:
    """An answer that echoes what it was sent, in the form in which that came or in which it keeps it: percent-encoded,
    hexadecimal, backwards, or in base64 behind anything else, as a header of basic authentication is."""
    raw = text.encode()
    yield quote(text, safe="")
    yield raw.hex()
    yield text[::-1]
    for offset in range(3):
        coded = b64encode(bytes(offset) + raw).decode()
        # The first and the last characters hold bits of what stands beside it.
        inner = coded[0 if offset == 0 else offset + 1 :].rstrip("=")
        yield inner[:-1]
        yield inner[:-1].replace("+", "-").replace("/", "_")


def _lower(text: str) -> str:
    """Of the same length: the small form of some letters has two."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join([each.lower()[:1] for each in text])


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
