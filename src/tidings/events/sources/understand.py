"""What every adapter does with a payload: decode it as its system documents it, take texts, moments, people and links
out of it, say why it cannot be understood. Pure, and nothing here raises."""

import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypeVar
from urllib.parse import quote

import msgspec

from tidings.channels.words import cut, one_line
from tidings.events.event import PersonKey, PersonRef, is_link
from tidings.events.sources.contract import Parked
from tidings.events.sources.mapping import WordMap

T = TypeVar("T")
TITLE_LENGTH, LINK_LENGTH = 500, 2_000
SHOWN = 200
"""Characters of what came, in a detail."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Between seconds and milliseconds lie a thousand years: this many seconds are the year 5138, as milliseconds 1973.
_SECONDS_BELOW = 100_000_000_000
Text = str | int | None
"""What one system sends as a text, another version of it sends as a number."""


def decoded(decoder: msgspec.json.Decoder[T], body: bytes | str, system: str) -> T | Parked:
    """The payload as `system` documents it; what is unknown in it is left out."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Parked("not_understood", f"This is not what {system} documents: {line(str(error))}.")


def text(said: Text) -> str:
    return "" if said is None else str(said).strip()


def first(*said: Text) -> Text:
    """The first that says anything: different versions of a system have different names for one thing."""
    return next((each for each in said if text(each)), None)


def line(said: Text) -> str:
    """What may stand in a detail, and what is looked up in a mapping: one line, not too long, nothing unseen in it."""
    whole = cut(one_line(text(said)), SHOWN)
    # What no version of Unicode has given a shape yet is not seen either.
    return whole if whole.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in whole)


def is_secret(header: str, secret: str) -> bool:
    """Whether a header is the secret itself, by the bytes that were sent, in constant time. HTTP's headers come to us
    decoded as Latin-1, whatever they are; those of a bus as its library has decoded them."""
    try:
        sent = header.encode("latin-1")
    except UnicodeEncodeError:
        sent = header.encode(errors="surrogatepass")
    return hmac.compare_digest(sent, secret.encode(errors="surrogatepass"))


def title(said: Text) -> str:
    return cut(text(said), TITLE_LENGTH)


def moment(said: str | int | float | None, zone: tzinfo = UTC) -> datetime | None:
    """Milliseconds or seconds since 1970, as a number or a text; or as written (ISO 8601), in `zone` where it names
    none. None: it is no moment."""
    try:
        written = text(int(said) if isinstance(said, float) else said)
        if written.isascii() and written.isdigit():
            count = int(written)
            return _EPOCH + (timedelta(seconds=count) if count < _SECONDS_BELOW else timedelta(milliseconds=count))
        when = datetime.fromisoformat(written)
        return (when if when.tzinfo else when.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def person(said: Text) -> PersonRef | None:
    """Somebody whom a system or an option names: by mail address, else by login. None: nobody."""
    name = line(said)
    return PersonKey(email=name) if "@" in name else name or None


def several(said: Iterable[Text]) -> list[str]:
    """Each once, in their order: one text may name several, `ann, bo`."""
    return list(dict.fromkeys(one for each in said for part in text(each).split(",") if (one := line(part))))


def people(said: Iterable[Text]) -> list[PersonRef]:
    return [one for name in several(said) if (one := person(name))]


def link(said: Text) -> str:
    """Empty where it is no link that a subject may have: an event is not lost for that."""
    whole = text(said)
    return whole if is_link(whole) and len(whole) <= LINK_LENGTH else ""


def page(base: Text, *steps: Text) -> str:
    """The link to a page below where a system has its pages; empty where one of the steps is missing."""
    quoted = [quote(text(step), safe="", errors="replace") for step in steps]
    return link("/".join([text(base).rstrip("/"), *quoted])) if all(quoted) else ""


def incomplete(needed: Mapping[str, Text], words: Mapping[str, str]) -> Parked | None:
    """None: nothing of what is needed is missing."""
    missing = [name for name, said in needed.items() if not text(said)]
    return (
        Parked("incomplete", f"{' and '.join(missing)} missing: nobody can say what changed.", words)
        if missing
        else None
    )


def unmapped(words: dict[str, str], mapping: WordMap) -> Parked:
    said = ", ".join(f"{part} {word!r}" for part, word in words.items())
    near = mapping.nearest(words[mapping.parts[-1]])
    hint = f" The nearest {mapping.parts[-1]} known is {near!r}." if near else ""
    return Parked("unmapped", f"No row of the mapping has {said}.{hint}", words)
