"""A hook for the states of a flow run."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tidings_client import Buffered

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.flows import Flow

log = logging.getLogger("tidings_prefect")


def notify(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """For `on_completion`, `on_failure`, `on_crashed` and `on_cancellation`, with `TIDINGS_URL` and `TIDINGS_TOKEN`.

    It writes to a file, `TIDINGS_BUFFER`, and returns; a thread sends what is in it, now or when Tidings is back, and
    the end of the process waits two seconds for it at most. It never raises."""
    try:
        if not _buffer().push("prefect", event_of(flow, flow_run, state)):
            log.error("Tidings is not told of the flow run %s: the buffer is full.", flow_run.name)
    except Exception as error:
        log.error("Tidings is not told of the flow run %s: %s", flow_run.name, error)


def event_of(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> dict[str, Any]:
    """As Prefect's server says it in its own events, with the id of the state: so the two are one in Tidings. What only
    the server knows, the name of the deployment, is not there."""
    when = state.timestamp.isoformat()
    related = [_related("flow", flow_run.flow_id, flow.name)]
    if flow_run.deployment_id:
        related.append(_related("deployment", flow_run.deployment_id))
    if flow_run.work_pool_name:
        related.append(_related("work-pool", flow_run.work_pool_id or "", flow_run.work_pool_name))
    related += [_related("tag", tag) for tag in sorted(flow_run.tags)]
    return {
        "id": str(state.id),
        "occurred": when,
        "event": f"prefect.flow-run.{state.name}",
        "resource": {
            "prefect.resource.id": f"prefect.flow-run.{flow_run.id}",
            "prefect.resource.name": flow_run.name,
            "prefect.run-count": str(flow_run.run_count),
            "prefect.state-message": state.message or "",
            "prefect.state-name": state.name or "",
            "prefect.state-timestamp": when,
            "prefect.state-type": state.type.value,
        },
        "related": related,
    }


def _related(role: str, ident: object, name: str = "") -> dict[str, str]:
    resource = {"prefect.resource.id": f"prefect.{role}.{ident}", "prefect.resource.role": role}
    return {**resource, "prefect.resource.name": name} if name else resource


@lru_cache(maxsize=1)
def _buffer() -> Buffered:
    return Buffered.from_environment()
