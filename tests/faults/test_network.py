"""Connections are lost in silence: nobody is told, and nothing comes over them any more. Longer, with real processes:
`make faults ARGS="--only network"`."""

import asyncio
from typing import Any

from faults.proxy import Proxy
from tests.delivery.given import event
from tests.scenarios.stage import stage_of

from tidings.node.engine import STATEMENT_WITHIN


async def test_a_node_whose_connections_were_forgotten_makes_others_and_loses_nothing(
    organisation: Any, database: str
) -> None:
    async with Proxy.to_database(database) as way, stage_of(organisation, database) as stage:
        await stage.reachable("ann")
        stage.url = way.database_url(database)
        await stage.start()
        await stage.post(event(to="ann"))
        await stage.messages("ann")
        # when
        assert way.forget() > 3
        loop, lost = asyncio.get_running_loop(), event(to="ann")
        began = loop.time()
        answer = await stage.send("POST", "/api/v1/events", lost)
        # then the sender hears of it, and the next one is kept and sent
        assert answer.status == 503
        assert answer.body["detail"] == "The database does not answer; nothing was kept. Send again."
        assert loop.time() - began < STATEMENT_WITHIN + 2
        await stage.post(lost, event(to="ann"))
        await stage.messages("ann", 3)
        assert (await stage.send("GET", "/readyz")).status == 200
        # What is recorded went to the lost connection; it is written over the next one.
        await stage.over(25)
        assert set(await stage.states()) == {"sent"}
        await stage.ledger()
