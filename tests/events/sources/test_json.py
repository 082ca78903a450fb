"""Any JSON: a body is read as its source describes it. GitHub's payload is abridged from its documentation
(https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.events.sources.test_every_adapter import ANY, check

from tidings.channels.check import check_values
from tidings.channels.field_words import missing_words
from tidings.events.event import Event, PersonKey, Resource
from tidings.events.sources.contract import Known, Parked, Push
from tidings.events.sources.json.expression import Failed, checked_expression, evaluate
from tidings.events.sources.json.interpret import Budget
from tidings.events.sources.mapping import row_of
from tidings.events.sources.registry import ADAPTERS
from tidings.kernel.problems import Problem

ADAPTER = ADAPTERS["json"]
NOW = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
DESCRIBED = {"what": "body.kind", "status": "body.state", "subject_id": "body.no"}
BODY = {"kind": "Data change", "state": "Pending approval", "no": 4711}


def options(**said: Any) -> dict[str, Any]:
    return check_values(ADAPTER.options, said, {})


def read(
    body: Any, headers: dict[str, str] | None = None, rows: Sequence[Any] = (), **said: Any
) -> Sequence[Event] | Parked:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ADAPTER.read(Push(headers or {}, raw, NOW), Known(ADAPTER.mapping.before(rows), options(**said)))


def one(body: Any, headers: dict[str, str] | None = None, rows: Sequence[Any] = (), **said: Any) -> Event:
    reading = read(body, headers, rows, **said)
    assert not isinstance(reading, Parked), reading
    [event] = reading
    return event


def parked(body: Any, headers: dict[str, str] | None = None, rows: Sequence[Any] = (), **said: Any) -> Parked:
    reading = read(body, headers, rows, **said)
    assert isinstance(reading, Parked), reading
    return reading


def made(part: str, expression: str, body: Any, **said: Any) -> Any:
    """What this option makes of a body."""
    return getattr(one({**BODY, **body}, **DESCRIBED, **{part: expression}, **said), part)


def refused(part: str, expression: str, body: Any) -> str:
    found = parked({**BODY, **body}, **DESCRIBED, **{part: expression})
    assert found.reason == "not_understood"
    assert found.detail.startswith(f"{part}: ")
    return found.detail


# without a description


def test_a_source_that_describes_nothing_sends_events_of_our_own_form() -> None:
    sent = {
        "id": "7",
        "type": "data_change.approved",
        "subject": {"kind": "ticket", "id": "5"},
        "people": {"submitter": "ann"},
    }
    event = one(sent)
    assert (event.id, event.type, event.subject.id, event.people.submitter) == ("7", "data_change.approved", "5", "ann")
    assert event.time is None
    assert [each.id for each in read([sent, {**sent, "id": "8"}])] == ["7", "8"]  # type: ignore[union-attr]


def test_an_id_is_made_where_there_is_none() -> None:
    sent = {"type": "data_change.approved", "subject": {"kind": "ticket", "id": "5"}}
    event = one(sent)
    assert (len(event.id), event.time) == (32, NOW)
    assert (
        one({**sent, "time": "2026-11-23T10:00:00Z"}).id == one({**sent, "time": "2026-11-23T10:00:00Z"}).id != event.id
    )


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{", "The body is no JSON: Input data was truncated."),
        ({"ticket": 5}, "This is no event of Tidings' own form: Object contains unknown field `ticket`."),
        ({"type": "x"}, "This is no event of Tidings' own form: Object missing required field `subject`."),
        ([5], "An event is an object, and this is the number 5."),
        ("x", 'The body is the text "x", and has to be a list of objects.'),
        ([{}] * 101, "The body has 101 events, and one body may carry 100: have them sent in several."),
    ],
)
def test_what_is_no_event_of_ours_says_so(body: Any, detail: str) -> None:
    found = parked(body)
    assert (found.reason, found.detail[: len(detail)]) == ("not_understood", detail)


@pytest.mark.parametrize(
    "part",
    ["id", "type", "what", "status", "subject_id", "subject_kind", "title", "url", "time", "submitter", "approvers",
     "related", "actor", "resources", "details"],
)  # fmt: skip
@pytest.mark.parametrize("expression", ["sum(body.many)", "[sum(body.many)]", "{a: sum(body.many)}"])
def test_a_number_that_nobody_can_write_is_parked_by_the_name_of_the_option(part: str, expression: str) -> None:
    huge = b'{"kind": "Data change", "state": "approved", "no": 1, "many": [' + b", ".join([b"9" * 4300] * 20) + b"]}"
    found = parked(huge, **{**DESCRIBED, part: expression})
    assert (found.reason, found.detail.partition(":")[0]) == ("not_understood", part)
    assert 20 < len(found.detail) < 300


# what happened, to what


def test_the_catalogues_words_are_known_in_both_languages() -> None:
    for kind, state in [
        ("Data change", "pending  APPROVAL"),
        ("data_change", "pending_approval"),
        ("数据变更", "待审批"),
    ]:
        event = one({**BODY, "kind": kind, "state": state}, **DESCRIBED)
        assert (event.type, event.subject.kind, event.subject.id) == ("data_change.pending_approval", "ticket", "4711")
    flow = one({**BODY, "kind": "task_orchestration", "state": "tasks_failed"}, **DESCRIBED)
    assert (flow.type, flow.subject.kind) == ("task_orchestration.tasks_failed", "task_flow")


def test_rows_of_its_own_come_first() -> None:
    rows = [
        row_of(("what", "status"), {"status": ["open*"]}, "sql_review.passed"),
        row_of(("what", "status"), {"what": ["chat"]}, None),
    ]
    assert one({**BODY, "state": "Opened"}, rows=rows, **DESCRIBED).type == "sql_review.passed"
    assert read({**BODY, "kind": "chat", "state": "x"}, rows=rows, **DESCRIBED) == []
    found = parked({**BODY, "state": "pending aproval"}, rows=rows, **DESCRIBED)
    assert (found.reason, found.words) == ("unmapped", {"what": "Data change", "status": "pending aproval"})


def test_a_type_is_taken_as_it_is_said_and_words_where_it_is_not() -> None:
    said = {**DESCRIBED, "type": "body.type"}
    assert one({**BODY, "type": "own.done"}, **said).type == "own.done"
    assert one(BODY, **said).type == "data_change.pending_approval"
    assert one(BODY, type="'data_change.approved'", subject_id="body.no").type == "data_change.approved"


@pytest.mark.parametrize(
    ("said", "body", "detail"),
    [
        ({"subject_id": "body.no"}, {}, "type: no option says what it is, so nobody can say what happened."),
        (
            {"type": "body.x", "subject_id": "body.no"},
            {},
            "type: type give nothing here, so nobody can say what happened.",
        ),
        (DESCRIBED, {"no": None}, "subject_id: the expression gives nothing here, and an event cannot do without it."),
        (DESCRIBED, {"no": " "}, "subject_id: the expression gives nothing here, and an event cannot do without it."),
        (
            {"what": "body.kind", "status": "body.state"},
            {},
            "subject_id: no option says where it is, and an event cannot do without it.",
        ),
    ],
)
def test_what_an_event_cannot_do_without_is_named(said: dict[str, str], body: Any, detail: str) -> None:
    found = parked({**BODY, **body}, **said)
    assert (found.reason, found.detail) == ("incomplete", detail)


def test_what_is_nobodys_business_is_neither_event_nor_parked() -> None:
    for body, kept in (
        ({"x": 1}, 1),
        ({"x": 0}, 1),
        ({"x": "a"}, 1),
        ({"x": None}, 0),
        ({"x": ""}, 0),
        ({"x": False}, 0),
        ({}, 0),
    ):
        assert len(read({**BODY, **body}, only_if="body.x", **DESCRIBED)) == kept  # type: ignore[arg-type]
    assert (
        read({"zen": "ping"}, {"x-github-event": "ping"}, only_if="headers.x_github_event == 'push'", **DESCRIBED) == []
    )


# several events


def test_one_body_may_carry_several() -> None:
    said = {
        "events": "body.rows",
        "what": "item.kind",
        "status": "item.state",
        "subject_id": "item.no",
        "submitter": "body.by",
    }
    rows = [BODY, {**BODY, "no": 5}]
    events = read({"by": "ann", "rows": rows}, **said)
    assert [(event.subject.id, event.people.submitter) for event in events] == [("4711", "ann"), ("5", "ann")]  # type: ignore[union-attr]
    assert one({"rows": BODY}, **said).subject.id == "4711"
    assert read({"rows": []}, **said) == []
    assert parked({"rows": [BODY, {"kind": "Data change"}]}, **said).detail.startswith("Event 2 of 2, ")
    assert (
        parked({}, **said).detail
        == "events: what the expression gives is nothing: null, and has to be a list of objects."
    )
    assert parked({"rows": [BODY] * 101}, **said).reason == "not_understood"
    listed = {name: expression.replace("body", "item") for name, expression in DESCRIBED.items()}
    assert len(read(rows, **listed)) == 2  # type: ignore[arg-type]


# who


def test_people_are_texts_numbers_lists_or_objects() -> None:
    event = one(
        {**BODY, "by": " ann ", "who": ["bo", None, "", "dan", "bo"], "one": 7, "boss": {"email": "eve@example.com"}},
        submitter="body.by", approvers="body.who", related="[body.one, body.boss, body.nobody]", actor="body.boss", **DESCRIBED,
    )  # fmt: skip
    assert (event.people.submitter, event.people.approvers) == ("ann", ["bo", "dan"])
    assert event.people.related == ["7", PersonKey(email="eve@example.com")]
    assert event.actor == PersonKey(email="eve@example.com")


@pytest.mark.parametrize("by", ["email", "external_id", "mobile"])
def test_what_the_texts_for_people_are_is_said_once(by: str) -> None:
    event = one({**BODY, "by": "x@example.com"}, submitter="body.by", people_by=by, **DESCRIBED)
    assert event.people.submitter == PersonKey(**{by: "x@example.com"})
    event = one({**BODY, "by": {"login": "ann", "email": None}}, submitter="body.by", people_by=by, **DESCRIBED)
    assert event.people.submitter == "ann"


def test_a_list_in_a_text_is_split() -> None:
    event = one({**BODY, "who": "bo, dan;"}, approvers="split(replace(body.who, ';', ''), ',')", **DESCRIBED)
    assert event.people.approvers == ["bo", "dan"]


def test_who_is_no_person_is_named() -> None:
    assert "names 2 people, and has to name one" in refused("submitter", "body.x", {"x": ["a", "b"]})
    assert "is a list [[]], and" not in refused("approvers", "body.x", {"x": [["a"]]})
    assert 'is a list ["a"], and has to be a text or a number' in refused("approvers", "body.x", {"x": [["a"]]})
    assert "has a person with 'mail'; the members are external_id, email, mobile, login" in refused(
        "actor", "body.x", {"x": {"mail": "a"}}
    )


# what else


def test_resources_are_objects_or_names_of_instances() -> None:
    tables = [
        {"h": "rm-1", "s": "orders", "t": "orders"},
        {"h": "rm-1", "s": "orders", "t": "orders"},
        {"h": "rm-2"},
        {},
    ]
    found = made("resources", "body.x[].{instance: h, database: s, table: t}", {"x": tables})
    assert found == [Resource("rm-1", "orders", "orders"), Resource("rm-2")]
    assert made("resources", "body.x", {"x": ["rm-1", None, ""]}) == [Resource("rm-1")]
    assert made("resources", "{instance: body.x}", {"x": 5}) == [Resource("5")]
    assert "without its instance" in refused("resources", "{database: body.x}", {"x": "orders"})
    assert "with 'db'; the members are instance, database, table" in refused(
        "resources", "{db: body.x}", {"x": "orders"}
    )


def test_details_are_an_object_without_what_says_nothing() -> None:
    assert made("details", "{environment: body.env, risk: body.risk}", {"env": "prod"}) == {"environment": "prod"}
    tasks = [{"name": "load", "state": "failed"}, {"name": "clean", "state": "ok"}]
    failed = made("details", "{failed_tasks: body.tasks[?state == 'failed'].name}", {"tasks": tasks})
    assert failed == {"failed_tasks": ["load"]}
    assert 'is the text "x", and has to be an object' in refused("details", "body.x", {"x": "x"})
    assert "cannot be written as JSON" in refused("details", "{a: &body}", {})


@pytest.mark.parametrize(
    ("said", "timezone", "when"),
    [
        ("2026-11-23T10:00:00Z", "", AT),
        ("2026-11-23 18:00:00", "+08:00", AT),
        ("2026-11-23 18:00:00", "Asia/Shanghai", AT),
        ("2026-11-23T12:00:00+02:00", "Asia/Shanghai", AT),
        (1795428000, "", AT),
        ("1795428000000", "", AT),
        (None, "", NOW),
        ("", "", NOW),
    ],
)
def test_times_are_read_as_systems_write_them(said: Any, timezone: str, when: datetime) -> None:
    assert made("time", "body.at", {"at": said}, **({"timezone": timezone} if timezone else {})) == when


@pytest.mark.parametrize("said", ["yesterday", True, ["2026-11-23T10:00:00Z"], {"seconds": 5}, -5])
def test_what_is_no_moment_is_named(said: Any) -> None:
    assert "has to be a moment" in refused("time", "body.at", {"at": said})


def test_with_an_id_the_time_of_arrival_makes_no_difference() -> None:
    event = one({**BODY, "uuid": "u-1"}, id="body.uuid", **DESCRIBED)
    assert (event.id, event.time) == ("u-1", None)
    assert len(one(BODY, id="body.uuid", **DESCRIBED).id) == 32


# headers


def test_expressions_see_headers_that_let_nobody_in() -> None:
    sent = {
        "authorization": "Bearer x", "cookie": "a", "x-gitlab-token": "t", "x-api-key": "k", "x-hub-signature-256": "s", "x-mine": "s", "proxy-authorization": "s", "verif-hash": "s", "paypal-transmission-sig": "s", "referer": "https://x/?token=t", "x-author": "ann",
        "x-forwarded-for": "10.0.0.1", "host": "h", "x-github-event": "pull\u2028request", "x-key-of-it": "k", "x-monkey": "m" * 600,
    }  # fmt: skip
    kept = ADAPTER.parked_headers(sent, options(signature_header="X-Mine"))
    assert kept == {"x-author": "ann", "x-github-event": "pull request", "x-monkey": "m" * 499 + "…"}
    assert ADAPTER.parked_headers(kept, options()) == kept
    assert made("details", "{event: headers.x_github_event, t: headers.authorization}", {}) == {}
    event = one(
        BODY,
        sent,
        details="{event: headers.x_github_event, t: headers.authorization, all: length(headers)}",
        **DESCRIBED,
    )
    assert event.details == {"event": "pull request", "all": 4}


# expressions that are saved


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("body.", "ends too early"),
        ("body.x[", "ends too early"),
        ("body.id]", "cannot be read at character 8: ']' is not expected there"),
        ("body.a = 1", "cannot be read at character 8: Unknown token '='"),
        ("body.流程.编号", 'cannot be read at character 6: write "流程" with double quotes'),
        ("body | '", "cannot be read at character 8: Unclosed ' delimiter"),
        ("ticket.id", "begins with ticket, and there are only body, headers, item; you may mean body.ticket"),
        ("join('-', [body.a, no])", "begins with no"),
        ("joi(',', body.a)", "calls joi(), which there is not; join() is the nearest there is"),
        ("join(body.a)", "gives join() 1 values, and it takes 2"),
        ("merge()", "gives merge() 0 values, and it takes 1 or more"),
        ('`"\\ud800"`', "holds a text or a number that no JSON in UTF-8 can have"),
        ('body."\\ud800"', "holds a text or a number that no JSON in UTF-8 can have"),
        ("(" * 900 + "body" + ")" * 900, "is nested"),
        ("!" * 100 + "body", "is nested more than 40 levels deep"),
        ("`" + "[" * 1900 + "]" * 90 + "`", ""),
    ],
)
def test_what_is_wrong_with_an_expression_is_said_when_it_is_saved(expression: str, problem: str) -> None:
    with pytest.raises(Problem) as refused:
        options(id=expression)
    [error] = refused.value.errors
    assert error["field"] == "id"
    assert problem in str(error["problem"])


@pytest.mark.parametrize(
    "expression",
    [
        "'fixed'",
        "body",
        "item.a || headers.b",
        "body.list[?x==`1`].[y, z]",
        "map(&name, body.list)",
        "{a: body.a}",
        "body | a.b",
        "body[?a].b | [0]",
    ],
)
def test_what_is_right_is_kept_as_it_is(expression: str) -> None:
    assert checked_expression(expression) == expression


@given(text=st.text(max_size=60) | st.text(alphabet="body.[]{}()|&'\"`@*?<>=!,:-0 \\u", max_size=60))
def test_any_text_is_an_expression_or_is_refused_in_words(text: str) -> None:
    try:
        kept = options(id=text)
    except Problem as problem:
        assert problem.errors[0]["problem"]
    else:
        check(ADAPTER, json.dumps(BODY).encode(), known=Known(ADAPTER.mapping, {**DESCRIBED, **kept}))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "+8", "+25:00", "/etc/passwd", "../UTC", "Asia", "\u0661"])
def test_a_zone_is_one(zone: str) -> None:
    with pytest.raises(Problem):
        options(timezone=zone)


def test_every_option_has_words_in_every_language() -> None:
    for field in ADAPTER.options:
        assert [*missing_words(field.words, field.choices, ("en", "zh-hans"))] == [], field.name


# expressions that ask for too much


def ends_in_time(expression: str, body: Any) -> str:
    """What is said of it, if anything: no expression, over whatever body, takes a node's loop for long."""
    began, said = time.process_time(), ""
    try:
        evaluate(expression, {"body": body, "item": body, "headers": {}}, Budget())
    except Failed as failed:
        said = str(failed)
    # A twentieth of a second on a quiet machine.
    assert time.process_time() - began < 1
    return said


