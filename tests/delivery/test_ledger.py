"""The ledger proves its sentences in slices: each kind of row that breaks one is planted and found, wherever the cuts
are, and nothing that is merely on its way is taken for broken."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from tests.delivery.given import Desk, event, in_django

from tidings.delivery import lease, ledger
from tidings.delivery.ledger import Ledger, read_ledger


async def read(patience: float = 0.0) -> Ledger:
    return await in_django(partial(read_ledger, patience=timedelta(seconds=patience)))


@pytest.fixture(params=[1, 3, 50_000], ids=["a slice each", "three a slice", "one slice"])
async def kept(desk: Desk, request: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """Ten events that were sent, by a node that is alive."""
    monkeypatch.setattr(ledger, "SLICE", request.param)
    mine = await desk.register()
    await desk.finish(*(await desk.keep(*(event(subject="s") for _ in range(10)), lease=mine, room=first_only)).jobs)
    await desk.finish(*await desk.claim(mine))
    yield desk


def first_only(*_: object) -> bool:
    return True


async def test_what_adds_up_is_counted_once_wherever_the_cuts_are(kept: Desk) -> None:
    mine = await kept.register()
    await kept.keep(event(people={"submitter": "nobody"}), event(), event(to="root"), lease=mine)
    found = await read()
    assert found.faults() == []
    assert (found.accepted, found.counts["planned"], found.counts["recipients"]) == (13, 13, 12)
    assert found.counts["event_skips"] == 2
    assert found.counts["recipient_skips"] == 1
    assert sum(found.deliveries.values()) == 11
    assert found.open == await kept.value(
        "SELECT count(*) FROM delivery_delivery WHERE state IN ('pending', 'sending')"
    )


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        (
            "silent_recipients",
            "DELETE FROM delivery_delivery WHERE id = (SELECT id FROM delivery_delivery ORDER BY id OFFSET 4 LIMIT 1)",
        ),
        (
            "stray_recipients",
            "DELETE FROM events_event WHERE id = (SELECT id FROM events_event ORDER BY id OFFSET 4 LIMIT 1)",
        ),
        ("missing_subjects", "DELETE FROM events_subject"),
        ("misnumbered_subjects", "UPDATE events_subject SET last_number = last_number + 1"),
    ],
)
async def test_a_row_that_is_gone_is_missed(kept: Desk, what: str, statement: str) -> None:
    await kept.run(statement)
    found = await read()
    assert found.wrong == {what: 1}
    assert len(found.examples[what]) == len(found.faults()) == 1


async def test_an_event_that_told_nobody_and_says_nothing_is_found_and_so_is_its_delivery(kept: Desk) -> None:
    await kept.run(
        "DELETE FROM events_recipient WHERE id = (SELECT id FROM events_recipient ORDER BY id OFFSET 4 LIMIT 1)"
    )
    assert (await read()).wrong == {"silent_events": 1, "stray_deliveries": 1}


async def test_an_event_that_was_never_planned_and_cannot_be_is_found(kept: Desk) -> None:
    await kept.run(
        "UPDATE events_event SET fault = 'KeyError' WHERE id = (SELECT max(id::text)::uuid FROM events_event)"
    )
    assert (await read()).faults() == []
    await kept.run("DELETE FROM events_body")
    assert (await read()).wrong == {"unplannable_events": 1}


async def test_what_is_held_by_nobody_is_only_a_fault_when_it_stays_so(kept: Desk) -> None:
    mine = await kept.register()
    await kept.keep(event(), lease=mine)
    await kept.run("DELETE FROM delivery_node")
    assert (await read()).wrong == {"stuck_deliveries": 1}
    looking = asyncio.create_task(read(patience=1.0))
    await asyncio.sleep(0.3)
    await lease.free_dead(kept.connection)
    assert (await looking).faults() == []


async def test_examples_are_few(desk: Desk) -> None:
    mine = await desk.register()
    await desk.keep(*(event() for _ in range(20)), lease=mine)
    await desk.run("DELETE FROM delivery_delivery")
    found = await read()
    assert found.wrong == {"silent_recipients": 20}
    assert len(found.examples["silent_recipients"]) == ledger.EXAMPLES


async def test_times_are_those_of_the_last_day(desk: Desk) -> None:
    mine = await desk.register()
    [job] = (await desk.keep(event(), lease=mine)).jobs
    assert (await read()).took(0.5, first_try=True) is None
    await desk.finish(job)
    took = await desk.value("SELECT (attempts -> 0 ->> 'at')::timestamptz FROM delivery_delivery")
    await desk.run(
        "UPDATE delivery_delivery SET attempts = jsonb_build_array(attempts -> 0 || %s::jsonb)", '{"ms": 40.0}'
    )
    found = await read()
    assert took is not None
    assert found.took(0.5, first_try=True) == found.took(0.99, first_try=False)
    assert (found.took(0.5, first_try=True) or 0) >= 40


async def test_it_holds_while_events_come_and_go(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No false alarm from what is being written between two slices, or taken over from a node that dies."""
    monkeypatch.setattr(ledger, "SLICE", 20)
    other = await desk.another()
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            mine = await other.register()
            jobs = (await other.keep(*(event(subject=f"s{n % 7}") for n in range(20)), lease=mine)).jobs
            await other.finish(*jobs[:15])
            await lease.sign_off(other.connection, mine)
            mine = await other.register()
            await other.finish(*await other.claim(mine))
            await lease.sign_off(other.connection, mine)

    working = asyncio.create_task(work())
    for _ in range(15):
        found = await read(patience=0.5)
        assert found.faults() == []
        await asyncio.sleep(0.02)
    stop.set()
    await working
    found = await read()
    assert found.faults() == []
    assert found.accepted == await desk.value("SELECT count(*) FROM events_event")
    await other.close()
