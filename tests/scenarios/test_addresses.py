"""Somebody changes where messages go: the place they went to hears of it, and what happens next goes to the new one."""

import asyncio
from typing import Any

from tests.delivery.given import SECRET, event
from tests.scenarios.stage import WEB, Stage, in_django

from tidings.channels.testing.webhook_receiver import Reply

ME = "/api/v1/me/notification-settings"
TEST = "/api/v1/me/contact-points/webhook/test"


async def test_a_moved_webhook_says_goodbye_at_the_old_place_and_works_at_the_new_one(
    stage: Stage, local_calls: None
) -> None:
    token = await in_django(lambda: stage.organisation.token("ann"))
    stage.answers("ann", Reply(503), Reply())
    # when
    moved = {"webhook": {"url": stage.receiver.url("/ann-moved"), "secret": SECRET}}
    answer = await stage.send("PUT", ME, moved, token=token)
    assert (answer.status, answer.body["channels"]["webhook"]["verified"]) == (200, False)
    # then: the old place is told, and told again as it did not answer at first
    first, again = await stage.messages("ann", 2, within=20)
    assert first.payload["type"] == again.payload["type"] == "tidings.farewell"
    assert first.identity == again.identity
    assert "Ann" in again.payload["data"]["headline"]
    # until the new one is proven, nothing goes there
    [unheard] = await stage.post(event(to="ann"))
    [recipient] = (await stage.record(unheard))["recipients"]
    assert {"channel": "webhook", "reason": "contact_unverified"} in recipient["skips"]
    tested = await stage.send("POST", TEST, token=token)
    assert tested.body["verified"] is True
    [told] = await stage.post(event(to="ann"))
    _, message = await stage.messages("ann-moved", 2)
    assert message.payload["data"]["event_id"] == told
    assert await stage.value("SELECT count(*) FROM directory_formeraddress") == 0


async def test_a_node_that_only_accepts_leaves_it_to_those_that_deliver(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    await in_django(lambda: _take_away(stage.organisation))
    await stage.start(WEB)
    await asyncio.sleep(0.5)
    assert await stage.value("SELECT tries FROM directory_formeraddress") == 0
    await stage.start()
    await stage.messages("ann")


def _take_away(organisation: Any) -> None:
    from tidings.kernel.versions import Expected
    from tidings.preferences.methods import put_own_settings
    from tidings.preferences.shape import Wanted

    put_own_settings(organisation.caller("ann"), Wanted(contacts={"webhook": None}), Expected())