@pytest.mark.parametrize(
    "expression",
    [
        "body | " + " | ".join(["[@, @]"] * 200),
        "body | " + " | ".join(["[@, @]"] * 200) + " | to_string(@)",
        "body | " + " | ".join(["[@, @][]"] * 200),
        "body | " + " | ".join(["{a: @, b: @}"] * 100),
        "body | " + " | ".join(["join('', [@, @])"] * 100),
        "body | " + " | ".join(["to_string([@, @])"] * 90),
        "body | " + " | ".join(["replace(@, 'x', 'xx')"] * 80),
        "body | " + " | ".join(["[@, @]"] * 18) + " | [" + ", ".join(["@ == @"] * 100) + "]",
    ],
)
def test_what_doubles_with_every_step_ends(expression: str) -> None:
    assert "larger than 512 KiB" in (said := ends_in_time(expression, "x" * 8)) or "25,000 steps" in said


@pytest.mark.parametrize(
    "expression",
    [
        "body[].[a, a, a, a][] | sort(@)",
        "body[*].a | [sort(@), sort(@), sort(@), sort(@)]",
        "sort_by(body, &b)",
        "body[?b == 'x'].a",
        "map(&join('', [b, b, b, b]), body)",
        "body[].{a: a, b: b} | [contains(@, @[0]), contains(@, @[0])]",
        "body[::-1] | @[::-1] | @[::-1] | @[::-1] | @[::-1]",
        "[body, body, body, body][] | [] | to_string(@)",
        "join(to_string(body), body[*].b)",
    ],
)
def test_what_goes_through_a_large_body_again_and_again_ends(expression: str) -> None:
    for length in (100, 2_000, 7_000):
        said = ends_in_time(expression, [{"a": number, "b": "x" * 10} for number in range(length)])
        assert "25,000 steps" in said or "512 KiB" in said or length < 7_000 or "sort" in expression


