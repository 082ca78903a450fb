"""An address that is used no longer is told so by its own channel, again and again for a day, and by one node only."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from msgspec.structs import replace
from tests.delivery.given import Desk

from tidings.channels.contract import Budget, Refused, Sent, TryLater
from tidings.channels.memory import LocalMemory
from tidings.channels.testing.smtp_server import MailServer, Step
from tidings.delivery.budget import Granted
from tidings.delivery.budget import take as take_budgets
from tidings.delivery.farewell import next_step, say, settle, take
from tidings.delivery.policy import Next
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.http import Wire
from tidings.kernel.ids import uuid7

OLD = "ann@example.com"
SCHEDULE = (timedelta(seconds=5), timedelta(hours=2))


async def unlimited(calls: Sequence[Sequence[Budget]]) -> Granted:
    return Granted(len(calls))


@pytest.fixture
async def wire() -> AsyncIterator[LocalMemory]:
    wire = Wire(AddressPolicy((ip_network("127.0.0.0/8"),)))
    yield LocalMemory(wire)
    await wire.aclose()


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    from tidings.channels.registry import CHANNELS

    async with MailServer() as server:
        yield server
        await CHANNELS["email"].close()


@pytest.fixture
async def left(desk: Desk, mail_server: MailServer) -> Desk:
    """ann has left an address; her tenant's mail goes to the server."""
    await desk.run("TRUNCATE directory_formeraddress")
    await asyncio.to_thread(_leave, desk.organisation, mail_server.port)
    return desk


def _leave(organisation: Any, port: int) -> None:
    from django.db import connection

    from tidings.channels.models import ChannelSetting
    from tidings.channels.registry import CHANNELS
    from tidings.directory.contact_points import write_point
    from tidings.directory.models import ContactPoint
    from tidings.kernel.secrets import seal

    settings = {"host": "localhost", "port": port, "security": "none", "from": "notices@example.com"}
    ChannelSetting.objects.create(tenant=organisation.tenant, channel="email", enabled=True, sealed=seal(settings))
    ann = organisation.people["ann"]
    write_point(ann, CHANNELS["email"], None, {"address": OLD}, verified=True)
    point = ContactPoint.objects.for_tenant(organisation.id).get(person=ann, channel="email")
    write_point(ann, CHANNELS["email"], point, {"address": "ann@new.example"}, verified=False)
    connection.close()


@pytest.mark.parametrize(
    ("language", "headline"),
    [
        ("en", "This address is no longer used for the notifications of Ann"),
        ("zh-hans", "此地址不再用于接收 Ann 的通知"),
    ],
)
async def test_the_old_address_reads_it_in_the_persons_language(
    left: Desk, mail_server: MailServer, wire: LocalMemory, language: str, headline: str
) -> None:
    ann = left.organisation.people["ann"].id
    await left.run("UPDATE accounts_person SET language = %s WHERE id = %s", language, ann)
    [farewell] = await take(left.connection)
    outcome = await say(farewell, wire, unlimited, now=datetime.now(UTC))
    assert isinstance(outcome, Sent)
    [mail] = mail_server.taken
    assert mail.recipient == OLD
    assert headline in mail.message["Subject"]
    assert headline in mail.message.get_body(("plain",)).get_content()
    assert "ann@new.example" not in mail.raw.decode()
    assert farewell.id.hex in mail.message["Message-ID"]
    await settle(left.connection, farewell, Next("sent"))
    assert await left.value("SELECT count(*) FROM directory_formeraddress") == 0


async def test_an_address_that_is_left_again_and_again_is_told_as_rarely_as_codes_are_sent(
    left: Desk, mail_server: MailServer, wire: LocalMemory
) -> None:
    async def limited(calls: Sequence[Sequence[Budget]]) -> Granted:
        return await take_budgets(left.connection, calls, at_most=1)

    [farewell] = await take(left.connection)
    assert isinstance(await say(farewell, wire, limited, now=datetime.now(UTC)), Sent)
    again = await say(replace(farewell, id=uuid7()), wire, limited, now=datetime.now(UTC))
    assert isinstance(again, TryLater)
    assert again.reason == "too_many_farewells"
    assert again.after is not None
    assert timedelta(seconds=55) < again.after < timedelta(seconds=62)
    # what is said again is no other one; what was not said yet is, whenever it is its turn
    assert isinstance(await say(replace(farewell, tries=2), wire, limited, now=datetime.now(UTC)), Sent)
    await settle(left.connection, farewell, Next("pending", again.reason, wait=again.after))
    assert await left.value("SELECT tries FROM directory_formeraddress") == 0
    # another person's, who had the same address, is not held back
    assert isinstance(await say(replace(farewell, person_id=uuid7()), wire, limited, now=datetime.now(UTC)), Sent)
    assert len(mail_server.taken) == 3


