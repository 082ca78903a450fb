"""Promises about every REST call at once, so that a new one keeps them."""

from collections.abc import Iterator
from typing import Any

import pytest
from ninja.operation import Operation
from pydantic import BaseModel

from tidings.api.parameters import query_parameters
from tidings.api.urls import api


def operations() -> Iterator[tuple[str, Operation]]:
    for prefix, router in api._routers:
        for path, view in router.path_operations.items():
            for operation in view.operations:
                yield f"{operation.methods[0]} {prefix}{path}", operation


CALLS = dict(operations())


def bodies(operation: Operation) -> list[Any]:
    models: list[Any] = [model for model in operation.models if model.__ninja_param_source__ == "body"]
    return [field.annotation for model in models for field in model.model_fields.values()]


@pytest.mark.parametrize("call", [call for call, operation in CALLS.items() if bodies(operation)])
def test_a_body_refuses_what_it_does_not_know(call: str) -> None:
    """Notification settings have the channels' names for keys; `read_settings` refuses the others."""
    for body in bodies(CALLS[call]):
        if isinstance(body, type) and issubclass(body, BaseModel):
            assert body.model_config.get("extra") == "forbid", body
        else:
            assert call.endswith("notification-settings")


def test_every_call_asks_which_parameters_are_known() -> None:
    assert len(CALLS) > 30
    assert query_parameters(CALLS["GET /v1/events"])[:3] == ("source", "source_id", "type")
    assert query_parameters(CALLS["GET /v1/catalog"]) == ()
