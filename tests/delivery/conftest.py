"""A desk: a tenant whose people can be reached, and a node's acts on it, one by one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.delivery.given import Desk, reach

from tidings.kernel.database import connect


@pytest.fixture
def reachable(organisation: Any) -> Any:
    """The organisation; ann and bo have a webhook each."""
    reach(organisation, "ann", "bo")
    return organisation


@pytest.fixture
async def desk(reachable: Any, database: str) -> AsyncIterator[Desk]:
    connection = await connect(database, name="test")
    # Tests of one module share the tables: what an earlier one left open would be claimed, planned or deleted here.
    await connection.execute(
        "TRUNCATE delivery_delivery, delivery_node, events_event, events_body, events_recipient, events_subject"
    )
    desk = Desk(reachable, connection, database)
    yield desk
    await desk.close()
