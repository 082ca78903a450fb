"""What a node accepts and sends is counted by the hour, to the last of it."""

from datetime import UTC, datetime
from typing import Any

from tests.delivery.given import event, in_django
from tests.scenarios.stage import WEB, WORKER, Stage

from tidings.channels.testing.webhook_receiver import Reply
from tidings.delivery.overview import Overview, overview_of


async def overview(stage: Stage) -> Overview:
    def look() -> Overview:
        return overview_of(stage.organisation.caller(), unit="hour", count=2, now=datetime.now(UTC))

    return await in_django(look)


async def test_the_sums_of_an_hour_are_those_of_its_events(stage: Stage) -> None:
    stage.answers("bo", Reply(400))
    stage.answers("dan", Reply(503), Reply())
    await stage.post(*(event(to="ann") for _ in range(20)), event(to="bo"), event(to="dan"), event(to="eve"))
    await stage.over()
    await stage.nodes.pop().stop()
    found = await overview(stage)
    # eve can be reached by no method
    assert (found.total.accepted, found.total.sent, found.total.failed) == (23, 21, 1)
    assert [(each.reason, each.count) for each in found.failures] == [("rejected", 1)]
    assert {each.reason: each.count for each in found.skips} == {"no_method": 1}
    assert found.total.p50 is not None and found.total.p50 < 2


async def test_a_node_that_only_accepts_counts_too_and_what_is_cancelled_is_seen(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.reachable("ann", "bo")
    web = await stage.start(WEB)
    await stage.post(event(to="ann"), event(to="bo"))
    await stage.database.execute("UPDATE delivery_delivery SET due_at = due_at - interval '2 minutes'")
    await stage.change("UPDATE accounts_person SET active = false WHERE id = %s", stage.organisation.people["bo"].id,
                       version="directory")  # fmt: skip
    worker = await stage.start(WORKER)
    await stage.over()
    for node in (web, worker):
        await node.stop()
    stage.nodes.clear()
    found = await overview(stage)
    assert (found.total.accepted, found.total.sent, found.total.cancelled) == (2, 1, 1)


async def test_what_was_tried_again_by_hand_says_nothing_of_how_fast_we_are(stage: Stage) -> None:
    stage.answers("ann", Reply(400), Reply())
    await stage.post(event(to="ann"))
    await stage.over()
    secret = await in_django(lambda: stage.organisation.token("root"))
    answer: Any = await stage.send("POST", "/api/v1/deliveries/retry", {}, token=secret)
    assert answer.body["retried"] == 1
    await stage.settled("sent")
    await stage.nodes.pop().stop()
    found = await overview(stage)
    assert (found.total.sent, found.total.failed, found.total.p50) == (1, 1, None)
