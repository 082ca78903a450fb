"""Events in our own form and CloudEvents, from senders that do not look at answers: what `POST /events` would refuse is
parked with the same words."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.delivery.given import event

from tidings.events.event import Event
from tidings.events.sources.contract import Known, Parked, Push
from tidings.events.sources.mapping import row_of
from tidings.events.sources.registry import ADAPTERS

OURS = ADAPTERS["tidings"]
RECEIVED = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)


def read(body: Any, rows: Any = (), **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return OURS.read(Push(named, raw, RECEIVED), Known(OURS.mapping.before(rows)))


def one(body: Any, **headers: str) -> Event:
    [found] = read(body, **headers)
    assert isinstance(found, Event)
    return found


def cloudevent(**changes: Any) -> dict[str, Any]:
    ours = event()
    data = {name: ours[name] for name in ("subject", "people")}
    return {"specversion": "1.0", "id": "1", "source": "dms", "type": ours["type"], "data": data} | changes


def test_an_event_of_our_own_form_is_itself() -> None:
    assert one(event(id="88123-7")).id == "88123-7"


@pytest.mark.parametrize("kind", ["", "application/json; charset=utf-8", "text/plain", "application/octet-stream", "x"])
def test_what_a_library_writes_as_content_type_does_not_matter(kind: str) -> None:
    assert one(event(id="7"), content_type=kind).id == "7"
    assert one(cloudevent(id="8"), content_type=kind).id == "8"


def test_a_cloudevent_is_read_structured_and_binary() -> None:
    assert one(cloudevent(id="7"), content_type="application/cloudevents+json").id == "7"
    said = cloudevent()
    attributes = {f"ce_{name}": str(value) for name, value in said.items() if name != "data"}
    for kind in ({}, {"content_type": "application/json"}, {"content_type": "application/octet-stream"}):
        assert one(said["data"], **attributes, **kind).type == said["type"]


def test_several_in_one_body_are_several() -> None:
    both = [event(id="1"), event(id="2")]
    lines = b"\n".join(json.dumps(each).encode() for each in both)
    batch = [cloudevent(id="1"), cloudevent(id="2")]
    for found in (
        read(both),
        read(lines, content_type="application/x-ndjson"),
        read(batch, content_type="application/cloudevents-batch+json"),
    ):
        assert [each.id for each in found] == ["1", "2"]


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        (b"{", "not_understood", "This is not JSON in UTF-8"),
        (b"\xff\xfe", "not_understood", "part of no character"),
        (b"[" * 100_000, "not_understood", "nested"),
        ({"id": "1"}, "invalid_event", "missing required field"),
        (event(submitted_by="ann"), "invalid_event", "unknown field `submitted_by`"),
        ([event(), {"id": "1"}], "invalid_event", "missing required field"),
        ({"specversion": "2.0"}, "invalid_event", "1.0"),
    ],
)
def test_what_would_be_refused_is_parked_with_the_same_words(body: Any, reason: str, says: str) -> None:
    reading = read(body)
    assert isinstance(reading, Parked)
    assert reading.reason == reason
    assert says in reading.detail


def test_a_type_that_has_a_row_means_what_the_row_says() -> None:
    rows = [
        row_of(["event"], {"event": ["export.wants_approval"]}, "data_export.pending_approval"),
        row_of(["event"], {"event": ["export.draft_*"]}, None),
    ]
    [meant] = read(event(type="export.wants_approval"), rows)
    assert meant.type == "data_export.pending_approval"
    assert read(event(type="export.draft_saved"), rows) == []
    assert read(event(type="data_export.approved"), rows)[0].type == "data_export.approved"
