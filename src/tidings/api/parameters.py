"""A parameter that nobody knows is refused: a typing error in a filter must not look like an answer to it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from ninja.operation import Operation

from tidings.kernel.problems import invalid

View = Callable[..., Any]


def refuse_unknown_parameters(view: View) -> View:
    """For every call of the API; asked once the caller is known and all else fits."""
    known = query_parameters(view._ninja_operation)  # type: ignore[attr-defined]

    @wraps(view)
    def answer(request: HttpRequest, **values: Any) -> Any:
        if unknown := [name for name in request.GET if name not in known]:
            told = (
                f"is not known here; the parameters are: {', '.join(known)}"
                if known
                else "is not known here; there are none"
            )
            raise invalid(
                f"This call has no parameter {unknown[0][:100]!r}.",
                [{"field": name[:100], "problem": told} for name in unknown[:20]],
            )
        return view(request, **values)

    return answer


def query_parameters(operation: Operation) -> tuple[str, ...]:
    models: list[Any] = [model for model in operation.models if model.__ninja_param_source__ == "query"]
    return tuple(name for model in models for name in model.__ninja_flatten_map__)
