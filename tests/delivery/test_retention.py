"""Content ends after a week by dropping a day, records after ninety days in slices; nothing that is still on its way
loses what it has to say."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.delivery.given import Desk, event

from tidings.delivery import retention
from tidings.kernel.ids import ORDINAL_BITS, child_of, first_at

TODAY = datetime.now(UTC).date()
_TABLES = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'events_body'::regclass ORDER BY 1
"""


def days_ago(number: int) -> date:
    return TODAY - timedelta(days=number)


def table(day: date) -> str:
    return f"events_body_{day:%Y%m%d}"


@pytest.fixture
async def house(desk: Desk) -> AsyncIterator[Desk]:
    """A desk in a house that nobody has kept yet: there are no days but the one for the others."""
    for name in await days(desk):
        await desk.run(f"DROP TABLE {name}")
    yield desk


async def days(desk: Desk) -> list[str]:
    return [name for (name,) in await desk.rows(_TABLES) if name != "events_body_other"]


async def make_day(desk: Desk, number: int) -> str:
    await retention.make_partitions(desk.connection, days_ago(number))
    return table(days_ago(number))


async def age_bodies(desk: Desk, number: int) -> None:
    """What was accepted today was accepted so many days ago."""
    await desk.run("UPDATE events_body SET day = %s WHERE day = %s", days_ago(number), TODAY)


async def bodies(desk: Desk) -> list[tuple[Any, ...]]:
    """Where each body lies now, in the order of the events."""
    return [row[0] for row in await desk.rows("SELECT tableoid::regclass::text FROM events_body ORDER BY id")]


async def age_records(desk: Desk, number: int) -> None:
    """Everything here was accepted, and happened, so many days ago: an event's time is in its key."""
    ids = [row[0] for row in await desk.rows("SELECT id FROM events_event ORDER BY id")]
    base = first_at(datetime.now(UTC) - timedelta(days=number)).int
    for place, old in enumerate(ids):
        new = UUID(int=base + ((place + 1) << ORDINAL_BITS))
        await desk.run("UPDATE events_event SET id = %s, time = now() - interval '1 year' WHERE id = %s", new, old)
        await desk.run("UPDATE events_involved SET id = %s WHERE id = %s", new, old)
        for name in ("events_recipient", "delivery_delivery"):
            for (child,) in await desk.rows(
                f"SELECT id FROM {name} WHERE id BETWEEN %s AND %s", old, child_of(old, (1 << ORDINAL_BITS) - 1)
            ):
                ordinal = child.int & ((1 << ORDINAL_BITS) - 1)
                await desk.run(f"UPDATE {name} SET id = %s WHERE id = %s", child_of(new, ordinal), child)
    await desk.run("UPDATE events_subject SET status_time = now() - %s * interval '1 day'", number)
    for (subject,) in await desk.rows("SELECT id FROM events_subject"):
        older = UUID(int=base + (subject.int & 0xFFFFFFFF))
        await desk.run("UPDATE events_subject SET id = %s WHERE id = %s", older, subject)
        await desk.run("UPDATE events_event SET subject_id = %s WHERE subject_id = %s", older, subject)


async def counts(desk: Desk) -> dict[str, int]:
    names = ("events_event", "events_recipient", "delivery_delivery", "events_subject")
    return {name.split("_")[1]: await desk.value(f"SELECT count(*) FROM {name}") for name in names}


# days


async def test_today_and_the_next_days_have_their_partition(house: Desk) -> None:
    await retention.make_partitions(house.connection, TODAY)
    assert await days(house) == [table(days_ago(-number)) for number in range(retention.AHEAD + 1)]
    await retention.make_partitions(house.connection, TODAY)
    await house.keep(event())
    assert await bodies(house) == [table(TODAY)]


async def test_an_event_is_kept_although_its_day_has_no_partition(house: Desk) -> None:
    await house.keep(event())
    assert await bodies(house) == ["events_body_other"]


