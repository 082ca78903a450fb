"""The shapes an event may arrive in. They all end in the same event, or in a problem that says what to send instead."""

import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.events.event import MAX_BATCH_EVENTS, Incoming
from tidings.events.receive import receive_many, receive_one
from tidings.events.split import split_array
from tidings.kernel.problems import Problem

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DATA: dict[str, Any] = {
    "subject": {"kind": "ticket", "id": "88123", "title": "Add index on orders"},
    "people": {"submitter": "ann", "approvers": ["bo"]},
    "details": {"risk": "LOW"},
}
ATTRIBUTES = {"id": "88123-7", "source": "dms", "type": "data_change.pending_approval", "time": "2026-11-23T10:00:00Z"}
NATIVE = ATTRIBUTES | DATA
STRUCTURED = {"specversion": "1.0", "datacontenttype": "application/json", **ATTRIBUTES, "data": DATA}
JSON, NDJSON = {"content-type": "application/json"}, {"content-type": "application/x-ndjson"}
CLOUDEVENT = {"content-type": "application/cloudevents+json; charset=utf-8"}
CLOUDEVENTS = {"content-type": "application/cloudevents-batch+json"}


def one(body: Any, headers: dict[str, str] = JSON, source: str = "dms") -> Incoming:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return receive_one(headers, raw, now=NOON, source=source)


def many(body: Any, headers: dict[str, str] = JSON) -> list[Incoming | Problem]:
    return list(
        receive_many(headers, body if isinstance(body, bytes) else msgspec.json.encode(body), now=NOON, source="dms")
    )


def refusal(body: Any, headers: dict[str, str] = JSON) -> Problem:
    with pytest.raises(Problem) as refused:
        one(body, headers)
    return refused.value


def in_headers(**changes: str) -> dict[str, str]:
    attributes = {"specversion": "1.0"} | ATTRIBUTES | changes
    return JSON | {f"ce-{name}": value for name, value in attributes.items() if value}


# one event


def test_every_shape_of_one_event_is_the_same_event() -> None:
    shapes = [one(NATIVE), one(STRUCTURED, CLOUDEVENT), one(DATA, in_headers()), *many([NATIVE])]
    shapes += [*many([STRUCTURED], CLOUDEVENTS), *many(msgspec.json.encode(NATIVE) + b"\r\n", NDJSON)]
    assert {each.hash for each in shapes if isinstance(each, Incoming)} == {shapes[0].hash}
    assert len(shapes) == 6


def test_a_body_without_a_content_type_is_taken_for_json() -> None:
    assert one(NATIVE, {}).hash == one(NATIVE).hash


def test_a_content_type_may_be_written_in_capitals() -> None:
    assert one(STRUCTURED, {"content-type": "Application/CloudEvents+JSON"}).hash == one(NATIVE).hash


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "multipart/form-data", "", "application/jso"]
)
def test_another_content_type_is_refused(content_type: str) -> None:
    assert refusal(NATIVE, {"content-type": content_type}).status == 415


def test_a_batch_is_sent_elsewhere() -> None:
    problem = refusal([STRUCTURED], CLOUDEVENTS)
    assert (problem.status, problem.code) == (415, "batch_elsewhere")
    assert "/api/v1/events/batch" in problem.detail


# CloudEvents


def test_a_textual_subject_is_the_tickets_key_when_data_names_none() -> None:
    data = {name: value for name, value in DATA.items() if name != "subject"}
    assert one(STRUCTURED | {"subject": "77", "data": data}, CLOUDEVENT).event.subject.id == "77"
    assert one(STRUCTURED | {"subject": "77"}, CLOUDEVENT).event.subject.id == "88123"


def test_extension_attributes_are_passed_over() -> None:
    assert one(STRUCTURED | {"traceparent": "00-1-1-00"}, CLOUDEVENT).hash == one(NATIVE).hash


def test_attributes_in_headers_are_percent_decoded() -> None:
    assert one(DATA, in_headers(id=quote("工单 7"))).event.id == "工单 7"


def test_the_envelope_wins_over_what_its_data_says() -> None:
    assert one(STRUCTURED | {"data": DATA | {"id": "other", "type": "other"}}, CLOUDEVENT).event.id == "88123-7"


