"""A process stands still for longer than its lease and goes on as if nothing had happened: a machine that was suspended.
Others have taken over what it held; it must not send what it still has in its hands, nor keep anything for ever."""

import asyncio

from tests.delivery.given import event
from tests.faults.stage import installation

from tidings.channels.testing.webhook_receiver import Reply

LONGER_THAN_A_LEASE = 22.0


async def test_a_node_that_was_suspended_does_no_harm_when_it_goes_on() -> None:
    async with installation() as stage:
        # given: a node that has its hands full, and a worker beside it
        serve = stage.run("serve")
        await stage.ready(serve)
        await stage.set_up(serve, "ann", "bo")
        worker = stage.run("worker")
        await stage.ready(worker)
        stage.receiver.script["/ann"] = (Reply(after=0.5),)

        async def post(login: str, count: int) -> None:
            many = [event(to=login) for _ in range(count)]
            status, answer = await stage.call(serve, "POST", "/api/v1/events/batch", many, token=stage.token)
            assert (status, answer["accepted"]) == (202, count)

        await post("ann", 300)
        await asyncio.sleep(0.3)
        # when
        await stage.freeze(serve)
        held = sum(stage.may_repeat.values())
        assert held > 0
        # then: the worker takes over
        await asyncio.sleep(LONGER_THAN_A_LEASE)
        await stage.over(40)
        stage.thaw(serve)
        await post("bo", 20)
        await stage.over(30)
        # It has lost its lease, and says so; what it held was sent by others, and is not sent again by it.
        assert (await stage.states()).keys() == {"sent"}
        assert set(await stage.sent()) == set(stage.arrivals())
        assert len(stage.arrivals()) == 320
        assert stage.repeats() <= stage.may_repeat, stage.repeats() - stage.may_repeat
        assert (await stage.ledger())["open"] == 0
        assert stage.ended_by_themselves() == []
        print(f"{held} held, {sum(stage.repeats().values())} repeats")
