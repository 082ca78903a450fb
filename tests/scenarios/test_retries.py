"""Receivers that are down, busy, slow, gone or mad: a message is tried again or fails with a reason; none is lost."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone
from tests.delivery.given import event
from tests.scenarios.stage import WEB, WORKER, Stage, in_django

from tidings.channels.models import ChannelSetting
from tidings.channels.testing.smtp_server import OK, MailServer, Step
from tidings.channels.testing.webhook_receiver import Reply
from tidings.directory.models import ContactPoint
from tidings.kernel.secrets import seal

DOWN, GONE = Reply(503, b"maintenance"), Reply(410, b"no longer here")


async def outcomes(stage: Stage) -> list[list[str]]:
    rows = await stage.rows("SELECT attempts FROM delivery_delivery WHERE attempts IS NOT NULL ORDER BY id")
    return [[each.get("reason", each["outcome"]) for each in attempts] for (attempts,) in rows]


async def test_a_receiver_that_is_down_gets_the_same_message_again(stage: Stage) -> None:
    stage.answers("ann", DOWN, DOWN, Reply())
    await stage.post(event(to="ann"))
    first, second, third = await stage.messages("ann", 3)
    assert first.identity == second.identity == third.identity
    assert first.payload["data"] == third.payload["data"]
    await stage.settled("sent")
    assert await outcomes(stage) == [["receiver_unavailable", "receiver_unavailable", "sent"]]
    [[attempts]] = await stage.rows("SELECT attempts FROM delivery_delivery")
    assert attempts[0]["said"].startswith("503")


async def test_after_the_schedule_it_has_failed_and_says_why(stage: Stage) -> None:
    stage.answers("ann", DOWN)
    await stage.post(event(to="ann"))
    await stage.messages("ann", 4)
    await stage.settled("failed")
    assert await stage.value("SELECT reason FROM delivery_delivery") == "receiver_unavailable"
    assert len(stage.receiver.arrivals) == 4
    await stage.ledger()


async def test_a_receiver_that_asks_for_time_gets_it(stage: Stage) -> None:
    stage.answers("ann", Reply(429, headers={"retry-after": "2"}), Reply())
    await stage.post(event(to="ann"))
    first, second = await stage.messages("ann", 2)
    # A claim looks every second; before two have passed it is not due.
    assert timedelta(seconds=1.95) < second.at - first.at < timedelta(seconds=4)
    await stage.settled("sent")


@pytest.mark.parametrize("manner", ["reset", "garbage"])
async def test_a_receiver_that_is_mad_is_tried_again(stage: Stage, manner: str) -> None:
    stage.answers("ann", Reply(manner=manner), Reply())  # type: ignore[arg-type]
    await stage.post(event(to="ann"))
    await stage.messages("ann", 2)
    await stage.settled("sent")


async def test_a_refused_message_fails_at_once_and_the_next_is_sent(stage: Stage) -> None:
    stage.answers("ann", Reply(413), Reply())
    await stage.post(event(to="ann"))
    await stage.settled("failed")
    await stage.post(event(to="ann"))
    await stage.settled("failed", "sent")
    assert await outcomes(stage) == [["too_large"], ["sent"]]


async def test_an_address_nobody_may_call_fails_at_once_and_stays_in_use(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.start()
    await stage.reachable("ann", host="169.254.169.254")
    await stage.post(event(to="ann"))
    await stage.settled("failed")
    assert await stage.value("SELECT reason FROM delivery_delivery") == "address_not_allowed"
    assert await stage.value("SELECT count(*) FROM directory_contactpoint WHERE disabled_at IS NOT NULL") == 0


# an address that is dead


async def test_a_dead_address_is_switched_off_and_its_owner_and_administrators_are_told(stage: Stage) -> None:
    stage.answers("ann", GONE)
    # when
    await stage.post(event(to="ann"))
    # then: it fails at once, and no other message is tried there
    await stage.settled("failed", login="ann")
    [notice] = await stage.messages("root")
    assert notice.payload["type"] == "tidings.contact_point_disabled"
    data = notice.payload["data"]
    assert data["subject"]["title"] == "Webhook: shown"
    assert {fact["label"]: fact["value"] for fact in data["facts"]}["Reason"] == (
        "The receiver says that this address is gone for good"
    )
    await stage.post(event(to="ann"))
    await stage.over()
    assert len(stage.arrived("ann")) == 1
    # The owner reads it in the inbox: the address they would have read it at is the one that is dead.
    told = await stage.rows(
        "SELECT p.login, r.skips FROM events_recipient r JOIN accounts_person p ON p.id = r.person_id"
        " JOIN events_event e ON e.id = (left(r.id::text, 31) || '00000')::uuid"
        " WHERE e.type = 'tidings.contact_point_disabled' ORDER BY 1"
    )
    assert [login for login, _ in told] == ["ann", "root"]
    assert ["contact_disabled", "", "", "webhook"] in told[0][1]
    await stage.ledger()


async def test_many_messages_to_a_dead_address_are_one_notice(stage: Stage) -> None:
    stage.answers("ann", GONE)
    await stage.post_batch(*(event(to="ann") for _ in range(40)))
    await stage.messages("root")
    await stage.over()
    states = await stage.states("ann")
    assert set(states) <= {"failed", "cancelled"}
    assert len(states) == 40
    assert len(stage.arrived("root")) == 1
    cancelled = await stage.rows("SELECT DISTINCT reason FROM delivery_delivery WHERE state = 'cancelled'")
    assert set(cancelled) <= {("contact_disabled",)}


async def test_a_dead_address_of_the_administrator_causes_one_notice_and_no_other(stage: Stage) -> None:
    stage.answers("root", GONE)
    await stage.post(event(to="root"))
    await stage.until(lambda: stage.arrived("root"))
    await stage.over()
    await stage.nodes[0].node.chores.done()
    await stage.over()
    assert await stage.value("SELECT count(*) FROM events_event WHERE source = 'tidings'") == 1
    assert len(stage.arrived("root")) == 1


async def test_a_secret_that_cannot_be_opened_is_our_trouble_and_administrators_hear_of_it(stage: Stage) -> None:
    await stage.change(
        "UPDATE directory_contactpoint SET sealed = 'no key opens this' WHERE person_id = %s",
        stage.organisation.people["ann"].id,
        version="directory",
    )
    await stage.post(event(to="ann"), event(to="ann"))
    [notice] = await stage.messages("root")
    assert notice.payload["type"] == "tidings.channel_failing"
    await stage.over()
    assert await stage.states("ann") == ["failed", "failed"]
    assert len(stage.arrived("root")) == 1


# a retry by hand


async def test_what_failed_is_sent_again_when_somebody_asks(stage: Stage) -> None:
    stage.answers("ann", Reply(413), Reply())
    [event_id] = await stage.post(event(to="ann"))
    await stage.settled("failed")
    secret = await stage_token(stage)
    [send] = (await stage.record(event_id))["recipients"][0]["sends"]
    answer = await stage.send("POST", f"/api/v1/deliveries/{send['delivery_id']}/retry", {}, token=secret)
    assert answer.status in (200, 202), answer
    first, second = await stage.messages("ann", 2)
    assert first.identity == second.identity
    await stage.settled("sent")


async def test_a_mail_of_yesterday_that_is_sent_again_by_hand_has_its_whole_schedule(empty_stage: Stage) -> None:
    stage = empty_stage
    busy, mailbox = Step("450 4.2.1 Mailbox busy"), "ann@example.com"
    async with MailServer(script={mailbox: [busy, busy, busy, OK]}) as server:
        await by_mail(stage, mailbox, server)
        # given: it was accepted yesterday, and has failed
        await stage.start(WEB)
        [event_id] = await stage.post(event(to="ann"))
        [send] = (await stage.record(event_id))["recipients"][0]["sends"]
        delivery = await made_earlier(stage, UUID(send["delivery_id"]), timedelta(hours=20))
        await stage.start(WORKER)
        await stage.settled("failed")
        assert await outcomes(stage) == [["try_again_later"]]
        # when
        secret = await stage_token(stage)
        await stage.send("POST", f"/api/v1/deliveries/{delivery}/retry", {}, token=secret)
        # then
        await stage.settled("sent")
        [before, *after] = (await outcomes(stage))[0]
        assert (before, after) == ("try_again_later", ["retried_by", "try_again_later", "try_again_later", "sent"])


async def by_mail(stage: Stage, mailbox: str, server: MailServer) -> None:
    """ann's only method is mail, by this server."""
    settings = {"host": server.host, "port": server.port, "security": "none", "from": "tidings@example.com"}

    def set_up() -> None:
        tenant, ann = stage.organisation.tenant, stage.organisation.people["ann"]
        ChannelSetting.objects.create(tenant=tenant, channel="email", enabled=True, sealed=seal(settings))
        ContactPoint.objects.create(
            tenant=tenant, person=ann, channel="email", sealed=seal({"address": mailbox}), shown=mailbox,
            destination=f"{server.host}:{server.port}", verified_at=timezone.now(),
        )  # fmt: skip
        ann.methods = ["email"]
        ann.save()

    await in_django(set_up)


async def made_earlier(stage: Stage, delivery: UUID, by: timedelta) -> UUID:
    """The keys of its event and of all that belongs to it tell that they were made so much earlier."""
    ms = int(by.total_seconds() * 1000) << 80
    for table in ("events_event", "events_body", "events_recipient", "delivery_delivery"):
        for (key,) in await stage.rows(f"SELECT id FROM {table}"):
            await stage.database.execute(f"UPDATE {table} SET id = %s WHERE id = %s", (UUID(int=key.int - ms), key))
    return UUID(int=delivery.int - ms)


async def stage_token(stage: Stage) -> str:
    from tests.scenarios.stage import in_django

    return await in_django(lambda: stage.organisation.token("root"))
