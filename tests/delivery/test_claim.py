"""Pending deliveries are taken in order, tenants in turn, by one node each; what lost its way ends with the reason."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from tests.delivery.given import Desk, event, logins, nowhere, reach

from tidings.delivery import claim
from tidings.kernel.database import connect
from tidings.kernel.ids import event_of
from tidings.kernel.secrets import unseal

APPROVED, RUN = "data_change.approved", "data_change.successful"


async def pend(desk: Desk, *contents: dict[str, Any]) -> None:
    await desk.keep(*contents, room=nowhere)


async def ago(desk: Desk, seconds: float, number: int | None = None) -> None:
    """These deliveries have been due for so long."""
    await desk.run(
        "UPDATE delivery_delivery SET due_at = now() - %s * interval '1 second' WHERE tenant_id = %s"
        " AND (%s::int IS NULL OR number = %s)",
        seconds,
        desk.tenant_id,
        number,
        number,
    )


# what is taken


async def test_what_is_due_is_taken_with_all_that_its_attempt_needs(desk: Desk) -> None:
    await pend(desk, event(id="e-1", type=APPROVED, subject=77, details={"risk": "LOW"}))
    mine = await desk.register()
    [job] = await desk.claim(mine)
    assert await desk.deliveries("state", "lease") == [("sending", mine)]
    assert (job.member.login, job.channel, job.lease, job.attempts, job.newer) == ("ann", "webhook", mine, 0, None)
    assert [(because.role, because.of) for because in job.because] == [("submitter", "")]
    assert (job.story.event.id, job.story.number, job.story.event.details) == ("e-1", 1, {"risk": "LOW"})
    assert job.story.occasion.submitter == "Ann"
    assert (job.point.destination, unseal(job.settings)) == ("127.0.0.1:9", {})
    assert event_of(job.id) == job.story.id


async def test_what_is_not_due_yet_is_left_alone(desk: Desk) -> None:
    await pend(desk, event())
    await ago(desk, -5)
    assert await desk.claim(await desk.register()) == []


async def test_the_longest_due_comes_first_and_no_more_than_asked_for(desk: Desk) -> None:
    for wait in (1, 3, 2):
        await pend(desk, event(id=f"{wait}"))
        await desk.run(
            "UPDATE delivery_delivery SET due_at = now() - %s * interval '1 minute'"
            " WHERE due_at > now() - interval '30 s' AND tenant_id = %s",
            wait,
            desk.tenant_id,
        )
    jobs = await desk.claim(await desk.register(), limit=2)
    assert {job.story.event.id for job in jobs} == {"3", "2"}


async def test_tries_since_the_last_retry_by_hand_are_counted(desk: Desk) -> None:
    await pend(desk, event())
    for attempts, count in (
        ('[{"outcome": "try_later"}, {"outcome": "refused"}]', 2),
        ('[{"outcome": "refused"}, {"outcome": "retried_by"}]', 0),
        ('[{"outcome": "refused"}, {"outcome": "retried_by"}, {"outcome": "try_later"}]', 1),
        ('[{"outcome": "held"}, {"outcome": "try_later"}, {"outcome": "held"}]', 1),
        ('[{"outcome": "held"}, {"outcome": "refused"}, {"outcome": "retried_by"}, {"outcome": "held"}]', 0),
        ('[{"outcome": "fallback_for"}, {"outcome": "held"}, {"outcome": "try_later"}, {"outcome": "try_later"}]', 2),
    ):
        await desk.run("UPDATE delivery_delivery SET state = 'pending', attempts = %s::jsonb", attempts)
        [job] = await desk.claim(await desk.register())
        assert job.attempts == count


async def test_what_it_is_known_to_wait_for_is_what_it_was_held_for_last(desk: Desk) -> None:
    await pend(desk, event())
    held = '{"outcome": "held", "reason": "robot_rate"}'
    for attempts, waits_for in ((f"[{held}]", "robot_rate"), (f'[{held}, {{"outcome": "sent"}}]', ""), ("[]", "")):
        await desk.run("UPDATE delivery_delivery SET state = 'pending', attempts = %s::jsonb", attempts)
        [job] = await desk.claim(await desk.register())
        assert job.waits_for == waits_for


async def test_an_event_told_to_several_people_is_one_story(desk: Desk) -> None:
    await pend(desk, event(type="data_change.pending_approval", people={"approvers": ["ann", "bo"]}))
    one, other = await desk.claim(await desk.register())
    assert one.story is other.story
    assert {one.member.login, other.member.login} == {"ann", "bo"}


async def test_a_claim_of_nothing_is_nothing(desk: Desk) -> None:
    assert await claim.claim(desk.connection, lease=1, limit=10) == []
    assert await claim.prepare(desk.connection, [], {}, lease=1) == []


# order


async def test_a_delivery_waits_for_an_older_one_of_the_same_person_and_subject(desk: Desk) -> None:
    await pend(desk, event(subject=77), event(subject=77), event(subject=77, to="bo"), event(subject=78))
    mine = await desk.register()
    jobs = await desk.claim(mine)
    assert [(job.member.login, job.story.number) for job in sorted(jobs, key=lambda job: job.id)] == [
        ("ann", 1),
        ("bo", 3),
        ("ann", 1),
    ]
    assert await desk.claim(mine) == []
    await desk.finish(*jobs)
    assert [job.story.number for job in await desk.claim(mine)] == [2]


async def test_it_waits_while_the_older_one_waits_for_its_next_try(desk: Desk) -> None:
    await pend(desk, event(subject=77), event(subject=77))
    mine = await desk.register()
    [first] = await desk.claim(mine)
    await desk.finish(first, state="pending", reason="busy", wait=600)
    assert await desk.claim(mine) == []


async def test_after_thirty_seconds_the_newer_goes_and_the_older_says_so(desk: Desk) -> None:
    await pend(desk, event(subject=77, type=APPROVED, at=-2), event(subject=77, type=RUN, at=-1))
    mine = await desk.register()
    [first] = await desk.claim(mine)
    await desk.finish(first, state="pending", reason="busy", wait=600)
    await ago(desk, 29, number=2)
    assert await desk.claim(mine) == []
    await ago(desk, 31, number=2)
    [second] = await desk.claim(mine)
    assert (second.story.number, second.newer) == (2, None)
    await desk.finish(second)
    await ago(desk, 0, number=1)
    [first] = await desk.claim(mine)
    assert first.newer is not None
    assert first.newer.event_labels["en"] == "Data change successful"
    assert first.attempts == 1


async def test_a_late_event_says_that_there_is_a_newer_status_only_when_there_is(desk: Desk) -> None:
    await pend(desk, event(subject=77, type=RUN, at=-1))
    mine = await desk.register()
    [current] = await desk.claim(mine)
    await desk.finish(current)
    await pend(desk, event(subject=77, type=APPROVED, at=-5))
    [late] = await desk.claim(mine)
    assert current.newer is None
    # Its number is the greater one; it is its time that makes it the earlier status.
    assert late.story.number == 2
    assert late.newer is not None


# tenants


@pytest.fixture
async def tenants(desk: Desk, database: str) -> AsyncIterator[list[Desk]]:
    """Seven more tenants, each with an ann who can be reached."""
    from tests.conftest import _organisation  # type: ignore[import-untyped]

    def found() -> list[Any]:
        organisations = [_organisation("surge", {"ann": ()}) for _ in range(7)]
        for one in organisations:
            reach(one, "ann")
        from django.db import connection

        connection.close()
        return organisations

    connection = await connect(database, name="tenants")
    yield [Desk(one, connection, database) for one in await asyncio.to_thread(found)]
    await connection.close()


def by_tenant(claimed: list[claim.Claimed]) -> dict[UUID, int]:
    tenants = [one.tenant_id for one in claimed]
    return {tenant: tenants.count(tenant) for tenant in set(tenants)}


async def test_every_tenant_gets_its_turn_however_much_others_have(tenants: list[Desk]) -> None:
    for one in tenants:
        await one.keep(*(event() for _ in range(300)), room=nowhere)
    mine = await tenants[0].register()
    met: set[UUID] = set()
    for _ in range(3):
        claimed = await claim.claim(tenants[0].connection, lease=mine, limit=100)
        assert max(by_tenant(claimed).values()) <= 15
        assert len(claimed) > 90
        met |= set(by_tenant(claimed))
    assert met == {one.tenant_id for one in tenants}


async def test_a_tenant_that_is_alone_gets_all_there_is(desk: Desk) -> None:
    await pend(desk, *(event() for _ in range(200)))
    assert len(await claim.claim(desk.connection, lease=1, limit=150)) == 150


async def test_a_small_tenant_is_not_kept_waiting_by_seven_large_ones(desk: Desk, tenants: list[Desk]) -> None:
    for one in tenants:
        await one.keep(*(event() for _ in range(200)), room=nowhere)
    await pend(desk, event())
    claimed = await claim.claim(desk.connection, lease=1, limit=100)
    assert by_tenant(claimed)[desk.tenant_id] == 1
    assert len(claimed) > 80


async def test_a_tenant_that_has_enough_in_hand_is_passed_over(desk: Desk, tenants: list[Desk]) -> None:
    await pend(desk, event())
    await tenants[0].keep(event(), room=nowhere)
    claimed = await claim.claim(desk.connection, lease=1, limit=100, passed_over={desk.tenant_id})
    assert by_tenant(claimed) == {tenants[0].tenant_id: 1}


# two nodes


async def test_two_nodes_never_take_the_same(desk: Desk) -> None:
    await pend(desk, *(event() for _ in range(300)))
    other = await desk.another()
    one, two = await desk.register(), await other.register()
    taken: list[claim.Claimed] = []
    async with asyncio.timeout(20):
        while len(taken) < 300:
            for each in await asyncio.gather(
                claim.claim(desk.connection, lease=one, limit=40), claim.claim(other.connection, lease=two, limit=40)
            ):
                taken += each
    assert len({each.id for each in taken}) == len(taken) == 300
    assert await desk.value("SELECT count(*) FROM delivery_delivery WHERE lease = ANY(%s)", [one, two]) == 300
    await other.close()


async def test_what_another_node_is_taking_is_passed_over_and_not_waited_for(desk: Desk) -> None:
    await pend(desk, *(event() for _ in range(30)))
    other = await desk.another()
    async with asyncio.timeout(5), other.connection.transaction():
        assert len(await claim.claim(other.connection, lease=2, limit=20)) == 20
        assert len(await claim.claim(desk.connection, lease=1, limit=20)) == 10
    await other.close()


# what has lost its way


LOST = {
    "person_departed": "UPDATE accounts_person SET departed_at = now() WHERE id = %(person)s",
    "person_disabled": "UPDATE accounts_person SET active = false WHERE id = %(person)s",
    "channel_off": "UPDATE channels_channelsetting SET enabled = false WHERE tenant_id = %(tenant)s",
    "contact_missing": "DELETE FROM directory_contactpoint WHERE person_id = %(person)s",
    "contact_disabled": "UPDATE directory_contactpoint SET disabled_at = now() WHERE person_id = %(person)s",
    "contact_unverified": "UPDATE directory_contactpoint SET verified_at = NULL WHERE person_id = %(person)s",
    "unknown_person": "UPDATE delivery_delivery SET person_id = gen_random_uuid() WHERE tenant_id = %(tenant)s",
}


@pytest.mark.parametrize("reason", LOST)
async def test_a_delivery_whose_way_is_gone_is_cancelled_with_the_reason(desk: Desk, reason: str) -> None:
    await pend(desk, event())
    names = {"person": desk.organisation.people["ann"].id, "tenant": desk.tenant_id}
    await desk.connection.execute(LOST[reason], names)
    await desk.run(
        "UPDATE accounts_tenant SET directory_version = directory_version + 1, rules_version = rules_version + 1"
    )
    assert await desk.claim(await desk.register()) == []
    assert await desk.deliveries("state", "reason", "lease") == [("cancelled", reason, None)]


async def test_a_method_that_was_switched_off_meanwhile_is_not_used(desk: Desk) -> None:
    await pend(desk, event())
    await desk.run("UPDATE accounts_person SET methods = '{}' WHERE id = %s", desk.organisation.people["ann"].id)
    await desk.run("UPDATE accounts_tenant SET directory_version = directory_version + 1")
    assert await desk.claim(await desk.register()) == []
    assert await desk.deliveries("state", "reason") == [("cancelled", "contact_missing")]


async def test_a_rule_that_was_switched_off_meanwhile_does_not_stop_what_is_planned(desk: Desk) -> None:
    await pend(desk, event())
    await desk.run("UPDATE rules_rule SET enabled = false WHERE tenant_id = %s", desk.tenant_id)
    await desk.run("UPDATE accounts_tenant SET rules_version = rules_version + 1")
    assert logins(await desk.claim(await desk.register())) == ["ann"]


async def test_a_contact_point_that_was_changed_meanwhile_is_used_as_it_is_now(desk: Desk) -> None:
    await pend(desk, event())
    await desk.run("UPDATE directory_contactpoint SET destination = 'elsewhere:443'")
    await desk.run("UPDATE accounts_tenant SET directory_version = directory_version + 1")
    [job] = await desk.claim(await desk.register())
    assert job.point.destination == "elsewhere:443"


async def test_a_delivery_without_its_content_has_failed_and_says_so(desk: Desk) -> None:
    await pend(desk, event(), event(to="bo"))
    await desk.run("DELETE FROM events_body WHERE body LIKE '%%\"bo\"%%'")
    assert logins(await desk.claim(await desk.register())) == ["ann"]
    assert await desk.deliveries("state", "reason") == [("sending", None), ("failed", "content_expired")]


async def test_content_that_nobody_can_read_fails_alone(desk: Desk) -> None:
    await pend(desk, event(), event(to="bo"))
    await desk.run("""UPDATE events_body SET body = '{"id": 7}' WHERE body LIKE '%%"bo"%%'""")
    assert logins(await desk.claim(await desk.register())) == ["ann"]
    assert await desk.deliveries("state", "reason") == [("sending", None), ("failed", "content_unreadable")]


async def test_a_type_that_was_taken_away_fails_and_says_so(desk: Desk) -> None:
    await pend(desk, event())
    await desk.run("UPDATE events_event SET type = 'our_own.gone'")
    assert await desk.claim(await desk.register()) == []
    assert await desk.deliveries("state", "reason") == [("failed", "unknown_event_type")]


async def test_a_lease_that_was_lost_meanwhile_cancels_nothing(desk: Desk) -> None:
    await pend(desk, event())
    mine = await desk.register()
    claimed = await claim.claim(desk.connection, lease=mine, limit=10)
    await desk.run("UPDATE delivery_delivery SET lease = %s", mine + 1)
    await desk.run("DELETE FROM events_body")
    views = await desk.views.current(desk.connection, {desk.tenant_id})
    assert await claim.prepare(desk.connection, claimed, views, lease=mine) == []
    assert await desk.deliveries("state", "lease") == [("sending", mine + 1)]


async def test_age_counts_from_the_last_retry_by_hand(desk: Desk) -> None:
    await pend(desk, event(), event(), event(subject="never retried"))
    tried = '[{"outcome": "try_later", "at": "2026-11-23T10:00:00Z"}'
    by_hand = ', {"outcome": "retried_by", "at": "2026-11-23T1%s:00:00.5Z"}'
    first, second, third = await desk.deliveries("id")
    for key, attempts in ((first, by_hand % 1), (second, by_hand % 1 + by_hand % 2), (third, "")):
        await desk.run("UPDATE delivery_delivery SET attempts = %s WHERE id = %s", f"{tried}{attempts}]", key)
    since = {job.id: job.since for job in await desk.claim(await desk.register())}
    assert since == {
        first: datetime(2026, 11, 23, 11, 0, 0, 500_000, tzinfo=UTC),
        second: datetime(2026, 11, 23, 12, 0, 0, 500_000, tzinfo=UTC),
        third: None,
    }


# what there is no place for


async def test_what_cannot_be_sent_now_is_given_back_as_it_was(desk: Desk) -> None:
    await pend(desk, event(), event(to="bo"))
    await ago(desk, 12)
    due, mine = await desk.deliveries("due_at"), await desk.register()
    one, other = await desk.claim(mine)
    await claim.give_back(desk.connection, [one.id], lease=mine)
    assert sorted(await desk.deliveries()) == ["pending", "sending"]
    assert await desk.deliveries("due_at") == due
    assert [job.id for job in await desk.claim(mine)] == [one.id]
    await claim.give_back(desk.connection, [other.id], lease=mine + 1)
    assert await desk.deliveries() == ["sending", "sending"]


async def test_a_short_look_is_at_those_that_were_due_first_and_a_long_one_at_all(desk: Desk) -> None:
    for to in ("ann", "ann", "ann", "bo"):
        await pend(desk, event(to=to))
    await desk.run(
        "UPDATE directory_contactpoint SET destination = 'slow:443' WHERE person_id = %s",
        desk.organisation.people["ann"].id,
    )
    full = [(desk.tenant_id, "slow:443")]
    assert await claim.claim(desk.connection, lease=1, limit=10, full=full, look=2) == []
    assert len(await claim.claim(desk.connection, lease=1, limit=10, full=full)) == 1


async def test_nothing_is_taken_for_a_destination_that_is_full(desk: Desk) -> None:
    await pend(desk, event(), event(to="bo"))
    await desk.run(
        "UPDATE directory_contactpoint SET destination = 'slow:443' WHERE person_id = %s",
        desk.organisation.people["ann"].id,
    )
    [one] = await claim.claim(
        desk.connection, lease=1, limit=10, full=[(desk.tenant_id, "slow:443"), (desk.tenant_id, "other:443")]
    )
    assert one.person_id == desk.organisation.people["bo"].id
    assert len(await claim.claim(desk.connection, lease=1, limit=10)) == 1