async def test_a_day_that_began_without_its_partition_does_not_stop_the_next_ones(house: Desk) -> None:
    """A new installation accepts its first event before anybody has kept house."""
    await house.keep(event())
    await retention.make_partitions(house.connection, TODAY)
    assert await days(house) == [table(days_ago(-number)) for number in range(1, retention.AHEAD + 1)]
    await house.keep(event())
    assert await bodies(house) == ["events_body_other"] * 2


async def test_content_is_kept_for_seven_days_and_then_dropped(house: Desk) -> None:
    kept, ended = await make_day(house, 7), await make_day(house, 8)
    assert await retention.drop_partitions(house.connection, TODAY) == 1
    assert kept in await days(house)
    assert ended not in await days(house)


async def test_content_without_a_day_of_its_own_ends_after_seven_days_too(house: Desk) -> None:
    mine = await house.register()
    for number in (8, 7):
        await house.finish(*(await house.keep(event(), lease=mine)).jobs)
        await age_bodies(house, number)
    await retention.drop_partitions(house.connection, TODAY)
    assert await house.rows("SELECT day FROM events_body") == [(days_ago(7),)]


@pytest.mark.parametrize("partitioned", [True, False])
async def test_content_that_is_still_to_be_sent_is_carried_forward(house: Desk, partitioned: bool) -> None:
    mine = await house.register()
    accepted = await house.keep(event(id="ended"), event(id="flying"), event(id="waiting", to="bo"), lease=mine)
    ended, _, waiting = accepted.jobs
    await house.finish(ended)
    await house.finish(waiting, state="pending", reason="busy", wait=60)
    if partitioned:
        await make_day(house, 8)
    await age_bodies(house, 8)
    await retention.drop_partitions(house.connection, TODAY)
    kept = await house.rows("SELECT body::jsonb ->> 'id', day FROM events_body ORDER BY 1")
    assert kept == [("flying", TODAY), ("waiting", TODAY)]
    await house.run("UPDATE delivery_delivery SET due_at = now() WHERE state = 'pending'")
    assert [job.id for job in await house.claim(mine)] == [waiting.id]


async def test_content_of_an_event_that_is_not_planned_yet_is_carried_forward(house: Desk) -> None:
    await house.run("UPDATE rules_rule SET optional_roles = '{no_such_role}' WHERE tenant_id = %s", house.tenant_id)
    await house.keep(event(id="unplanned"))
    await make_day(house, 8)
    await age_bodies(house, 8)
    await retention.drop_partitions(house.connection, TODAY)
    assert await house.rows("SELECT body::jsonb ->> 'id', day FROM events_body") == [("unplanned", TODAY)]


async def test_a_drop_that_would_have_to_wait_is_put_off_and_nothing_is_lost(house: Desk) -> None:
    name = await make_day(house, 8)
    reader = await house.another()
    async with reader.connection.transaction():
        await reader.rows(f"SELECT * FROM {name}")
        async with asyncio.timeout(10):
            with pytest.raises(Exception, match="lock timeout"):
                await retention.drop_partitions(house.connection, TODAY)
    assert name in await days(house)
    assert await retention.drop_partitions(house.connection, TODAY) == 1
    await reader.close()


# records


async def test_records_end_after_ninety_days_with_all_that_belongs_to_them(house: Desk) -> None:
    mine = await house.register()
    await house.finish(*(await house.keep(event(), event(to="bo"), lease=mine)).jobs)
    await age_records(house, 89)
    assert await retention.delete_records(house.connection) == 0
    await age_records(house, 91)
    await house.keep(event(), lease=mine)
    assert await retention.delete_records(house.connection) == 2
    assert await counts(house) == {"event": 1, "recipient": 1, "delivery": 1, "subject": 1}


async def test_what_has_not_ended_stays_however_old_it_is(house: Desk) -> None:
    mine = await house.register()
    await house.keep(event(), event(to="bo"), lease=mine)
    await house.run(
        "UPDATE delivery_delivery SET state = 'pending' WHERE person_id = %s", house.organisation.people["bo"].id
    )
    await house.run("UPDATE rules_rule SET optional_roles = '{no_such_role}' WHERE tenant_id = %s", house.tenant_id)
    await house.run("UPDATE accounts_tenant SET rules_version = rules_version + 1")
    await house.keep(event(id="unplanned"))
    await age_records(house, 91)
    assert await retention.delete_records(house.connection) == 0
    assert await counts(house) == {"event": 3, "recipient": 2, "delivery": 2, "subject": 3}


