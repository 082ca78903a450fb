"""A receiver that hangs, and a tenant in a hurry, delay nobody else."""

import asyncio
from typing import Any

from tests.delivery.given import event, reach
from tests.scenarios.stage import WEB, WORKER, Stage, in_django

from tidings.channels.testing.webhook_receiver import Reply, WebhookReceiver
from tidings.delivery.lanes import AT_ONCE, SHARE

ALONE = AT_ONCE * SHARE // (SHARE + 1)
"""How many of one organisation are on their way to one destination at most."""


async def hanging(stage: Stage, login: str, receiver: WebhookReceiver) -> None:
    """This person's receiver takes every call and never answers."""
    receiver.script[f"/{login}"] = (Reply(manner="hang"),)
    await in_django(lambda: reach(stage.organisation, login, url=receiver.url("/{login}")))


async def test_a_receiver_that_hangs_delays_nobody_else(stage: Stage) -> None:
    from tests.delivery.given import SECRET

    async with WebhookReceiver(SECRET) as slow:
        await hanging(stage, "eve", slow)
        # given: far more messages than would fit beside others, if all were taken in hand
        for _ in range(5):
            answer = await stage.post_batch(*(event(to="eve") for _ in range(500)))
            assert answer.body["accepted"] == 500
        await stage.until(lambda: len(slow.arrivals) >= ALONE)
        # when
        for count in range(1, 6):
            await stage.post(event(to="ann"))
            await stage.messages("ann", count, within=3)
        # then
        assert len(slow.arrivals) == ALONE
        assert stage.nodes[0].node.deliverer.lanes.held <= ALONE + 5
        # What cannot be sent is nobody's: other nodes may take it, and this one may end.
        assert (await stage.states("eve")).count("pending") == 2_500 - ALONE


async def test_a_worker_finds_what_can_be_sent_behind_what_cannot(empty_stage: Stage) -> None:
    from tests.delivery.given import SECRET

    stage = empty_stage
    await stage.reachable("ann")
    await stage.start(WEB)
    async with WebhookReceiver(SECRET) as slow:
        await hanging(stage, "eve", slow)
        for _ in range(4):
            await stage.post_batch(*(event(to="eve") for _ in range(500)))
        # The messages for ann are the last in the queue.
        await stage.post_batch(*(event(to="ann") for _ in range(100)))
        await stage.start(WORKER)
        await stage.messages("ann", 100, within=6)
        assert len(slow.arrivals) == ALONE


async def test_a_tenant_in_a_hurry_does_not_delay_another(stage: Stage, other_organisation: Any) -> None:
    url = f"http://127.0.0.1:{stage.receiver.port}/{{login}}"
    await in_django(lambda: reach(other_organisation, "mallory", url=url))
    theirs = await in_django(lambda: other_organisation.token("mallory"))

    async def surge() -> None:
        for _ in range(4):
            answer = await stage.send(
                "POST", "/api/v1/events/batch", [event(to="mallory") for _ in range(500)], token=theirs
            )
            assert answer.status == 202

    async def calm() -> list[float]:
        loop, took = asyncio.get_running_loop(), []
        for count in range(1, 21):
            began = loop.time()
            await stage.post(event(to="ann"))
            await stage.messages("ann", count)
            took.append(loop.time() - began)
        return took

    _, took = await asyncio.gather(surge(), calm())
    # On an idle machine a few milliseconds; beside the surge still far from waiting for it to end.
    assert sorted(took)[len(took) // 2] < 1.0
    await stage.messages("mallory", 2_000, within=30)
    await stage.over(20)
    await stage.ledger()


async def test_events_with_many_people_of_whom_each_has_a_host_of_their_own(empty_stage: Stage) -> None:
    """However many destinations a group has, a node takes no more in hand than it has room for."""
    stage = empty_stage

    def crowd() -> None:
        for number in range(40):
            stage.organisation.add(f"p{number}")
        # Every address of 127/8 is this machine, and each a destination.
        for number in range(40):
            host = f"127.0.{number // 250}.{number % 250 + 2}"
            reach(stage.organisation, f"p{number}", url=f"http://{host}:{stage.receiver.port}/{{login}}")

    await in_django(crowd)
    running = await stage.start()
    await stage.post(
        *(
            event(type="data_change.pending_approval", people={"approvers": [f"p{n}" for n in range(40)]})
            for _ in range(60)
        )
    )
    assert running.node.deliverer.lanes.held <= 2_000
    await stage.over(40)
    assert await stage.value("SELECT count(*) FROM delivery_delivery") == 2_400
