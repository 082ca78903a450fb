"""Another way to somebody who is asked to act, when nothing reaches them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.delivery.given import Desk, event
from tests.planning.given import member, point

from tidings.delivery.fallback import fall_back, missed, next_way, wants
from tidings.delivery.policy import Next

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ON = frozenset({"webhook", "email", "sms"})
FAILED = Next("failed", "gone")


@pytest.mark.parametrize(
    ("tone", "following", "wanted"),
    [
        ("action", FAILED, True),
        ("action", Next("pending", "busy", wait=timedelta(minutes=5)), True),
        ("action", Next("pending", "busy", wait=timedelta(seconds=30)), False),
        ("action", Next("sent"), False),
        ("action", Next("sent", wait=timedelta(hours=1)), False),
        ("failure", FAILED, False),
        ("info", FAILED, False),
    ],
)
def test_it_takes_an_event_that_asks_to_act_and_a_way_that_fails(tone: str, following: Next, wanted: bool) -> None:
    assert wants(tone, following) is wanted


def test_the_next_way_is_one_that_can_be_used_and_was_not() -> None:
    ann = member("ann", "webhook", points=[point("ann", "webhook"), point("ann", "email"), point("ann", "sms")])
    found = next_way(ann, {"webhook"}, ON)
    assert found is not None
    assert found.channel == "sms"
    assert next_way(ann, {"webhook", "sms", "email"}, ON) is None
    assert next_way(ann, {"webhook"}, {"webhook"}) is None


def test_an_address_that_nobody_proved_is_no_way() -> None:
    points = [point("ann", "sms", verified=False), point("ann", "email", disabled=True)]
    assert next_way(member("ann", points=points), set(), ON) is None


def test_an_address_whose_owner_asked_for_no_more_is_no_way() -> None:
    mail = replace(point("ann", "email"), left=True)
    assert next_way(member("ann", points=[mail, point("ann", "webhook")]), {"webhook"}, ON) is None


def test_an_account_that_is_only_found_by_a_mobile_is_no_way_until_it_is_chosen_or_proven() -> None:
    found = replace(point("ann", "dingtalk"), assumed=True)
    on = ON | {"dingtalk"}
    assert next_way(member("ann", "webhook", points=[found, point("ann", "webhook")]), {"webhook"}, on) is None
    chosen = member("ann", "webhook", "dingtalk", points=[found, point("ann", "webhook")])
    assert next_way(chosen, {"webhook"}, on) == found
    proven = replace(found, assumed=False)
    assert next_way(member("ann", "webhook", points=[proven]), {"webhook"}, on) == proven


@given(st.sets(st.sampled_from(["webhook", "email", "sms", "dingtalk", "new"])))
def test_a_way_is_never_taken_twice_and_every_one_is_tried(have: set[str]) -> None:
    ann, used = member("ann", points=[point("ann", channel) for channel in sorted(have)]), set[str]()
    while found := next_way(ann, used, have):
        assert found.channel not in used
        used.add(found.channel)
    assert used == have


@pytest.fixture
def two_ways(reachable: Any) -> Any:
    """Bo has chosen the webhook, and has an e-mail address too."""
    from django.utils import timezone

    from tidings.channels.models import ChannelSetting
    from tidings.directory.models import ContactPoint
    from tidings.kernel.secrets import seal

    tenant = reachable.tenant
    ChannelSetting.objects.create(tenant=tenant, channel="email", enabled=True, sealed=seal({}))
    ContactPoint.objects.create(
        tenant=tenant,
        person=reachable.people["bo"],
        channel="email",
        sealed=seal({"address": "bo@example.com"}),
        shown="b***@example.com",
        destination="mail.example:25",
        verified_at=timezone.now(),
    )
    return reachable


async def asked_to_act(desk: Desk, *states: str) -> tuple[UUID, Any]:
    """Bo's delivery of an event that waits for approval, and bo as the node knows them."""
    await desk.keep(event(type="data_change.pending_approval", people={"submitter": "ann", "approvers": ["bo"]}))
    view = (await desk.views.current(desk.connection, (desk.tenant_id,)))[desk.tenant_id]
    bo = view.directory.people.by_login["bo"]
    ids = await desk.deliveries("id")
    for key, state in zip(ids, states, strict=True):
        await desk.run("UPDATE delivery_delivery SET state = %s WHERE id = %s", state, key)
    return ids[0], bo


async def test_what_failed_is_queued_for_another_way_once(two_ways: Any, desk: Desk) -> None:
    delivery, bo = await asked_to_act(desk, "failed")
    taken = await fall_back(desk.connection, delivery, desk.tenant_id, bo, ON, NOW)
    assert taken is not None
    assert taken.channel == "email"
    rows = await desk.deliveries("channel", "state", "attempts")
    assert rows[0][:2] == ("webhook", "failed")
    assert rows[1][:2] == ("email", "pending")
    assert (rows[1][2][0]["outcome"], rows[1][2][0]["said"]) == ("fallback_for", "webhook")
    assert await fall_back(desk.connection, delivery, desk.tenant_id, bo, ON, NOW) is None


async def test_the_fallback_has_its_whole_schedule(two_ways: Any, desk: Desk) -> None:
    delivery, bo = await asked_to_act(desk, "failed")
    await fall_back(desk.connection, delivery, desk.tenant_id, bo, ON, NOW)
    [job] = await desk.claim(await desk.register())
    assert (job.channel, job.attempts, job.member.login) == ("email", 0, "bo")


async def test_without_another_way_nothing_happens(two_ways: Any, desk: Desk) -> None:
    delivery, bo = await asked_to_act(desk, "failed")
    assert await fall_back(desk.connection, delivery, desk.tenant_id, bo, {"webhook"}, NOW) is None
    assert len(await desk.deliveries()) == 1


async def _failed_at(desk: Desk, delivery: UUID, minutes: float, *, tenant_wants: bool = True) -> list[UUID]:
    """What is looked at again when that way failed so long ago."""
    await desk.run("UPDATE accounts_tenant SET fallback = %s WHERE id = %s", tenant_wants, desk.tenant_id)
    attempt = """jsonb_build_array(jsonb_build_object('at', now() - %s * interval '1 minute', 'outcome', 'refused'))"""
    await desk.run(f"UPDATE delivery_delivery SET attempts = {attempt} WHERE id = %s", minutes, delivery)
    found = await missed(desk.connection, datetime.now(UTC))
    return [one.delivery for one in found if one.tenant_id == desk.tenant_id]


async def test_a_way_that_failed_lately_is_looked_at_again(two_ways: Any, desk: Desk) -> None:
    """The node that recorded it may have died before it looked for another."""
    delivery, _ = await asked_to_act(desk, "failed")
    assert await _failed_at(desk, delivery, 2) == [delivery]
    assert await _failed_at(desk, delivery, 0.5) == []
    assert await _failed_at(desk, delivery, 11) == []
    assert await _failed_at(desk, delivery, 2, tenant_wants=False) == []
    await desk.run("UPDATE delivery_delivery SET state = 'sent' WHERE id = %s", delivery)
    assert await _failed_at(desk, delivery, 2) == []