@pytest.mark.parametrize("part", ["approvers", "resources", "details", "title", "what", "time", "id"])
def test_what_one_body_has_once_is_not_worked_through_in_each_of_its_events(part: str) -> None:
    for large in (["x"] * 50_000, [0] * 100_000, [{"a": 1}] * 20_000, "x" * 200_000, "\u200b \u2028" * 20_000):
        said = {"events": "body.rows", "type": "'data_change.approved'", "subject_id": "item.no", part: "body.large"}
        if part == "details":
            said[part] = "{a: body.large}"
        if part == "what":
            del said["type"]
        raw = json.dumps({"rows": [BODY] * 100, "large": large}, ensure_ascii=False).encode()[: 256 * 1024]
        began = time.process_time()
        reading = ADAPTER.read(Push({}, raw, NOW), Known(ADAPTER.mapping, options(**said)))
        assert time.process_time() - began < 2
        assert isinstance(reading, Parked) or len(reading) < 10


@pytest.mark.parametrize(
    ("expression", "body", "said"),
    [
        ("sort(body)", [1, "a"], "gives sort() what it does not take"),
        ("body[0] < body[1]", ["a", 1], "'<' not supported"),
        ("max_by(body, &a)", [{"a": 1}, {"a": "x"}], "not supported"),
        ("sum(body)", "x", "gives sum() what it does not take: string, not array-number"),
        ("ceil(to_number(body))", "inf", "infinity"),
        ("body[::0]", [1], "slice step cannot be zero"),
        ("split(body, '')", "abc", "empty separator"),
        ("parse_json(body)", "{", "truncated"),
        ("to_string(&body)", 1, "gives to_string() what it does not take: expref"),
        ("[body]", json.loads("[" * 150 + "]" * 150), "nested more than 100 levels deep"),
        ("to_string(body)", json.loads("[" * 150 + "]" * 150), "nested more than 100 levels deep"),
    ],
)
def test_a_function_that_does_not_fit_is_named(expression: str, body: Any, said: str) -> None:
    assert said in ends_in_time(expression, body)


