"""The OpenAPI document describes every call, those of the node's fast path too."""

from collections.abc import Iterator
from typing import Any

from ninja import Schema

from tidings.api.urls import api
from tidings.events.event import Event


def document() -> dict[str, Any]:
    return dict(api.get_openapi_schema())


def test_the_calls_of_the_fast_path_are_described_by_the_types_that_check_them() -> None:
    paths, schemas = document()["paths"], document()["components"]["schemas"]
    for path in ("/api/v1/events", "/api/v1/events/batch", "/api/v1/preview"):
        assert "202" in paths[path]["post"]["responses"] or "200" in paths[path]["post"]["responses"]
    assert set(schemas["Event"]["properties"]) == set(Event.__struct_fields__)


def test_every_call_needs_a_token() -> None:
    open_calls = [
        f"{method} {path}"
        for path, calls in document()["paths"].items()
        for method, call in calls.items()
        if not call.get("security")
    ]
    assert open_calls == []


def test_no_two_shapes_share_a_name() -> None:
    """The document knows a shape by the name of its class: of two, one would be described as the other."""
    named: dict[str, set[str]] = {}
    for kind in _below(Schema):
        if kind.__module__.startswith("tidings.api") and "[" not in kind.__name__:
            named.setdefault(kind.__name__, set()).add(kind.__module__)
    assert {name: places for name, places in named.items() if len(places) > 1} == {}


def test_every_call_says_how_it_refuses() -> None:
    for path, calls in document()["paths"].items():
        for method, call in calls.items():
            assert {"401", "422", "503"} <= set(call["responses"]), (method, path)
            assert ("404" in call["responses"]) == ("{" in path)


def _below(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
