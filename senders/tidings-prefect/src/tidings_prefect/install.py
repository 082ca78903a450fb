"""What a Prefect server needs to tell of every flow run: a block with where to call, and an automation that calls."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.types import SecretDict
from pydantic import SecretStr

NAME = "tidings"
STATES = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
"""Of the run when it is told: the mapping in Tidings says which of them anybody wants to know."""
PAYLOAD = "{{ event.model_dump_json() }}"
"""The event whole. The filter `tojson` takes it only since Prefect 3.7.1."""


def install(url: str, token: str, *, name: str = NAME) -> UUID:
    """In the server of `PREFECT_API_URL`: the block and the automation of that name, made or brought up to date; an
    automation that is switched off stays so. `url` is Tidings' address. Its id is returned. Raises what Prefect's
    client raises."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    where = SecretStr(f"{url}/api/v1/sources/prefect")
    ident = Webhook(method="POST", url=where, headers=SecretDict(headers)).save(name, overwrite=True)
    if not isinstance(ident, UUID):
        raise RuntimeError("Call this where no event loop runs.")
    return asyncio.run(_put(name, ident))


async def _put(name: str, block: UUID) -> UUID:
    # Prefect's client without `await` learned to read automations only in the course of its third version.
    async with get_client() as client:
        found = await client.read_automations_by_name(name)
        wanted = _automation(name, block, enabled=found[0].enabled if found else True)
        if not found:
            return await client.create_automation(wanted)
        await client.update_automation(found[0].id, wanted)
        return found[0].id


def _automation(name: str, block: UUID, *, enabled: bool) -> AutomationCore:
    trigger = EventTrigger(
        expect={"prefect.flow-run.*"},
        # A state may have any name; its type is one of nine.
        match={"prefect.resource.id": "prefect.flow-run.*", "prefect.state-type": list(STATES)},
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )
    return AutomationCore(
        name=name,
        description="Tells Tidings what became of flow runs (made by `tidings-prefect install`).",
        enabled=enabled,
        trigger=trigger,
        actions=[CallWebhook(block_document_id=block, payload=PAYLOAD)],
    )