def test_numbers_without_end_are_an_event_or_parked() -> None:
    for number in ("9" * 400, "9" * 5_000, "1e999", "-0", "nan"):
        check(ADAPTER, json.dumps({**BODY, "x": number}).encode(), known=Known(ADAPTER.mapping, options(
            **DESCRIBED, id="to_number(body.x)", title="to_number(body.x)", details="{a: to_number(body.x)}", time="to_number(body.x)")))  # fmt: skip


def test_nothing_of_python_is_reached() -> None:
    for expression in (
        "body.__class__",
        "body.keys",
        'body."__init__"',
        "headers.__class__.__mro__",
        "body[0].__dict__",
    ):
        assert evaluate(expression, {"body": {"a": 1}, "item": {}, "headers": {}}, Budget()) is None


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(body=ANY, data=st.data())
def test_any_description_of_any_body_is_answered(body: Any, data: st.DataObject) -> None:
    """Expressions that mostly find something."""
    parts = st.sampled_from(
        [
            "body",
            "body.*",
            "body[]",
            "body[0]",
            "keys(body)",
            "values(body)",
            "to_string(body)",
            "[body]",
            "{a: body}",
            "&body",
            "`1e999`",
            "headers",
        ]
    )
    expressions = [
        field.name
        for field in ADAPTER.options
        if field.name not in ("people_by", "timezone", "signature", "signature_header")
    ]
    said = data.draw(st.dictionaries(st.sampled_from(expressions), parts, max_size=6))
    known = Known(ADAPTER.mapping, options(**({"type": "'data_change.approved'", "subject_id": "'1'"} | said)))
    check(ADAPTER, json.dumps(body).encode(), {"x-a": "b"}, known)


