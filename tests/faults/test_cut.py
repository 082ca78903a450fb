"""Connections to the database are cut again and again, in the middle of whatever they were doing."""

import asyncio
import random
from typing import Any

from tests.delivery.given import event
from tests.scenarios.stage import Stage, stage_of

from tidings.channels.testing.webhook_receiver import Reply

_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'tidings %%' AND application_name <> 'tidings stage'
ORDER BY random() LIMIT %s
"""


async def test_connections_that_are_cut_lose_nothing_and_repeat_little(organisation: Any, database: str) -> None:
    chance = random.Random(7)
    async with stage_of(organisation, database) as stage:
        await stage.reachable("ann", "bo")
        stage.answers("bo", Reply(after=0.02))
        await stage.start()
        accepted: dict[str, str] = {}

        async def sender(number: int) -> None:
            for place in range(120):
                one = event(id=f"cut-{number}-{place}", subject=f"{place % 9}", to=chance.choice(("ann", "bo")))
                while (answer := await stage.send("POST", "/api/v1/events", one)).status != 202:
                    assert answer.status == 503, answer
                    await asyncio.sleep(0.02)
                accepted[one["id"]] = answer.body["id"]

        sending = [asyncio.create_task(sender(number)) for number in range(4)]
        cuts = 0
        while not all(task.done() for task in sending):
            await asyncio.sleep(chance.uniform(0.05, 0.25))
            cuts += len(await stage.rows(_CUT, chance.randint(1, 3)))
        await asyncio.gather(*sending)
        assert cuts > 10
        # What a commit without an answer left under our lease is found by two looks, five seconds apart; behind it wait
        # later messages about the same ticket.
        await stage.over(45)
        kept = dict(await stage.rows("SELECT source_id, id::text FROM events_event"))
        assert kept == accepted
        assert set(await stage.states()) == {"sent"}
        repeats = len(stage.receiver.arrivals) - len({one.identity for one in stage.receiver.arrivals})
        # Nobody was killed: results wait in memory, so only what the node never knew it had can come twice.
        assert repeats == 0
        await stage.ledger()
        assert_numbers(await numbers(stage))


async def numbers(stage: Stage) -> list[list[int]]:
    rows = await stage.rows("SELECT array_agg(number ORDER BY number) FROM events_event GROUP BY subject_id")
    return [row[0] for row in rows]


def assert_numbers(found: list[list[int]]) -> None:
    assert all(each == list(range(1, len(each) + 1)) for each in found)


async def test_a_database_that_does_not_answer_is_an_answer_within_twenty_seconds(
    organisation: Any, database: str
) -> None:
    """Somebody holds a lock: the connection is fine, and nothing comes over it."""
    async with stage_of(organisation, database) as stage:
        await stage.reachable("ann")
        await stage.start()
        one, loop = event(to="ann"), asyncio.get_running_loop()
        async with stage.database.transaction():
            await stage.database.execute("LOCK TABLE events_subject")
            began = loop.time()
            answers = await asyncio.gather(*(stage.send("POST", "/api/v1/events", each) for each in (one, event())))
            assert loop.time() - began < 20
            assert [answer.status for answer in answers] == [503, 503]
        [event_id] = await stage.post(one)
        [message] = await stage.messages("ann")
        assert message.payload["data"]["event_id"] == event_id
        await stage.over()
        await stage.ledger()
