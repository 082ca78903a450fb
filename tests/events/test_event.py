"""One event, checked before it joins a group: what passes here can be stored, and what is refused has a reason."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.channels.words import web_link
from tidings.events.event import MAX_DEPTH, MAX_EVENT_BYTES, Incoming, PersonKey, read_event, stored_event
from tidings.kernel.problems import Problem

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EXAMPLE: dict[str, Any] = {
    "id": "88123-7",
    "source": "dms-prod",
    "type": "data_change.pending_approval",
    "time": "2026-11-23T10:00:00Z",
    "subject": {"kind": "ticket", "id": "88123", "title": "Add index on orders", "url": "https://dms/tickets/88123"},
    "people": {"submitter": "ann", "approvers": ["bo", {"email": "dan@example.com"}], "related": ["eve"]},
    "actor": "ann",
    "resources": [{"instance": "rm-orders", "database": "orders", "table": "orders"}],
    "details": {"risk": "LOW", "affected_rows": 120, "comment": "as agreed"},
}


def example(**changes: Any) -> dict[str, Any]:
    """The example of the outside contract; `None` takes a member away."""
    return {name: value for name, value in (EXAMPLE | changes).items() if value is not None}


def read(event: dict[str, Any] | bytes, *, source: str = "") -> Incoming:
    return read_event(event if isinstance(event, bytes) else msgspec.json.encode(event), now=NOON, source=source)


def refusal(event: dict[str, Any] | bytes) -> Problem:
    with pytest.raises(Problem) as refused:
        read(event)
    return refused.value


def nested(levels: int) -> Any:
    return {"in": nested(levels - 1)} if levels else 1


# what is read


def test_the_contracts_example_is_read_whole() -> None:
    event = read(EXAMPLE).event
    assert (event.id, event.source, event.type) == ("88123-7", "dms-prod", "data_change.pending_approval")
    assert event.people.approvers == ["bo", PersonKey(email="dan@example.com")]
    assert event.resources[0].path() == "rm-orders/orders/orders"
    assert event.details["affected_rows"] == 120


def test_an_event_needs_only_an_id_a_type_and_a_subject() -> None:
    event = read({"id": "1", "type": "t", "subject": {"kind": "ticket", "id": "1"}}).event
    assert event.people.submitter is None
    assert event.resources == []


def test_the_tokens_source_is_used_when_the_event_names_none() -> None:
    assert read(example(source=None), source="dms").event.source == "dms"
    assert read(EXAMPLE, source="dms").event.source == "dms-prod"


def test_a_missing_time_means_now_and_is_not_written_into_what_is_kept() -> None:
    incoming = read(example(time=None))
    assert incoming.time == NOON
    assert stored_event(incoming.body).time is None


def test_a_time_of_another_zone_is_the_same_moment() -> None:
    assert read(example(time="2026-11-23T18:00:00+08:00")).time == datetime(2026, 11, 23, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "moment",
    ["1970-01-01T00:00:00Z", "1970-01-01T08:00:00+08:00", "1999-12-31T23:59:59.999999Z", "2026-11-24T12:00:00Z"],
)
def test_any_time_from_1970_up_to_a_day_ahead_is_taken(moment: str) -> None:
    assert read(example(time=moment)).time == datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    ("moment", "as_one_of"),
    [
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ("2016-12-31T23:59:60.25Z", "2016-12-31T23:59:59.25Z"),
        ("2017-01-01T05:29:60+05:30", "2016-12-31T23:59:59Z"),
        ("2016-12-31T15:59:60-08:00", "2016-12-31T23:59:59Z"),
    ],
)
def test_a_leap_second_is_the_second_before(moment: str, as_one_of: str) -> None:
    details = {"time": moment, "note": f'"time":"{moment}"'}
    incoming = read(example(time=moment, details=details))
    assert incoming.time == datetime.fromisoformat(as_one_of)
    assert incoming.event.details == details
    assert incoming.hash == read(example(time=as_one_of, details=details)).hash


@pytest.mark.parametrize(
    "moment",
    [
        "2016-12-31T12:00:60Z",
        "2016-12-31T23:59:61Z",
        "2016-12-31T23:60:60Z",
        "2016-12-31T23:59:60",
        "2016-13-01T23:59:60Z",
    ],
)
def test_any_other_sixtieth_second_is_refused(moment: str) -> None:
    assert refusal(example(time=moment)).code == "invalid_event"


def test_an_event_in_a_leap_second_may_be_wrong_otherwise() -> None:
    deep = b'{"time":"2016-12-31T23:59:60Z","details":' + b'{"a":' * 20_000
    assert refusal(deep).code == "invalid_event"
    assert "subjekt" in refusal(example(time="2016-12-31T23:59:60Z", subjekt={})).detail


def test_numbers_of_exactly_64_bits_are_taken() -> None:
    assert read(example(details={"low": -(2**63), "high": 2**63 - 1})).event.details["high"] == 2**63 - 1


def test_a_text_that_only_looks_like_an_escaped_nul_is_taken() -> None:
    assert read(example(details={"comment": r"a \u0000 in the source"})).event.details["comment"].startswith("a \\u")


def test_details_may_be_as_deep_as_promised() -> None:
    assert read(example(details=nested(MAX_DEPTH - 1))).event.details


def test_an_event_may_be_exactly_as_large_as_promised() -> None:
    empty = len(msgspec.json.encode(example(details={"comment": ""})))
    assert read(example(details={"comment": "x" * (MAX_EVENT_BYTES - empty)}))
    assert refusal(example(details={"comment": "x" * (MAX_EVENT_BYTES - empty + 1)})).status == 413


# what is refused

REFUSED = {
    "not JSON": (b"{", "malformed_json"),
    "no object": (b"[]", "invalid_event"),
    "nothing": (b"", "malformed_json"),
    "not UTF-8": (b'{"id":"\xff"}', "malformed_json"),
    "half a character": (b'{"id":"\xed\xa0\x80"}', "malformed_json"),
    "a lone surrogate": (b'{"id":"\\ud800"}', "malformed_json"),
    "without end": (b'{"details":' + b'{"a":' * 20_000, "too_deep"),
    "no id": (example(id=None), "invalid_event"),
    "an empty id": (example(id=""), "invalid_event"),
    "a long id": (example(id="x" * 201), "invalid_event"),
    "an id that is a number": (example(id=7), "invalid_event"),
    "no type": (example(type=None), "invalid_event"),
    "no subject": (example(subject=None), "invalid_event"),
    "a subject without an id": (example(subject={"kind": "ticket"}), "invalid_event"),
    "a strange kind": (example(subject={"kind": "Ticket!", "id": "1"}), "invalid_event"),
    "a kind with a line break": (example(subject={"kind": "ticket\n", "id": "1"}), "invalid_event"),
    "a long kind with a line break": (example(subject={"kind": "a" * 40 + "\n", "id": "1"}), "invalid_event"),
    "a long title": (example(subject={"kind": "ticket", "id": "1", "title": "x" * 501}), "invalid_event"),
    "a link that runs": (example(subject={"kind": "ticket", "id": "1", "url": "javascript:alert(1)"}), "invalid_event"),
    "a time without a zone": (example(time="2026-11-23T10:00:00"), "invalid_event"),
    "a time that is none": (example(time="yesterday"), "invalid_event"),
    "a number for a time": (example(time=1_700_000_000), "invalid_event"),
    "the zero time of Go": (example(time="0001-01-01T00:00:00Z"), "time_before_1970"),
    "a time before all time": (example(time="0001-01-01T00:00:00+14:00"), "time_before_1970"),
    "a moment before 1970": (example(time="1970-01-01T00:00:00.999999+00:01"), "time_before_1970"),
    "more than a day ahead": (example(time="2026-11-24T12:00:01Z"), "time_in_the_future"),
    "the end of time": (example(time="9999-12-31T23:59:59-14:00"), "time_in_the_future"),
    "an unknown member": (example(subjekt={}), "invalid_event"),
    "an unknown member of people": (example(people={"approver": ["bo"]}), "invalid_event"),
    "an unknown key of a person": (example(actor={"login": "ann"}), "invalid_event"),
    "a person without a key": (example(people={"related": [{}]}), "invalid_event"),
    "a person with two keys": (example(people={"submitter": {"email": "a@b", "mobile": "+49"}}), "invalid_event"),
    "an actor with two keys": (example(actor={"email": "a@b", "external_id": "7"}), "invalid_event"),
    "too many people": (example(people={"approvers": ["bo"] * 1_001}), "invalid_event"),
    "too many resources": (example(resources=[{"instance": "rm"}] * 101), "invalid_event"),
    "a resource without an instance": (example(resources=[{"database": "orders"}]), "invalid_event"),
    "details that are a list": (example(details=[1]), "invalid_event"),
    "a number too large": (b'{"id":"1","type":"t","subject":{"kind":"k","id":"1"},"details":{"n":9223372036854775808}}',
                           "number_too_large"),
    "a number far too large": (example(details={"deep": [[-(2**64)]]}), "number_too_large"),
    "a number without end": (b'{"id":"1","type":"t","subject":{"kind":"k","id":"1"},"details":{"n":1e400}}',
                             "invalid_event"),
    "too deep": (example(details=nested(MAX_DEPTH)), "too_deep"),
    "a NUL in the id": (example(id="a\0"), "nul_character"),
    "a NUL in a login": (example(people={"submitter": "a\0"}), "nul_character"),
    "a NUL in a detail": (example(details={"list": [{"comment": "a\0"}]}), "nul_character"),
    "a NUL in a detail's name": (example(details={"a\0": 1}), "nul_character"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_kept_is_refused_with_a_reason(name: str) -> None:
    event, code = REFUSED[name]
    problem = refusal(event)
    assert problem.code == code
    assert problem.status == 422
    assert problem.detail.endswith(".")


LINKS = (
    "https://dms.example.com/tickets/88123?tab=approval&from=mail#top", "http://localhost:8080/x", "https://dms",
    "http://10.0.0.1/x", "http://[::1]:8080/x", "https://工单.例子/单/1?q=值", "HTTPS://DMS/x", "https://dms/a'b{c}|d^e",
    "https://dms/a%20b%0d%0a", "https://a_b.internal/",
)  # fmt: skip


@pytest.mark.parametrize("url", LINKS)
def test_a_link_may_be_any_web_address(url: str) -> None:
    assert read(example(subject=EXAMPLE["subject"] | {"url": url})).event.subject.url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://", "https://", "http:///x", "https:dms/x", "//dms/x", "dms/x", "javascript:alert(1)//https://dms/",
        "http://x\r\nBcc: a@b", 'http://a b"><script>', "http://x/a b", 'http://x/"', "http://x/<", "http://x/`",
        "http://x\\@dms/", "https://dms.example.com@evil.example/", "https://u:p@dms/", "https://dms:99999999/",
        "https://[::1/", "https://dms/\u202egpj.exe", "https://d\u200bms/", "https://dms/\u3000", "https://dms/\x7f",
    ],
)  # fmt: skip
def test_what_is_no_link_is_refused(url: str) -> None:
    problem = refusal(example(subject=EXAMPLE["subject"] | {"url": url}))
    assert (problem.status, problem.code) == (422, "invalid_event")
    assert "`subject.url` is no link" in problem.detail


@pytest.mark.parametrize("url", LINKS)
def test_what_is_taken_for_a_link_becomes_one_in_messages(url: str) -> None:
    link = web_link(url)
    assert (
        link.replace("%27", "'").replace("%7B", "{").replace("%7D", "}").replace("%7C", "|").replace("%5E", "^") == url
    )


@pytest.mark.parametrize(
    "text", ["工单 7", "a/b//c/", "/x", "%2F", "a?b#c", "a b", "\u3000x", "é", "...", "a.b/.c/d..", "x\u0301"]
)
def test_an_id_is_any_text_that_can_be_seen(text: str) -> None:
    assert read(example(id=text, subject={"kind": "ticket", "id": text})).event.subject.id == text


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r", "\t", "\x1b[0m", "\x7f", "\x85", "a\u200bb", "\ufeffa", "\u2028", "\u202ea"]
)
def test_an_id_with_what_cannot_be_seen_is_refused(text: str) -> None:
    for event in (example(id=text), example(subject={"kind": "ticket", "id": text})):
        problem = refusal(event)
        assert (problem.status, problem.code) == (422, "invalid_event")
        assert "id` holds a control or an invisible character" in problem.detail


@pytest.mark.parametrize("text", [".", ".."])
def test_an_id_that_is_a_step_in_a_path_is_refused_for_a_subject(text: str) -> None:
    assert "is a step in a path" in refusal(example(subject={"kind": "ticket", "id": text})).detail
    assert read(example(id=text)).event.id == text


def test_a_refusal_names_the_place() -> None:
    assert "$.people.approvers[0]" in refusal(example(people={"approvers": [7]})).detail


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b'{"id":"\\ud800"}', r"\ud800 at byte 7 is one half of a character"),
        (b'{"id":"a\\uDE00b"}', r"\uDE00 at byte 8 is one half"),
        (b'{"id":"\\ud83d\\ude00\\ud83d"}', r"\ud83d at byte 19 is one half"),
        (b'{"id":"\xff"}', "byte 7 (0xff) is part of no character"),
        ('{"id":"工单'.encode()[:-1], "byte 10 (0xe5) is part of no character"),
        (b'{"id":"\\\\ud800', "truncated"),
    ],
)
def test_a_broken_character_is_called_what_it_is(raw: bytes, place: str) -> None:
    assert place in refusal(raw).detail


# what is kept

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
refs = texts | st.fixed_dictionaries({}, optional=dict.fromkeys(("email", "mobile", "external_id", "login"), texts))
moments = st.datetimes(timezones=st.timezones() | st.just(UTC) | st.none()).map(lambda moment: moment.isoformat())
events = st.fixed_dictionaries(
    {
        "id": texts,
        "type": texts,
        "subject": st.fixed_dictionaries(
            {"kind": st.sampled_from(["ticket", "task_flow", "x" * 40, "Ticket", "a\n"]) | texts, "id": texts},
            optional={"title": texts, "url": texts | st.just("https://dms/1")},
        ),
    },
    optional={
        "source": texts,
        "time": moments | texts,
        "people": st.fixed_dictionaries(
            {},
            optional={
                "submitter": refs,
                "approvers": st.lists(refs, max_size=3),
                "related": st.lists(refs, max_size=3),
            },
        ),
        "actor": refs,
        "resources": st.lists(
            st.fixed_dictionaries({"instance": texts}, optional={"database": texts, "table": texts}), max_size=3
        ),
        "details": st.dictionaries(texts, values, max_size=4),
    },
)


def outcome(raw: bytes) -> Incoming | Problem:
    try:
        return read_event(raw, now=NOON, source="dms")
    except Problem as problem:
        return problem


@given(events)
def test_an_event_is_taken_or_refused_and_nothing_else(event: dict[str, Any]) -> None:
    read = outcome(msgspec.json.encode(event))
    if isinstance(read, Problem):
        assert read.status == 422
    else:
        assert read.time.tzinfo is UTC
        assert read.time <= NOON + timedelta(hours=24)
        assert b"\0" not in read.body
        assert read.body.decode().encode() == read.body


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode(errors="surrogatepass")))
def test_any_bytes_are_refused_and_raise_nothing_else(raw: bytes) -> None:
    assert isinstance(outcome(raw), Problem)


@given(events)
def test_what_is_stored_is_what_was_read(event: dict[str, Any]) -> None:
    read = outcome(msgspec.json.encode(event))
    if isinstance(read, Incoming):
        again = stored_event(read.body)
        assert again == read.event
        assert outcome(read.body).hash == read.hash  # type: ignore[union-attr]


@given(events, st.randoms(use_true_random=False))
def test_the_order_of_members_and_white_space_change_nothing(event: dict[str, Any], chance: Any) -> None:
    first = outcome(msgspec.json.encode(event))
    second = outcome(msgspec.json.format(msgspec.json.encode(shuffled(event, chance)), indent=2))
    if isinstance(first, Incoming):
        assert isinstance(second, Incoming)
        assert second.hash == first.hash


def shuffled(value: Any, chance: Any) -> Any:
    if isinstance(value, dict):
        items = list(value.items())
        chance.shuffle(items)
        return {name: shuffled(item, chance) for name, item in items}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


@given(events, events)
def test_the_same_hash_means_the_same_event(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = outcome(msgspec.json.encode(one)), outcome(msgspec.json.encode(other))
    if isinstance(first, Incoming) and isinstance(second, Incoming):
        assert (first.hash == second.hash) == (first.body == second.body)


CHANGES: dict[str, dict[str, Any]] = {
    "title": {"subject": EXAMPLE["subject"] | {"title": "Add index on order"}},
    "time": {"time": "2026-11-23T10:00:01Z"},
    "no time": {"time": None},
    "people's order": {"people": EXAMPLE["people"] | {"approvers": [{"email": "dan@example.com"}, "bo"]}},
    "a person by another key": {"actor": {"external_id": "ann"}},
    "a number's kind": {"details": EXAMPLE["details"] | {"affected_rows": 120.0}},
    "a detail": {"details": EXAMPLE["details"] | {"risk": "HIGH"}},
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_other_content_has_another_hash(name: str) -> None:
    assert read(example(**CHANGES[name])).hash != read(EXAMPLE).hash


def test_members_that_say_nothing_do_not_count_as_content() -> None:
    bare = {"id": "1", "type": "t", "subject": {"kind": "ticket", "id": "1"}}
    assert read(bare | {"source": "", "details": {}, "resources": [], "actor": None}).hash == read(bare).hash


def test_the_same_moment_in_another_zone_is_the_same_content() -> None:
    assert read(example(time="2026-11-23T18:00:00+08:00")).hash == read(EXAMPLE).hash