# signatures


def signed(body: bytes, secret: str, headers: dict[str, str], **said: Any) -> bool:
    return ADAPTER.signed_as(Push(headers, body, NOW), secret, options(**said))


def test_a_digest_of_the_body_in_whatever_way_it_is_written() -> None:
    body = b'{"a": 1}'
    for algorithm, header in (
        ("sha256", "x-hub-signature-256"),
        ("sha1", "x-hub-signature"),
        ("sha512", "x-hub-signature-512"),
    ):
        digest = hmac.digest(b"key", body, algorithm)
        plain = base64.b64encode(digest).decode()
        written = [
            digest.hex(),
            digest.hex().upper(),
            f"{algorithm}={digest.hex()}",
            f"v1:{digest.hex()}",
            plain,
            f"{algorithm}={plain}",
            plain.rstrip("="),
            base64.urlsafe_b64encode(digest).decode(),
        ]
        for each in written:
            assert signed(body, "key", {header: each}, signature=f"hmac_{algorithm}"), each
            assert signed(body, "key", {"x-mine": each}, signature=f"hmac_{algorithm}", signature_header="X-Mine"), each
            assert not signed(body + b" ", "key", {header: each}, signature=f"hmac_{algorithm}")
            assert not signed(body, "kez", {header: each}, signature=f"hmac_{algorithm}")
            assert not signed(body, "key", {header: each[:-3]}, signature=f"hmac_{algorithm}")
            assert not signed(body, "key", {header: f"{'a' * 30}={each}"}, signature=f"hmac_{algorithm}")
        assert not signed(body, "key", {}, signature=f"hmac_{algorithm}")


