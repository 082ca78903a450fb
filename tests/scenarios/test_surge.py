"""A receiver that hangs, and a tenant in a hurry, delay nobody else."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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


async def quick_for(stage: Stage, organisation: Any, login: str, token: str, times: int = 5) -> None:
    """Each event for this person is told within the time that a delayed one would never keep."""
    loop = asyncio.get_running_loop()
    for _ in range(times):
        before, began = len(stage.arrived(login)), loop.time()
        answer = await stage.send("POST", "/api/v1/events", event(to=login), token=token)
        assert answer.status == 202
        await stage.messages(login, before + 1, within=3)
        assert loop.time() - began < 3


async def test_a_receiver_that_hangs_for_one_does_not_for_another_organisation_at_the_same_host(
    stage: Stage, other_organisation: Any
) -> None:
    await in_django(
        lambda: reach(other_organisation, "mallory", url=f"http://127.0.0.1:{stage.receiver.port}/{{login}}")
    )
    theirs = await in_django(lambda: other_organisation.token("mallory"))
    # given: one and the same host, which never answers for bo
    stage.answers("bo", Reply(manner="hang"))
    await stage.post_batch(*(event(to="bo") for _ in range(500)))
    await stage.until(lambda: len(stage.arrived("bo")) >= ALONE)
    # then
    await quick_for(stage, other_organisation, "mallory", theirs)
    assert len(stage.arrived("bo")) == ALONE


@contextmanager
def silent_doors(count: int) -> Iterator[list[int]]:
    """Ports at which everybody gets in and nobody hears anything: the kernel lets them in, nothing takes them over."""
    with ExitStack() as stack:
        doors = [stack.enter_context(socket.socket()) for _ in range(count)]
        for door in doors:
            door.bind(("127.0.0.1", 0))
            door.listen(128)
        yield [door.getsockname()[1] for door in doors]


async def test_however_many_receivers_hang_for_one_another_organisation_has_room(
    empty_stage: Stage, other_organisation: Any
) -> None:
    stage = empty_stage
    theirs = await in_django(lambda: other_organisation.token("mallory"))
    with silent_doors(40) as ports:

        def crowd() -> None:
            reach(other_organisation, "mallory", url=f"http://127.0.0.1:{stage.receiver.port}/{{login}}")
            for port in ports:
                stage.organisation.add(f"p{port}")
                reach(stage.organisation, f"p{port}", url=f"http://127.0.0.1:{port}/{{login}}")

        await in_django(crowd)
        running = await stage.start()
        for start in range(0, 40, 10):
            await stage.post_batch(*(event(to=f"p{port}") for port in ports[start : start + 10] for _ in range(60)))
        await stage.until(lambda: running.node.deliverer.lanes.held >= 1_000)
        await quick_for(stage, other_organisation, "mallory", theirs)
        assert running.node.deliverer.lanes.held <= 1_500


async def test_a_crowd_of_one_organisation_keeps_another_waiting_for_a_group_and_no_longer(
    empty_stage: Stage, other_organisation: Any
) -> None:
    stage = empty_stage

    def crowd() -> None:
        reach(other_organisation, "mallory", url=f"http://127.0.0.1:{stage.receiver.port}/{{login}}")
        for number in range(200):
            stage.organisation.add(f"p{number}")

    await in_django(crowd)
    theirs = await in_django(lambda: other_organisation.token("mallory"))
    await stage.start()
    everybody = {"approvers": [f"p{number}" for number in range(200)]}
    events = [event(type="data_change.pending_approval", people=everybody) for _ in range(500)]
    # when: 100,000 people are to be told, and meanwhile one
    flood = asyncio.create_task(stage.post_batch(*events))
    await stage.until(lambda: stage.nodes[0].node.groups.waiting > 400)
    await quick_for(stage, other_organisation, "mallory", theirs, times=3)
    assert stage.nodes[0].node.groups.waiting > 0
    # then: the crowd has its turn as well
    assert (await flood).body["accepted"] == 500


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
