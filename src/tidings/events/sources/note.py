"""What stands for a message that cannot be kept as it is, since it is no text, or larger than an event may be. Parked
like any payload, so that it is seen: where it came from and what it held, whole where it is not too large."""

from base64 import b64encode

import msgspec
from msgspec import Struct

from tidings.channels.words import cut, one_line
from tidings.events.event import MAX_EVENT_BYTES
from tidings.events.sources.contract import Parked

BEGINS = 2_048
"""Bytes that are shown of what is too large."""
_MARK = b'{"tidings_note":'


class Note(Struct, frozen=True):
    """`place`: where the message stands in its bus. `base64`: all of it, or its beginning."""

    why: str
    place: str
    bytes: int
    base64: str


class _Body(Struct, frozen=True):
    tidings_note: Note


def why_no_payload(body: bytes) -> str:
    """Empty when it can be parked as it is."""
    if len(body) > MAX_EVENT_BYTES:
        return f"It has {len(body):,} bytes, and an event may have {MAX_EVENT_BYTES // 1024} KiB"
    try:
        return "It holds the character U+0000" if "\0" in body.decode() else ""
    except UnicodeDecodeError as error:
        return f"It is no text in UTF-8: byte {error.start} (0x{body[error.start]:02x}) is part of no character"


def is_whole(body: bytes) -> bool:
    """Whether a note of it would hold all of it."""
    return len(body) <= MAX_EVENT_BYTES


def write_note(body: bytes, why: str, place: str) -> bytes:
    """The same message makes the same note."""
    kept = body if is_whole(body) else body[:BEGINS]
    return msgspec.json.encode(_Body(Note(why, cut(one_line(place), 300), len(body), b64encode(kept).decode())))


def read_note(body: bytes) -> Parked | None:
    """None: it is a payload like any other."""
    if not body.startswith(_MARK):
        return None
    try:
        note = msgspec.json.decode(body, type=_Body).tidings_note
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    said = f"{note.why}. Where it came from: {note.place}."
    return Parked("not_understood", "".join(each for each in one_line(said) if each.isprintable())[:500])