def test_githubs_own_example_is_taken() -> None:
    """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation"""
    header = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    assert signed(b"Hello, World!", "It's a Secret to Everybody", header)
    assert ADAPTER.signed(Push(header, b"Hello, World!", NOW), "It's a Secret to Everybody")


def test_the_secret_itself_in_a_header() -> None:
    for key in ("kéy", "密钥", "voilà"):  # the last ends with what Latin-1 has for a space
        assert signed(b"{}", key, {"x-gitlab-token": key.encode().decode("latin-1")}, signature="token")
    assert signed(b"{}", "密钥", {"x-gitlab-token": "密钥"}, signature="token")
    assert not signed(b"{}", "密钥", {"x-gitlab-token": "??"}, signature="token")
    assert not signed(b"{}", "key", {"x-gitlab-token": "ke"}, signature="token")
    assert not signed(b"{}", "key", {}, signature="token")


def test_stripes_signature_has_a_time_that_grows_old() -> None:
    at = int(NOW.timestamp())

    def header(time: int, more: str = "") -> dict[str, str]:
        digest = hmac.new(b"key", f"{time}.{{}}".encode(), hashlib.sha256).hexdigest()
        return {"stripe-signature": f"t={time},v1=00,v1={digest}{more}"}

    assert signed(b"{}", "key", header(at), signature="stripe")
    assert signed(b"{}", "key", header(at - 299), signature="stripe")
    assert not signed(b"{}", "key", header(at - 301), signature="stripe")
    assert not signed(b"{}", "key", header(at + 301), signature="stripe")
    assert not signed(b"{}", "key", header(at, ",t=1"), signature="stripe")
    assert not signed(b"{ }", "key", header(at), signature="stripe")