async def test_one_node_says_it_and_another_if_that_one_dies(left: Desk) -> None:
    other = await left.another()
    taken = await asyncio.gather(take(left.connection), take(other.connection))
    assert sorted(map(len, taken)) == [0, 1]
    await left.run("UPDATE directory_formeraddress SET due_at = due_at - interval '1 minute'")
    [again] = await take(other.connection)
    assert (again.id, again.tries) == ((taken[0] or taken[1])[0].id, 2)
    await other.close()


async def test_what_was_not_taken_is_said_again_with_the_same_identity(
    left: Desk, mail_server: MailServer, wire: LocalMemory
) -> None:
    mail_server.script = {OLD: [Step("451 4.3.0 later", at="data"), Step(at="data")]}
    at = datetime.now(UTC)
    [farewell] = await take(left.connection)
    outcome = await say(farewell, wire, unlimited, now=at)
    assert isinstance(outcome, TryLater)
    await settle(left.connection, farewell, next_step(farewell, outcome, now=at, schedule=SCHEDULE, chance=0.5))
    assert await take(left.connection) == []
    await left.run("UPDATE directory_formeraddress SET due_at = due_at - interval '5 seconds'")
    [again] = await take(left.connection)
    assert isinstance(await say(again, wire, unlimited, now=at), Sent)
    first, second = mail_server.mails
    assert first.message["Message-ID"] == second.message["Message-ID"]


async def test_after_a_day_or_the_last_retry_it_ends_and_the_log_says_so(
    left: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    [farewell] = await take(left.connection)
    at, later = farewell.left_at, TryLater("server_busy")

    def after(tries: int, age: timedelta) -> str:
        tried = replace(farewell, tries=tries)
        return next_step(tried, later, now=at + age, schedule=SCHEDULE, chance=0.5).state

    assert after(1, timedelta(0)) == "pending"
    assert after(3, timedelta(0)) == "failed"
    assert after(2, timedelta(hours=23)) == "failed"
    with caplog.at_level(logging.WARNING):
        await settle(left.connection, farewell, Next("failed", "server_busy"))
    assert "no longer used" in caplog.text
    assert await left.value("SELECT count(*) FROM directory_formeraddress") == 0


async def test_a_channel_that_is_off_by_now_says_nothing(
    left: Desk, mail_server: MailServer, wire: LocalMemory
) -> None:
    await left.run("UPDATE channels_channelsetting SET enabled = false WHERE tenant_id = %s", left.tenant_id)
    [farewell] = await take(left.connection)
    outcome = await say(farewell, wire, unlimited, now=datetime.now(UTC))
    assert outcome == Refused("channel_off", of="message")
    assert mail_server.mails == []


async def test_an_address_that_no_key_opens_is_tried_again_and_fails_nothing_else(
    left: Desk, wire: LocalMemory
) -> None:
    await left.run("UPDATE directory_formeraddress SET sealed = %s", b"not ours")
    [farewell] = await take(left.connection)
    outcome = await say(farewell, wire, unlimited, now=datetime.now(UTC))
    assert outcome == TryLater(
        "secret_unreadable", said="none of TIDINGS_SECRET_KEYS opens this secret", technical=True
    )


async def test_a_budget_that_is_used_up_is_waited_for(left: Desk, mail_server: MailServer, wire: LocalMemory) -> None:
    async def used_up(calls: Sequence[Sequence[Budget]]) -> Granted:
        return Granted(0, "vendor_limit", timedelta(minutes=3))

    [farewell] = await take(left.connection)
    outcome = await say(farewell, wire, used_up, now=farewell.left_at)
    following = next_step(farewell, outcome, now=farewell.left_at, schedule=SCHEDULE, chance=0.5)
    assert (following.state, following.wait) == ("pending", timedelta(minutes=3))
    assert mail_server.mails == []
