"""What one event, one row or one tenant has wrong harms itself alone; nobody waits without an answer."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.delivery.given import event, reach
from tests.scenarios.stage import SERVE, WEB, Stage, in_django

from tidings.channels.testing.webhook_receiver import Reply

APPROVED, SUCCESS = "data_change.approved", "data_change.successful"


# events that cannot be planned


async def test_an_event_that_cannot_be_planned_is_kept_told_of_and_planned_later(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.reachable("ann", "root")
    running = await stage.start()
    # given: a row that no version of ours would write
    await stage.rule(SUCCESS, roles=["no_such_role"])
    # when
    [event_id] = await stage.post(event(to="ann"))
    await stage.post(event(to="ann", type=APPROVED))
    # then: it is kept, the other is not delayed, administrators hear of it
    await stage.messages("ann")
    [notice] = await stage.messages("root")
    assert notice.payload["type"] == "tidings.event_unplanned"
    assert event_id in notice.payload["data"]["subject"]["title"]
    record = await stage.record(event_id)
    assert (record["event"]["planned"], record["recipients"]) == (False, [])
    # advance: somebody mends the row; a node that starts looks for what is unplanned, as others do every half minute
    await stage.rule(SUCCESS)
    await running.stop()
    stage.nodes.clear()
    await stage.start()
    [_, message] = await stage.messages("ann", 2)
    assert message.payload["data"]["event_id"] == event_id
    await stage.over()
    record = await stage.record(event_id)
    assert record["event"]["planned"]
    await stage.ledger()


async def test_a_notice_that_cannot_be_planned_is_the_last_one(stage: Stage) -> None:
    await stage.rule("tidings.event_unplanned", roles=["no_such_role"])
    await stage.rule(SUCCESS, roles=["no_such_role"])
    await stage.post(event(to="ann"))
    await stage.until(lambda: stage.nodes[0].node.chores._waiting.empty())
    await asyncio.sleep(0.3)
    assert await stage.value("SELECT count(*) FROM events_event") == 2


# a value that PostgreSQL refuses


@pytest.fixture
async def poison(stage: Stage) -> AsyncIterator[None]:
    """No value that passes our checks is known to be refused, so the table refuses one: that of ticket `poison`."""
    await stage.database.execute("""
        CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.key = 'poison' THEN RAISE EXCEPTION 'cannot store this' USING ERRCODE = 'data_exception'; END IF;
            RETURN NEW; END $$
    """)
    await stage.database.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON events_subject FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    yield
    await stage.database.execute("DROP FUNCTION refuse CASCADE")


@pytest.mark.usefixtures("poison")
async def test_a_group_is_halved_until_the_bad_event_stands_alone(stage: Stage) -> None:
    events = [event(to="ann", subject="poison" if number in (3, 70, 99) else number) for number in range(100)]
    answer = await stage.post_batch(*events)
    assert answer.status == 202
    assert answer.body["accepted"] == 97
    assert [(each["index"], each["code"]) for each in answer.body["rejected"]] == [
        (number, "unstorable") for number in (3, 70, 99)
    ]
    await stage.messages("ann", 97)
    await stage.over()
    single = await stage.send("POST", "/api/v1/events", event(subject="poison"))
    assert (single.status, single.body["code"]) == (422, "unstorable")
    await stage.ledger()


# a tenant whose settings cannot be read


async def test_a_tenant_whose_settings_cannot_be_read_is_the_only_one_in_trouble(
    stage: Stage, other_organisation: Any
) -> None:
    # given: both at work, a message on its way; then a feature of the other's own that no version of ours would write
    theirs = await in_django(lambda: other_organisation.token("mallory"))
    url = f"http://127.0.0.1:{stage.receiver.port}/{{login}}"
    await in_django(lambda: reach(other_organisation, "mallory", url=url))
    stage.answers("mallory", Reply(503))
    await stage.send("POST", "/api/v1/events", event(to="mallory"), token=theirs)
    await stage.until(lambda: stage.arrived("mallory"))
    await stage.database.execute(
        "INSERT INTO catalog_tenantfeature (id, tenant_id, code, content) VALUES (gen_random_uuid(), %s, 'x', '{}')",
        (other_organisation.id,),
    )
    await stage.database.execute("UPDATE accounts_tenant SET rules_version = rules_version + 1")
    # when: events of both meet in one group
    stage_answers = await asyncio.gather(
        *(stage.send("POST", "/api/v1/events", event(to="ann")) for _ in range(5)),
        stage.send("POST", "/api/v1/events", event(to="mallory"), token=theirs),
    )
    # then: ours are kept and told, theirs are asked to come again
    assert [answer.status for answer in stage_answers] == [202] * 5 + [503]
    await stage.messages("ann", 5)
    await asyncio.sleep(1.5)
    await stage.post(event(to="ann"))
    await stage.messages("ann", 6)
    # and when somebody has mended it, they are kept as well
    await stage.database.execute("DELETE FROM catalog_tenantfeature")
    await stage.database.execute("UPDATE accounts_tenant SET rules_version = rules_version + 1")
    assert (await stage.send("POST", "/api/v1/events", event(to="mallory"), token=theirs)).status == 202


async def test_an_event_is_kept_although_a_channel_cannot_be_opened(stage: Stage) -> None:
    await stage.change("UPDATE channels_channelsetting SET sealed = 'lost' WHERE tenant_id = %s", stage.organisation.id)
    await stage.post(event(to="ann"))
    await stage.over()
    assert await stage.states("ann") == ["failed"]
    assert await stage.rows("SELECT reason FROM delivery_delivery WHERE state = 'failed'") == [
        ("secret_unreadable",)
    ] * (await stage.states()).count("failed")


# no answer for ever


async def test_a_sender_that_goes_away_in_the_middle_harms_nobody(stage: Stage) -> None:
    port = stage.nodes[0].port
    head = b"POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\ncontent-length: 500\r\n\r\n{"
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head % stage.token.encode())
        await writer.drain()
        writer.close()
    await stage.post(event(to="ann"))
    await stage.messages("ann")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b"\x00", 422),
        (b'{"id":"1","type":"x","subject":{"kind":"ticket","id":"1"},"time":"0001-01-01T00:00:00+14:00"}', 422),
        (b'{"id":"\\u0000","type":"data_change.failed","subject":{"kind":"ticket","id":"1"}}', 422),
        (b"x" * (256 * 1024 + 1), 413),
    ],
)
async def test_whatever_is_posted_is_answered_with_a_problem(stage: Stage, body: bytes, status: int) -> None:
    answer = await stage.send("POST", "/api/v1/events", body)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["code"]
    batch = await stage.send("POST", "/api/v1/events/batch", body)
    assert batch.status in (202, 413, 422)
    await stage.post(event())


async def test_a_batch_of_more_than_eight_megabytes_is_refused(stage: Stage) -> None:
    answer = await stage.send("POST", "/api/v1/events/batch", b"[" + b" " * (8 * 1024 * 1024) + b"]")
    assert (answer.status, answer.body["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(("size", "kept_open"), [(9, True), (30, True), (100, False)])
async def test_who_sends_all_of_it_before_looking_still_gets_the_answer(
    stage: Stage, size: int, kept_open: bool
) -> None:
    """As most clients do; a reset would look like trouble of the network, and be tried again for ever."""
    megabyte = b" " * 1024 * 1024
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.nodes[0].port)
    head = "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n"
    writer.write(head.format("/api/v1/events/batch", stage.token, size * len(megabyte)).encode())
    try:
        for _ in range(size):
            writer.write(megabyte)
            await writer.drain()
    except ConnectionError:
        assert not kept_open
    if kept_open:
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        rest = await reader.readuntil(b"\r\n\r\n")
        assert b"close" not in rest
        assert b"body_too_large" in await reader.readexactly(int(re.findall(rb"content-length: (\d+)", rest)[0]))
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await stage.post(event())


async def test_who_asks_first_is_answered_at_once(stage: Stage) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.nodes[0].port)
    head = "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 999999\r\nexpect: 100-continue\r\n\r\n"
    writer.write(head.format(stage.token).encode())
    async with asyncio.timeout(2):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.close()


async def test_two_batches_with_the_same_tickets_in_opposite_order_at_two_nodes_are_both_kept(
    empty_stage: Stage,
) -> None:
    stage = empty_stage
    nodes = [await stage.start(WEB), await stage.start(WEB)]
    for _ in range(3):
        forth = [event(subject=number) for number in range(200)]
        back = [event(subject=number) for number in reversed(range(200))]
        answers = await asyncio.gather(stage.post_batch(*forth, at=nodes[0]), stage.post_batch(*back, at=nodes[1]))
        assert [answer.body["accepted"] for answer in answers] == [200, 200]
    await stage.ledger()


async def test_a_person_whose_time_zone_nobody_knows_still_gets_the_message(stage: Stage) -> None:
    await stage.change(
        "UPDATE accounts_person SET timezone = 'Mars/Olympus' WHERE id = %s",
        stage.organisation.people["ann"].id,
        version="directory",
    )
    await stage.post(event(to="ann"))
    await stage.messages("ann", within=2)


async def test_a_lease_that_was_taken_away_is_replaced_and_nothing_is_lost(empty_stage: Stage) -> None:
    """Others took the node for dead while it stood still. It notices with its next renewal, within five seconds."""
    stage = empty_stage
    await stage.reachable("ann")
    running = await stage.start(SERVE)
    before = running.node.life.lease
    await stage.database.execute("DELETE FROM delivery_node")
    await stage.post(event(to="ann"))
    await stage.messages("ann")
    await stage.until(lambda: running.node.life.lease != before, 8)
    await stage.over(15)
    await stage.post(event(to="ann"))
    await stage.over()
    assert set(await stage.states()) == {"sent"}
    await stage.ledger()