CLOUDEVENTS_REFUSED: dict[str, tuple[Any, str]] = {
    "no version": ({name: value for name, value in STRUCTURED.items() if name != "specversion"}, "invalid_cloudevent"),
    "another version": (STRUCTURED | {"specversion": "0.3"}, "invalid_cloudevent"),
    "no data": ({name: value for name, value in STRUCTURED.items() if name != "data"}, "invalid_cloudevent"),
    "data in base64": ({"specversion": "1.0", **ATTRIBUTES, "data_base64": "e30="}, "invalid_cloudevent"),
    "a text for data": (STRUCTURED | {"data": "{}"}, "invalid_cloudevent"),
    "an unknown member": (STRUCTURED | {"data": DATA | {"subjekt": {}}}, "invalid_event"),
    "an id that is a number": (STRUCTURED | {"id": 7}, "invalid_event"),
    "a list": ([STRUCTURED], "malformed_json"),
    "no JSON": (b"{", "malformed_json"),
    "a number too large": (
        msgspec.json.encode(STRUCTURED).replace(b'"LOW"', b"99999999999999999999"),
        "number_too_large",
    ),
    "a number without end": (msgspec.json.encode(STRUCTURED).replace(b'"LOW"', b"1e999"), "malformed_json"),
    "without end": (b'{"specversion":"1.0","data":' + b'{"a":' * 20_000, "too_deep"),
}


@pytest.mark.parametrize("name", CLOUDEVENTS_REFUSED)
def test_a_wrong_cloudevent_is_refused_with_a_reason(name: str) -> None:
    body, code = CLOUDEVENTS_REFUSED[name]
    assert refusal(body, CLOUDEVENT).code == code


def test_a_binary_cloudevent_without_a_body_is_refused() -> None:
    assert refusal(b"", in_headers()).code == "invalid_cloudevent"


def test_a_nul_that_hides_in_a_header_is_refused() -> None:
    assert refusal(DATA, in_headers(id="a%00")).code == "nul_character"


# many events


def test_each_event_of_a_batch_stands_for_itself() -> None:
    first, second, third, fourth = many([NATIVE, NATIVE | {"id": ""}, 7, NATIVE | {"id": "2"}])
    assert isinstance(first, Incoming)
    assert isinstance(second, Problem)
    assert isinstance(third, Problem)
    assert isinstance(fourth, Incoming)


def test_empty_lines_are_no_events() -> None:
    line = msgspec.json.encode(NATIVE)
    assert len(many(b"\n" + line + b"\n\r\n  \n" + line, NDJSON)) == 2


def test_a_line_that_is_cut_off_spoils_only_itself() -> None:
    line = msgspec.json.encode(NATIVE)
    good, bad = many(line + b"\n" + line[:50], NDJSON)
    assert isinstance(good, Incoming)
    assert isinstance(bad, Problem)


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"[1,", b"null", b"\xff"])
def test_what_is_no_list_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        many(body)
    assert (refused.value.status, refused.value.code) == (422, "malformed_json")


