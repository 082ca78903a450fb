"""What holds of every adapter there is: whatever comes, it is events or it is parked, and nothing is raised.

The samples are those of each adapter's page, `docs/sources/<folder>.md`, each read by the mapping that the page puts
before it, if any; what is near them is where readers stumble.
"""

import copy
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.docs.blocks import blocks_of

from tidings.channels.check import check_values
from tidings.events.event import read_event
from tidings.events.sources.contract import Adapter, Known, Parked, Push
from tidings.events.sources.park import SetUp
from tidings.events.sources.registry import ADAPTERS
from tidings.events.sources.rows import checked_rows
from tidings.kernel.problems import Problem

DOCS = Path(__file__).parents[3] / "docs" / "sources"
NOW = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
_MAPPING = re.compile(r"/mapping -d @- <<'EOF'\n(.*?)^EOF", re.DOTALL | re.MULTILINE)


class Sample(NamedTuple):
    content: Any
    headers: dict[str, str]
    known: Known


_texts = st.text(max_size=20) | st.sampled_from(
    [
        "",
        " ",
        "\0",
        "\ud800",
        "\u202e",
        "a" * 600,
        "-1",
        "1e400",
        "0001-01-01T00:00:00Z",
        "99999-12-31",
        "../..",
        "{{7*7}}",
    ]
)
_numbers = (
    st.integers() | st.floats() | st.sampled_from([0, -1, 2**63, 2**64, 10**400, 1e308, 253402300800000, -62135596800])
)
ANY = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=8,
)


@cache
def samples(code: str) -> list[Sample]:
    """The payloads of its page, as they are posted by the test of all pages; of a source as the page has set it up."""
    found, known = [], known_of(ADAPTERS[code])
    for block in blocks_of(DOCS / f"{code}.md"):
        if block.kind == "sh":
            for mapping in _MAPPING.findall(block.text):
                known = known_by(ADAPTERS[code], json.loads(mapping))
        elif block.kind == "sample":
            found.append(Sample(block.content, dict(block.headers), known))
    return found


def known_of(adapter: Adapter) -> Known:
    """As of a source that nobody has set up."""
    return SetUp().known(adapter)


def known_by(adapter: Adapter, mapping: dict[str, Any]) -> Known:
    """As of a source that was set up with this."""
    assert mapping["adapter"] == adapter.code
    rows, problems = checked_rows(adapter.mapping.parts, mapping["rows"])
    assert problems == []
    return SetUp(adapter.code, rows, check_values(adapter.options, mapping.get("options", {}), {})).known(adapter)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inner:
        yield from places(item, (*path, name))


def changed(sample: Any, path: tuple[Any, ...], change: str, value: Any) -> Any:
    """The sample with one place replaced, left out, doubled or renamed."""
    if not path:
        return value
    result = copy.deepcopy(sample)
    parent = result
    for step in path[:-1]:
        parent = parent[step]
    match change:
        case "leave out":
            del parent[path[-1]]
        case "wrap":
            parent[path[-1]] = [parent[path[-1]]]
        case "rename" if isinstance(parent, dict):
            parent[f"{path[-1]}x"] = parent.pop(path[-1])
        case _:
            parent[path[-1]] = value
    return result


def check(adapter: Adapter, raw: bytes, headers: dict[str, str] | None = None, known: Known | None = None) -> None:
    known = known or known_of(adapter)
    push = Push(headers or {}, raw, NOW, ("https://tidings.example.com/api/v1/sources/x?token=t",))
    reading = adapter.read(push, known)
    assert adapter.read(push, known) == reading
    assert adapter.signed_as(push, "key", known.options) is False
    # What waits is read again as it came.
    again = msgspec.structs.replace(push, headers=adapter.parked_headers(push.headers, known.options))
    assert adapter.read(again, known) == reading
    if isinstance(reading, Parked):
        assert (reading.detail + "".join(reading.words.values())).isprintable()
        return
    for event in reading:
        try:
            read_event(msgspec.json.encode(event), now=NOW, source="x")
        except (Problem, UnicodeEncodeError) as refused:
            assert isinstance(refused, Problem), refused
            assert refused.status in (413, 422)


def encoded(value: Any) -> Iterator[bytes]:
    yield json.dumps(value).encode()
    yield json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")


@pytest.mark.parametrize("code", ADAPTERS)
def test_its_page_has_a_sample_that_becomes_events(code: str) -> None:
    adapter, read = ADAPTERS[code], []
    for sample in samples(code):
        push = Push(sample.headers, json.dumps(sample.content).encode(), NOW)
        read.append(adapter.read(push, sample.known))
    assert any(not isinstance(each, Parked) for each in read), read


@pytest.mark.parametrize("code", ADAPTERS)
def test_what_a_test_of_it_sends_is_what_its_page_shows(code: str) -> None:
    """`sample.http` in its folder; nobody has to set anything up for it to become an event."""
    adapter = ADAPTERS[code]
    assert adapter.sample is not None, "write sample.http, and `labels, about, steps, sample = told_beside(__file__)`"
    shown = [(sample.content, sample.headers) for sample in samples(code)]
    assert (json.loads(adapter.sample.body), dict(adapter.sample.headers)) in shown
    reading = adapter.read(Push(adapter.sample.headers, adapter.sample.body, NOW), known_of(adapter))
    assert not isinstance(reading, Parked) and reading, reading


@pytest.mark.parametrize("code", ADAPTERS)
def test_what_it_is_stands_in_a_line_in_every_language(code: str) -> None:
    """`about` in its `steps.toml`: for those who look for theirs."""
    assert set(ADAPTERS[code].about) == set(ADAPTERS[code].steps)
    assert all(0 < len(line) <= 90 and line.endswith((".", "。")) for line in ADAPTERS[code].about.values())


@pytest.mark.parametrize("code", ADAPTERS)
@given(raw=st.binary(max_size=200) | ANY.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_answered(code: str, raw: bytes) -> None:
    for known in [known_of(ADAPTERS[code]), *(sample.known for sample in samples(code))]:
        check(ADAPTERS[code], raw, known=known)
        check(ADAPTERS[code], b"\xef\xbb\xbf" + raw, known=known)


@pytest.mark.parametrize("code", ADAPTERS)
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_almost_a_sample_is_answered(code: str, data: st.DataObject) -> None:
    sample, headers, known = data.draw(st.sampled_from(samples(code)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(sample))))
        sample = changed(
            sample, path, data.draw(st.sampled_from(["leave out", "wrap", "rename", "put"])), data.draw(ANY)
        )
    for raw in encoded(sample):
        check(ADAPTERS[code], raw, headers, known)
        check(ADAPTERS[code], raw[: len(raw) // 2], headers, known)


@pytest.mark.parametrize("code", ADAPTERS)
@pytest.mark.parametrize("header", ["", "x", "\x00", "a" * 10_000, "é", "Message Hook"])
def test_a_header_that_it_looks_at_may_say_anything(code: str, header: str) -> None:
    for sample in samples(code):
        names = {*ADAPTERS[code].kept_headers, *sample.headers}
        check(ADAPTERS[code], json.dumps(sample.content).encode(), dict.fromkeys(names, header), sample.known)


@pytest.mark.parametrize("code", ADAPTERS)
def test_nesting_without_end_is_answered(code: str) -> None:
    for raw in (b"[" * 100_000, b'{"a":' * 100_000, b'{"messageEvent":' + b"[" * 50_000):
        for sample in samples(code):
            check(ADAPTERS[code], raw, known=sample.known)
