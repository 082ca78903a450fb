"""Every scenario plays on a stage of its own: a new tenant, a node that accepts and delivers, a receiver."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.scenarios.stage import Stage, stage_of


@pytest.fixture
async def empty_stage(organisation: Any, database: str) -> AsyncIterator[Stage]:
    """No node yet, and nobody can be reached."""
    async with stage_of(organisation, database) as stage:
        yield stage


@pytest.fixture
async def stage(empty_stage: Stage) -> Stage:
    """ann, bo, dan and root have a webhook each; one node accepts and delivers."""
    await empty_stage.reachable("ann", "bo", "dan", "root")
    await empty_stage.start()
    return empty_stage