async def test_a_subject_stays_while_it_has_an_event(house: Desk) -> None:
    mine = await house.register()
    await house.finish(*(await house.keep(event(subject=77), lease=mine)).jobs)
    await age_records(house, 91)
    await house.run("UPDATE events_subject SET status_time = now() - interval '91 days'")
    await house.finish(*(await house.keep(event(subject=77), lease=mine)).jobs)
    assert await retention.delete_records(house.connection) == 1
    assert (await counts(house))["subject"] == 1
    assert await house.value("SELECT last_number FROM events_subject") == 2


async def test_who_might_see_an_event_is_forgotten_with_it(house: Desk) -> None:
    mine = await house.register()
    people = {"submitter": "ann", "related": ["dan", "eve"]}
    await house.finish(*(await house.keep(event(people=people), event(people=people), lease=mine)).jobs)
    await house.keep(event(people=people), lease=mine)
    await age_records(house, 91)
    assert await retention.delete_involved(house.connection) == 0
    # when: two of the events end; the third is on its way still
    assert await retention.delete_records(house.connection) == 2
    assert await retention.delete_involved(house.connection) == 4
    left = await house.rows("SELECT DISTINCT i.id = e.id FROM events_involved i CROSS JOIN events_event e")
    assert left == [(True,)]
    assert await retention.delete_involved(house.connection) == 0


async def test_records_end_in_slices(house: Desk) -> None:
    await house.run("""
        INSERT INTO events_event (id, tenant_id, source, source_id, type, time, subject_id, number, hash)
        SELECT ('01000000-0000-7000-8' || lpad(to_hex(n), 3, '0') || '-000000000000')::uuid, gen_random_uuid(), 's',
               n::text, 't', now(), gen_random_uuid(), 1, '' FROM generate_series(1, 2500) n
    """)
    assert [await retention.delete_records(house.connection) for _ in range(4)] == [1_000, 1_000, 500, 0]


async def test_a_subject_that_hears_something_new_while_it_is_deleted_is_kept(house: Desk) -> None:
    """It was the last moment of its ninety days; the new event must find its subject when it is sent."""
    mine = await house.register()
    await house.finish(*(await house.keep(event(subject=77), lease=mine)).jobs)
    await age_records(house, 91)
    await retention.delete_records(house.connection, older_than=timedelta(days=900))
    await house.run("DELETE FROM events_event")
    other = await house.another()
    async with other.connection.transaction():
        await other.keep(event(subject=77))
        deleting = asyncio.create_task(retention.delete_records(house.connection))
        await asyncio.sleep(0.3)
    async with asyncio.timeout(10):
        await deleting
    assert (await counts(house))["subject"] == 1
    assert len(await house.claim(mine)) == 1
    await other.close()


async def test_one_node_keeps_house_at_a_time(house: Desk) -> None:
    other = await house.another()
    await other.run("SELECT pg_advisory_lock(7301001)")
    await retention.keep_house(house.connection)
    assert await days(house) == []
    await other.run("SELECT pg_advisory_unlock(7301001)")
    await retention.keep_house(house.connection)
    assert len(await days(house)) == retention.AHEAD + 1
    await retention.keep_house(other.connection)
    await other.close()


# parked payloads


async def test_a_parked_payload_is_kept_for_thirty_days(desk: Desk) -> None:
    for number in (29, 31, 400):
        key = first_at(datetime.now(UTC) - timedelta(days=number))
        await desk.run(
            "INSERT INTO events_parked"
            " (id, tenant_id, source, adapter, reason, detail, words, headers, body, hash, times, last_at)"
            " VALUES (%s, %s, 'dms', 'dms', 'unmapped', %s, '{}', '{}', '{}', %s, 1, now())",
            key, desk.tenant_id, str(number), str(number).encode(),
        )  # fmt: skip
    await retention.keep_house(desk.connection)
    assert await desk.rows("SELECT detail FROM events_parked WHERE tenant_id = %s", desk.tenant_id) == [("29",)]