def test_standard_webhooks_as_their_own_library_signs() -> None:
    from standardwebhooks import Webhook

    secret = "whsec_" + base64.b64encode(b"k" * 24).decode()
    sign = {"webhook-id": "msg_1", "webhook-timestamp": str(int(NOW.timestamp()))}
    sign["webhook-signature"] = "v1,AAAA " + Webhook(secret).sign("msg_1", NOW, "{}")
    assert signed(b"{}", secret, sign, signature="standard_webhooks")
    assert not signed(b"{}", secret, {**sign, "webhook-id": "msg_2"}, signature="standard_webhooks")
    assert not signed(b"{}", secret, {**sign, "webhook-timestamp": "5"}, signature="standard_webhooks")
    assert not signed(b"{}", "not base64!", sign, signature="standard_webhooks")
    by_nobody = base64.b64encode(hmac.digest(b"", b"a.%d.{}" % NOW.timestamp(), "sha256")).decode()
    headers = {"webhook-id": "a", "webhook-timestamp": f"{NOW.timestamp():.0f}", "webhook-signature": f"v1,{by_nobody}"}
    assert not signed(b"{}", "whsec_", headers, signature="standard_webhooks")


@given(
    said=st.text(max_size=40),
    secret=st.text(min_size=1, max_size=10),
    scheme=st.sampled_from(["hmac_sha256", "token", "stripe", "standard_webhooks"]),
)
def test_no_header_raises(said: str, secret: str, scheme: str) -> None:
    signed(
        b"{}",
        secret,
        {"x": said, "webhook-id": said, "webhook-timestamp": said},
        signature=scheme,
        signature_header="x",
    )


# speed


def test_a_hundred_events_of_a_full_description_fit_the_budget() -> None:
    said = {
        "events": "body.rows", "only_if": "item.kind != 'chat'", "what": "item.kind", "status": "item.state || 'none'", "subject_id": "item.no",
        "title": "join(' ', [item.kind, item.state])", "url": "join('', ['https://desk.example.com/', to_string(item.no)])",
        "submitter": "item.by", "approvers": "item.who[?active].login", "related": "body.all[].login", "actor": "item.by",
        "resources": "item.tables[].{instance: h, database: s, table: t}", "details": "{environment: item.env, risk: item.risk, affected_rows: item.n}",
        "time": "item.at", "id": "item.uuid",
    }  # fmt: skip
    row = {
        **BODY, "by": "ann", "who": [{"active": True, "login": login} for login in ("bo", "dan", "eve")], "uuid": "u", "env": "prod",
        "tables": [{"h": "rm", "s": "orders", "t": name} for name in ("a", "b", "c")], "at": "2026-11-23T10:00:00Z", "n": 5, "risk": "LOW",
    }  # fmt: skip
    events = read({"all": [{"login": "x"}], "rows": [row] * 100}, **said)
    assert not isinstance(events, Parked), events
    assert len(events) == 100
    assert msgspec.json.encode(events[0])
