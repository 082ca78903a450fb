"""The OpenAPI document describes every call, those of the node's fast path too."""

from typing import Any

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
