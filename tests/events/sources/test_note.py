"""What cannot be kept as it is leaves a note, the same each time, and is never taken for a payload."""

import json
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.events.event import MAX_EVENT_BYTES
from tidings.events.sources.note import BEGINS, read_note, why_no_payload, write_note


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{}", ""),
        ("é".encode(), ""),
        (b"\xff\xfe", "byte 0 (0xff)"),
        (b"a\0b", "U+0000"),
        (b" " * (MAX_EVENT_BYTES + 1), "262,145 bytes"),
    ],
)
def test_why_a_body_cannot_be_parked_as_it_is(body: bytes, says: str) -> None:
    why = why_no_payload(body)
    assert says in why
    assert bool(why) == bool(says)


def test_a_note_says_where_it_came_from_and_holds_it_whole() -> None:
    raw = bytes(range(256))
    note = write_note(raw, why_no_payload(raw), "tickets 3:17")
    assert note == write_note(raw, why_no_payload(raw), "tickets 3:17")
    kept = json.loads(note)["tidings_note"]
    assert (kept["bytes"], b64decode(kept["base64"])) == (256, raw)
    parked = read_note(note)
    assert parked is not None
    assert parked.reason == "not_understood"
    assert "tickets 3:17" in parked.detail


def test_of_what_is_too_large_it_holds_the_beginning() -> None:
    raw = b"x" * 10_000_000
    note = write_note(raw, why_no_payload(raw), "tickets 1")
    assert len(note) < 4_000
    assert b64decode(json.loads(note)["tidings_note"]["base64"]) == raw[:BEGINS]


@given(st.binary(max_size=200), st.text(max_size=400))
def test_whatever_it_holds_it_can_be_kept_and_shown(raw: bytes, place: str) -> None:
    note = write_note(raw, why_no_payload(raw) or "x", place.encode(errors="replace").decode())
    assert why_no_payload(note) == ""
    parked = read_note(note)
    assert parked is not None
    assert parked.detail.isprintable()


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"tidings_note":', b'{"tidings_note": 1}', b'{"tidings_note":{"why":1}}']
)
def test_what_is_none_is_not_taken_for_one(body: bytes) -> None:
    assert read_note(body) is None
