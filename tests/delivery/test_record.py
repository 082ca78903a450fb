"""What became of a try is written once, by who held the delivery, and nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from tests.delivery.given import Desk, event, eventually

from tidings.channels.contract import Outcome, Refused, Sent, TryLater
from tidings.delivery.job import Job
from tidings.delivery.policy import Next
from tidings.delivery.record import Recorder, Result, record, result_of
from tidings.kernel.database import Lasting, connect

SENT, LATER = Next("sent"), Next("pending", "busy", wait=timedelta(minutes=5))


def result(job: Job, following: Next = SENT, outcome: Outcome | None = None, *, lease: int | None = None) -> Result:
    took = timedelta(milliseconds=12.34)
    outcome = outcome or Sent("p-1", said="200 ok")
    return result_of(job.id, lease or job.lease, outcome, following, at=datetime.now(UTC), took=took)


async def held(desk: Desk, count: int = 1) -> list[Job]:
    return (await desk.keep(*(event() for _ in range(count)), lease=await desk.register())).jobs


async def attempts(desk: Desk) -> list[Any]:
    [given] = await desk.deliveries("attempts")
    return list(given)


# one batch


async def test_what_was_sent_is_recorded_with_its_try(desk: Desk) -> None:
    [job] = await held(desk)
    assert await record(desk.connection, [result(job)]) == 1
    columns = ("state", "reason", "provider_id", "lease")
    assert await desk.deliveries(*columns) == [("sent", None, "p-1", None)]
    [attempt] = await attempts(desk)
    assert (attempt["outcome"], attempt["said"], attempt["ms"]) == ("sent", "200 ok", 12.3)
    assert "reason" not in attempt


async def test_what_is_tried_again_is_due_then_and_counts_its_tries(desk: Desk) -> None:
    [job] = await held(desk)
    await record(desk.connection, [result(job, LATER, TryLater("busy", "503 busy"))])
    assert await desk.deliveries("state", "reason", "lease") == [("pending", "busy", None)]
    wait = await desk.value("SELECT extract(epoch FROM due_at - now())::float8 FROM delivery_delivery")
    assert 299 < wait <= 300
    assert [each["outcome"] for each in await attempts(desk)] == ["try_later"]
    await desk.run("UPDATE delivery_delivery SET due_at = now()")
    [again] = await desk.claim(job.lease)
    await record(desk.connection, [result(again, Next("failed", "gone"), Refused("gone", of="address"))])
    assert await desk.deliveries("state", "reason") == [("failed", "gone")]
    assert [each.get("reason") for each in await attempts(desk)] == ["busy", "gone"]


async def test_many_ends_are_written_at_once_and_each_to_its_own(desk: Desk) -> None:
    jobs = await held(desk, 4)
    ends = [SENT, LATER, Next("failed", "too_large"), SENT]
    assert await record(desk.connection, [result(job, end) for job, end in zip(jobs, ends, strict=True)]) == 4
    assert await desk.deliveries("state", "reason") == [
        ("sent", None),
        ("pending", "busy"),
        ("failed", "too_large"),
        ("sent", None),
    ]


# whose it is


@pytest.mark.parametrize(
    "taken",
    [
        "UPDATE delivery_delivery SET lease = lease + 1",
        "UPDATE delivery_delivery SET lease = NULL, state = 'pending'",
        "UPDATE delivery_delivery SET lease = NULL, state = 'sent'",
        "DELETE FROM delivery_delivery",
    ],
)
async def test_a_delivery_that_was_taken_from_us_is_not_touched(desk: Desk, taken: str) -> None:
    mine, other = await held(desk, 2)
    await desk.run(taken + " WHERE id = %s", mine.id)
    before = await desk.rows("SELECT * FROM delivery_delivery WHERE id = %s", mine.id)
    assert await record(desk.connection, [result(mine), result(other)]) == 1
    assert await desk.rows("SELECT * FROM delivery_delivery WHERE id = %s", mine.id) == before
    assert (await desk.deliveries())[-1] == "sent"


async def test_an_earlier_life_of_a_node_changes_nothing(desk: Desk) -> None:
    [job] = await held(desk)
    await desk.run("UPDATE delivery_delivery SET state = 'pending', lease = NULL, due_at = now()")
    [again] = await desk.claim(await desk.register())
    assert await record(desk.connection, [result(job)]) == 0
    assert await record(desk.connection, [result(again)]) == 1
    assert len(await attempts(desk)) == 1


async def test_a_result_that_is_written_twice_does_not_end_the_next_try(desk: Desk) -> None:
    """The commit came through and its answer did not; when it is written again, the delivery is claimed again."""
    [job] = await held(desk)
    unanswered = result(job, LATER, TryLater("busy"))
    assert await record(desk.connection, [unanswered]) == 1
    await desk.run("UPDATE delivery_delivery SET due_at = now()")
    [again] = await desk.claim(job.lease)
    assert await record(desk.connection, [unanswered]) == 0
    assert await desk.deliveries("state", "lease") == [("sending", job.lease)]
    assert await record(desk.connection, [result(again)]) == 1
    assert len(await attempts(desk)) == 2


# a provider's words


@pytest.mark.parametrize(
    "words", ["a\0b", "\ud800", "\udc80\udcff", "a\r\nb\x1b[31m", "x" * 5_000, '"\\\\{}",NULL', "工单"]
)
async def test_whatever_a_provider_says_is_recorded(desk: Desk, words: str) -> None:
    [job, other] = await held(desk, 2)
    assert await record(desk.connection, [result(job, SENT, Sent(words, said=words)), result(other)]) == 2
    [(state, provider_id), second] = await desk.deliveries("state", "provider_id")
    assert state == "sent"
    assert len(provider_id) <= 300
    assert second == ("sent", "p-1")


# the recorder


@asynccontextmanager
async def recording(url: str) -> AsyncIterator[tuple[Recorder, list[Result]]]:
    recorder, heard, lasting = Recorder[Result](list), list[Result](), Lasting(url, "record")
    task = asyncio.create_task(recorder.run(lasting, heard.extend))
    yield recorder, heard
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await lasting.close()


async def test_a_few_results_are_durable_within_a_tenth_of_a_second(desk: Desk, database: str) -> None:
    jobs = await held(desk, 3)
    async with recording(database) as (recorder, heard):
        began = asyncio.get_running_loop().time()
        for job in jobs:
            recorder.add(result(job))
        async with asyncio.timeout(5):
            await recorder.flushed()
        assert len(heard) == 3
        # The first of a connection has to connect; what counts is that nothing waits for more to come.
        assert asyncio.get_running_loop().time() - began < 1.0
    assert await desk.deliveries() == ["sent"] * 3


async def test_many_results_are_written_in_few_statements_and_none_is_left(desk: Desk, database: str) -> None:
    jobs = await held(desk, 1_500)
    async with recording(database) as (recorder, heard):
        for job in jobs:
            recorder.add(result(job))
        async with asyncio.timeout(10):
            await recorder.flushed()
        assert [one.id for one in heard] == [job.id for job in jobs]
    assert set(await desk.deliveries()) == {"sent"}


async def test_results_wait_for_the_database_and_come_through_once(desk: Desk, database: str) -> None:
    [first, second] = await held(desk, 2)
    async with recording(database) as (recorder, heard):
        recorder.add(result(first))
        await eventually(lambda: len(heard) == 1)
        killer = await connect(database, name="killer")
        await killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidings record'"
        )
        recorder.add(result(second))
        await eventually(lambda: len(heard) == 2)
        await killer.close()
    assert await desk.deliveries() == ["sent"] * 2
    lengths = await desk.rows("SELECT jsonb_array_length(attempts) FROM delivery_delivery")
    assert lengths == [(1,), (1,)]


async def test_a_statement_that_fails_for_another_reason_does_not_end_the_recorder(desk: Desk, database: str) -> None:
    [job] = await held(desk)
    await desk.run("ALTER TABLE delivery_delivery RENAME TO elsewhere")
    async with recording(database) as (recorder, heard):
        recorder.add(result(job))
        await asyncio.sleep(0.3)
        await desk.run("ALTER TABLE elsewhere RENAME TO delivery_delivery")
        await eventually(lambda: len(heard) == 1)
    assert await desk.deliveries() == ["sent"]


async def test_nothing_is_heard_of_before_it_is_durable(desk: Desk, database: str) -> None:
    [job] = await held(desk)
    async with recording(database) as (recorder, heard):
        async with desk.connection.transaction():
            await desk.run("LOCK TABLE delivery_delivery")
            recorder.add(result(job))
            await asyncio.sleep(0.3)
            assert heard == []
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await recorder.flushed()
        await eventually(lambda: len(heard) == 1)


def test_psycopg_says_what_we_rely_on() -> None:
    assert issubclass(psycopg.errors.DeadlockDetected, psycopg.OperationalError)
    assert issubclass(psycopg.errors.StringDataRightTruncation, psycopg.DataError)


async def test_a_node_whose_recording_ended_by_an_error_still_writes_down_what_it_sent(
    desk: Desk, database: str
) -> None:
    recorder, lasting = Recorder[Result](list), Lasting(database, "record")
    for job in await held(desk, 3):
        recorder.add(result(job))
    await recorder.write_rest(lasting)
    await lasting.close()
    assert await desk.deliveries() == ["sent"] * 3
