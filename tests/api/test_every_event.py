"""Any JSON at any place of an event, over real HTTP to a node with its database: it is kept and planned, or refused with
a code. Never is it our fault, and never does it take another event with it."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.api.given import Serving, aside, event

REFUSED = (403, 409, 413, 415, 422)  # 403: it names another source than its token speaks for
FEW = settings(
    max_examples=max(25, settings.default.max_examples // 2),
    deadline=None,
    database=None,
    derandomize=settings.get_current_profile_name() != "deep",
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
WHOLE: dict[str, Any] = {
    "time": "2026-11-23T10:00:00Z",
    "subject": {"kind": "ticket", "id": "88123", "title": "Add index", "url": "https://dms.example.com/1"},
    "people": {"submitter": "ann", "approvers": ["bo", {"email": "dan@example.com"}], "related": [{"mobile": "+86 1"}]},
    "actor": {"external_id": "1"},
    "resources": [{"instance": "rm-1", "database": "orders", "table": "orders"}],
    "details": {"risk": "LOW", "affected_rows": 120, "comment": "x", "more": [{"deep": [1.5, None]}]},
}
_odd = [
    "", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\u202e", "\ufeff", "a" * 201, "a" * 2_001, "é" * 200, "\U0010ffff", "\\", '"', "'; DROP TABLE",
    "../..", "%00", "javascript:x", "https://a b", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00", "2026-11-23T23:59:60Z", "2026-11-23",
    "24:00", "ann", "bo", "data_change.approved", "nobody.knows", "NaN", "null", "true", "\x1b[31m", "line\nbreak", "\u2028",
]  # fmt: skip
_texts = st.text(max_size=30) | st.sampled_from(_odd)
_numbers = (
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0, -0.0, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30, 1e308, 5e-324])
)
ANY = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=10,
)


class Door:
    def __init__(self, base: str, secret: str, administrator: str) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._base, self._secret, self._administrator = base, secret, administrator

    def post(self, path: str, raw: bytes, **headers: str) -> requests.Response:
        sent = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"} | headers
        return self._session.post(f"{self._base}/api/v1{path}", data=raw, headers=sent, timeout=20)

    def record(self, key: str) -> Any:
        answer = self._session.get(
            f"{self._base}/api/v1/events/{key}", headers={"Authorization": f"Bearer {self._administrator}"}, timeout=20
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ended(self, key: str) -> None:
        """Planned, with a recipient or a skip at least; or shown as unplanned."""
        record = self.record(key)
        assert not record["event"]["planned"] or record["recipients"] or record["skips"], record


@pytest.fixture(scope="module")
def door(database: str) -> Iterator[Door]:
    from tidings.accounts.models import Source
    from tidings.accounts.tenants import command_line, create_tenant
    from tidings.accounts.tokens import create_token
    from tidings.rules.start import create_rules

    tenant, _, administrator = create_tenant("every event", "root", start=create_rules)
    source = Source.objects.for_tenant(tenant.id).create(tenant=tenant, name="dms")
    _, secret = create_token(command_line(tenant.id), source=source)
    with aside(Serving(database)) as base:
        yield Door(base, secret, administrator)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inner:
        yield from places(item, (*path, name))


@st.composite
def almost(draw: st.DrawFn) -> Any:
    """A whole event with one to three places changed: replaced, left out, wrapped, or with a member more."""
    made = event(**copy.deepcopy(WHOLE))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(made)) or [()]))
        if not path:
            break
        parent = made
        for step in path[:-1]:
            parent = parent[step]
        match draw(st.sampled_from(["put", "put", "put", "leave out", "wrap", "add"])):
            case "leave out":
                del parent[path[-1]]
            case "wrap":
                parent[path[-1]] = [parent[path[-1]]]
            case "add" if isinstance(parent, dict):
                parent[draw(_texts)] = draw(ANY)
            case _:
                parent[path[-1]] = draw(ANY)
    return made


def raw_of(value: Any, *, plain: bool) -> bytes:
    return json.dumps(value, ensure_ascii=not plain).encode(errors="surrogatepass")


@FEW
@given(made=almost() | ANY, plain=st.booleans())
def test_an_event_is_kept_and_planned_or_refused_with_a_code(door: Door, made: Any, plain: bool) -> None:
    raw = raw_of(made, plain=plain)
    answer = door.post("/events", raw)
    if answer.status_code == 202:
        door.ended(answer.json()["id"])
        again = door.post("/events", raw)
        # An event without a time happened when it came; everything else is the same content.
        assert (again.status_code, again.json()["duplicate"]) == (202, True)
    else:
        assert answer.status_code in REFUSED, answer.text
        assert answer.json()["code"]
    assert door.post("/preview", raw).status_code in (200, *REFUSED)


@FEW
@given(batch=st.lists(almost() | ANY | st.builds(event), max_size=6), plain=st.booleans())
def test_of_a_batch_the_good_are_kept_and_the_bad_are_named(door: Door, batch: list[Any], plain: bool) -> None:
    batch = [*batch, event()]
    for raw, kind in (
        (b"[" + b",".join(raw_of(each, plain=plain) for each in batch) + b"]", "application/json"),
        (b"\n".join(raw_of(each, plain=plain) for each in batch), "application/x-ndjson"),
        (raw_of([{"specversion": "1.0", "id": "1", "source": "x", "type": "t", "data": each} for each in batch], plain=False),
         "application/cloudevents-batch+json"),
    ):  # fmt: skip
        answer = door.post("/events/batch", raw, **{"Content-Type": kind})
        assert answer.status_code == 202, answer.text
        sums = answer.json()
        assert sums["accepted"] + sums["duplicates"] + len(sums["rejected"]) == len(batch)
        assert all(each["code"] and each["code"] != "unavailable" for each in sums["rejected"])
        if kind == "application/json":
            assert len(batch) - 1 not in [each["index"] for each in sums["rejected"]]


@FEW
@given(
    headers=st.dictionaries(
        st.sampled_from(["ce-id", "ce-source", "ce-type", "ce-time", "ce-subject", "ce-specversion", "ce-x"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40) | st.sampled_from(["1.0", "%00", "%ff", "%ED%A0%80", "%"]),
    ),
    made=almost() | ANY,
)  # fmt: skip
def test_a_cloudevent_in_headers_is_kept_or_refused(door: Door, headers: dict[str, str], made: Any) -> None:
    sent = {"ce-specversion": "1.0"} | {name: value.strip() for name, value in headers.items()}
    answer = door.post("/events", raw_of(made, plain=False), **sent)
    assert answer.status_code in (202, *REFUSED), answer.text


@FEW
@given(made=almost() | ANY)
def test_a_payload_of_another_system_is_kept_or_parked(door: Door, made: Any) -> None:
    from tidings.events.sources.registry import ADAPTERS

    for code in ADAPTERS:
        for value in (made, {"messageEvent": made}):
            answer = door.post(f"/sources/{code}", raw_of(value, plain=False))
            assert answer.status_code in (ADAPTERS[code].status, 422, 429), answer.text


def test_marks_of_an_encoding_are_no_part_of_json(door: Door) -> None:
    """A byte order mark is none either (RFC 8259, 8.1), nor is any other encoding than UTF-8."""
    raw = json.dumps(event()).encode()
    for sent in (b"\xef\xbb\xbf" + raw, raw.decode().encode("utf-16"), raw.decode().encode("utf-32-le"), raw + b"\x00"):
        answer = door.post("/events", sent)
        assert (answer.status_code, answer.json()["code"]) == (422, "malformed_json")


@pytest.mark.parametrize("depth", [30, 31, 32, 33, 1_000, 100_000])
def test_nesting_has_an_end(door: Door, depth: int) -> None:
    # `details` is the first level, and what stands innermost the last: 32 of them.
    inner = b'"x"' if depth < 40 else b""
    raw = (
        json.dumps(event(details={"a": "HERE"}))
        .encode()
        .replace(b'"HERE"', b"[" * (depth - 1) + inner + b"]" * (depth - 1))
    )
    answer = door.post("/events", raw)
    assert (answer.status_code, answer.json().get("code")) == ((202, None) if depth <= 31 else (422, "too_deep"))


def test_sizes_have_an_end(door: Door) -> None:
    for size, status in ((200_000, 202), (262_000, 413), (10_000_000, 413)):
        assert door.post("/events", json.dumps(event(details={"a": "x" * size})).encode()).status_code == status
    many = [f"p{number}" for number in range(1_001)]
    for people, status in (({"approvers": many[:1_000]}, 202), ({"approvers": many}, 422)):
        assert door.post("/events", json.dumps(event(people=people)).encode()).status_code == status
    for count, status in ((1_000, 202), (1_001, 413)):
        raw = json.dumps([event() for _ in range(count)]).encode()
        assert door.post("/events/batch", raw).status_code == status
