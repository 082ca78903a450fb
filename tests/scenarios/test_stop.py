"""A node that stops keeps what it was given, finishes what it has begun, and gives back the rest."""

import asyncio

import pytest
from tests.delivery.given import SECRET, event, reach
from tests.scenarios.stage import WORKER, Stage, in_django

from tidings.channels.testing.webhook_receiver import Reply, WebhookReceiver
from tidings.delivery.lanes import AT_ONCE


async def test_it_sends_what_it_has_begun_and_gives_back_the_rest(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    stage.answers("ann", Reply(after=0.7))
    running = await stage.start()
    await stage.post_batch(*(event(to="ann") for _ in range(200)))
    await stage.messages("ann", AT_ONCE)
    # when
    await running.stop()
    stage.nodes.clear()
    # then: nothing was cut off, nothing is held by nobody, nothing was sent in vain
    states = await stage.states()
    assert states.count("sent") == len(stage.arrived("ann"))
    assert states.count("pending") == 200 - states.count("sent")
    assert await stage.value("SELECT count(*) FROM delivery_node") == 0
    assert await stage.value("SELECT count(*) FROM delivery_delivery WHERE lease IS NOT NULL") == 0
    # and another goes on where it stopped
    stage.answers("ann", Reply())
    await stage.start(WORKER)
    await stage.over()
    assert len(stage.arrived("ann")) == len({one.identity for one in stage.arrived("ann")}) == 200


async def test_what_is_posted_while_it_stops_is_kept_or_refused_and_never_without_an_answer(stage: Stage) -> None:
    running = stage.nodes[0]
    events = [event(to="ann") for _ in range(200)]

    async def post(one: dict[str, object]) -> int:
        await asyncio.sleep(0)
        try:
            return (await stage.send("POST", "/api/v1/events", one, at=running)).status
        except Exception as error:  # the port is closed by then
            assert "Connect" in type(error).__name__
            return 0

    posting = [asyncio.create_task(post(one)) for one in events]
    await asyncio.sleep(0.03)
    await running.stop()
    stage.nodes.clear()
    async with asyncio.timeout(15):
        statuses = await asyncio.gather(*posting)
    assert set(statuses) <= {202, 503, 0}
    kept = await stage.value("SELECT count(*) FROM events_event")
    assert kept == statuses.count(202)
    assert await stage.value("SELECT count(*) FROM delivery_delivery WHERE lease IS NOT NULL") == 0


async def test_a_dead_address_found_while_it_stops_is_switched_off_and_told_of(stage: Stage) -> None:
    stage.answers("ann", Reply(410, after=0.4))
    await stage.post(event(to="ann"))
    await stage.messages("ann")
    await stage.nodes.pop().stop()
    assert await stage.value("SELECT count(*) FROM directory_contactpoint WHERE disabled_at IS NOT NULL") == 1
    assert await stage.value("SELECT count(*) FROM events_event WHERE type = 'tidings.contact_point_disabled'") == 1


async def test_a_sender_that_never_finishes_does_not_keep_it_from_stopping(stage: Stage) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.nodes[0].port)
    writer.write(b"POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\n" % stage.token.encode())
    writer.write(b"content-length: 1000\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(0.1)
    async with asyncio.timeout(14):
        await stage.nodes.pop().stop()
    writer.close()
    assert reader is not None


@pytest.mark.parametrize("turn", range(3))
async def test_a_restart_in_the_middle_of_work_loses_and_repeats_nothing(empty_stage: Stage, turn: int) -> None:
    stage = empty_stage
    async with WebhookReceiver(SECRET) as receiver:
        receiver.script["/ann"] = (Reply(after=0.05),)
        await in_django(lambda: reach(stage.organisation, "ann", url=receiver.url("/{login}")))
        for _ in range(3):
            running = await stage.start()
            await stage.post_batch(*(event(to="ann") for _ in range(100)))
            await asyncio.sleep(0.05 * turn)
            await running.stop()
            stage.nodes.clear()
        await stage.start()
        await stage.over(15)
        assert len(receiver.arrivals) == len({one.identity for one in receiver.arrivals}) == 300
        await stage.ledger()