BROKEN: dict[str, tuple[bytes, str]] = {
    "half a character": (b'{"id":"\\ud800"}', "malformed_json"),
    "not UTF-8": (b'{"id":"\xff"}', "malformed_json"),
    "too deep": (b'{"details":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001, "too_deep"),
    "deep lists": (b'{"details":{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}}", "too_deep"),
    "a wrong number": (b'{"id":01}', "malformed_json"),
    "a wrong word": (b'{"id":nil}', "malformed_json"),
    "brackets that do not match": (b'{"details":{"a":[}]}', "malformed_json"),
    "brackets in a text": (b'{"id":nil,"type":"]}\\"],[{"}', "malformed_json"),
    "nothing": (b"", "malformed_json"),
}


@pytest.mark.parametrize("headers", [JSON, CLOUDEVENTS], ids=["native", "cloudevents"])
@pytest.mark.parametrize("name", BROKEN)
def test_one_event_that_cannot_be_read_does_not_take_the_others_with_it(name: str, headers: dict[str, str]) -> None:
    broken, code = BROKEN[name]
    content = NATIVE if headers is JSON else STRUCTURED
    good = [msgspec.json.encode(content | {"id": f'{number} "],[{{'}) for number in range(3)]
    first, refused, second, other, third = many(
        b" [" + b" ,\n".join([good[0], broken, good[1], broken, good[2]]) + b"\n]\r\n", headers
    )
    kept = [each.event.id for each in (first, second, third) if isinstance(each, Incoming)]
    assert kept == ['0 "],[{', '1 "],[{', '2 "],[{']
    for each in (refused, other):
        assert isinstance(each, Problem)
        assert (each.status, each.code) == (422, code)


@pytest.mark.parametrize(
    "body", [b'[{"a":nil},{}', b"[nil] ,", b"[nil]]", b"nil,[]", b'{"a":nil}', b'["a', b'[nil,"]', b'"', b"[nil}x"]
)
def test_a_batch_that_is_cut_off_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        many(body)
    assert refused.value.code == "malformed_json"


@pytest.mark.parametrize(
    "body",
    [b"[" * 8_000_000, b"[" + b"[]" * 4_000_000, b"[" + b'""' * 4_000_000, b'["' + b'\\"' * 4_000_000,
     b'["' + b"\\" * 8_000_001, b"[" + b"," * 8_000_000, b'["a"' * 2_000_000, b"[x" + b"1" * 8_000_000],
    ids=["open", "pairs", "texts", "escapes", "backslashes", "commas", "both", "digits"],
)  # fmt: skip
def test_no_batch_however_hostile_keeps_a_node_busy_for_long(body: bytes) -> None:
    began = time.process_time()
    with pytest.raises(Problem):
        many(body)
    assert time.process_time() - began < 3  # a fraction of a second where nothing else runs


items = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(items, min_size=1))
def test_an_array_is_taken_apart_as_it_would_be_read(array: list[Any]) -> None:
    for raw in (msgspec.json.encode(array), msgspec.json.format(msgspec.json.encode(array), indent=2)):
        parts = split_array(raw)
        assert parts is not None
        assert [msgspec.json.decode(part) for part in parts] == array


def test_an_empty_batch_is_a_batch() -> None:
    assert many([]) == []
    assert many(b"", NDJSON) == []


@pytest.mark.parametrize("headers", [JSON, NDJSON, CLOUDEVENTS])
def test_a_batch_of_more_than_a_thousand_is_refused_as_a_whole(headers: dict[str, str]) -> None:
    fits, line = [1] * MAX_BATCH_EVENTS, b"1\n"
    assert len(many(line * MAX_BATCH_EVENTS if headers is NDJSON else fits, headers)) == MAX_BATCH_EVENTS
    with pytest.raises(Problem) as refused:
        many(line * (MAX_BATCH_EVENTS + 1) if headers is NDJSON else [*fits, 1], headers)
    assert (refused.value.status, refused.value.code) == (413, "batch_too_large")


def test_a_batch_in_an_unknown_shape_is_refused() -> None:
    with pytest.raises(Problem) as refused:
        many([], {"content-type": "text/csv"})
    assert refused.value.status == 415


content_types = st.sampled_from(
    ["application/json", "application/x-ndjson", "application/jsonl", "application/cloudevents+json",
     "application/cloudevents-batch+json", "text/plain", "application/json; charset=utf-16"]
)  # fmt: skip
headers = st.dictionaries(
    st.sampled_from(["ce-specversion", "ce-id", "ce-type", "ce-source", "ce-time", "ce-subject", "ce-data", "ce-"]),
    st.sampled_from(["1.0", "%00", "%ED%A0%80", "\xff", "", "2026-11-23T10:00:00"]) | st.text(max_size=8),
    max_size=6,
)
fragments = st.sampled_from(
    [b"[", b"]", b"{", b"}", b",", b":", b'"id"', b'"specversion":"1.0",', b'"data":', b'"\\ud800"', b'"\\u0000"',
     b"\n", b"1e999", b"99999999999999999999", b"null", b"\xff",
     msgspec.json.encode(NATIVE), msgspec.json.encode(STRUCTURED)]
)  # fmt: skip


@given(headers, content_types, st.lists(fragments, max_size=8).map(b"".join))
def test_whatever_arrives_ends_as_events_or_problems(more: dict[str, str], content_type: str, body: bytes) -> None:
    sent = more | {"content-type": content_type}
    for receive in (receive_one, receive_many):
        try:
            received = receive(sent, body, now=NOON, source="dms")
        except Problem as problem:
            assert problem.status in (413, 415, 422)
            assert problem.body()
            continue
        for each in [received] if isinstance(received, Incoming) else received:
            assert isinstance(each, Incoming | Problem)
