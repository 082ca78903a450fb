"""Whatever becomes of a group, everyone who submitted an event gets an answer, and a bad event harms itself alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

from tidings.events.event import read_event
from tidings.events.group import (
    AMONG_OTHERS,
    AT_MOST,
    GROUP_WEIGHT,
    WAITING_AT_MOST,
    WAITING_WEIGHT,
    Groups,
    Kept,
    Submission,
    Verdict,
    Verdicts,
    stopped,
)
from tidings.kernel.problems import Problem

TENANT, OTHER = uuid4(), uuid4()
_numbers = count(1)
Keeping = Callable[[Sequence[Submission]], Awaitable[Verdicts]]


def submission(tenant: UUID = TENANT, **more: Any) -> Submission:
    content = {"id": f"e{next(_numbers)}", "type": "t", "subject": {"kind": "ticket", "id": "1"}} | more
    read = read_event(msgspec.json.encode(content), now=datetime.now(UTC), source="dms")
    loop = asyncio.get_running_loop()
    return Submission(tenant, b"", read, loop.create_future(), loop.time())


class Store:
    """Keeps; but not the ids that are `bad`, nor a group that has one of them."""

    def __init__(self, *bad: str, error: type[Exception] = psycopg.DataError) -> None:
        self.bad, self.error, self.groups = set(bad), error, list[int]()
        self.kept: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def keep(self, group: Sequence[Submission]) -> Sequence[Verdict]:
        self.groups.append(len(group))
        await self.open.wait()
        ids = [one.incoming.event.id for one in group]
        if self.bad & set(ids):
            raise self.error("no")
        self.kept += ids
        return [Kept(uuid4(), duplicate=False) for _ in group]


@asynccontextmanager
async def running(keep: Keeping, runners: int = 1) -> AsyncIterator[Groups]:
    groups = Groups()
    tasks = [asyncio.create_task(groups.run(keep)) for _ in range(runners)]
    yield groups
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def verdicts(submissions: Sequence[Submission]) -> list[str]:
    async with asyncio.timeout(5):
        settled = [await one.verdict for one in submissions]
    return ["kept" if isinstance(one, Kept) else f"{one.status} {one.code}" for one in settled]


async def test_what_comes_together_is_kept_together() -> None:
    store = Store()
    async with running(store.keep) as groups:
        many = [submission() for _ in range(3 * AT_MOST)]
        groups.submit(many)
        assert await verdicts(many) == ["kept"] * len(many)
    assert store.groups == [AT_MOST] * 3
    assert store.kept == [one.incoming.event.id for one in many]


async def test_whoever_comes_while_a_group_is_kept_joins_the_next() -> None:
    store = Store()
    store.open.clear()
    async with running(store.keep) as groups:
        first, later = [submission()], [submission() for _ in range(20)]
        groups.submit(first)
        await asyncio.sleep(0.01)
        for one in later:
            groups.submit([one])
        assert groups.waiting == 20
        store.open.set()
        assert await verdicts(first + later) == ["kept"] * 21
    assert store.groups == [1, 20]


@pytest.mark.parametrize("error", [psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded])
async def test_a_bad_event_is_refused_and_the_others_are_kept(error: type[Exception]) -> None:
    many = [submission() for _ in range(AT_MOST)]
    bad = {many[0].incoming.event.id, many[77].incoming.event.id, many[-1].incoming.event.id}
    store = Store(*bad, error=error)
    async with running(store.keep) as groups:
        groups.submit(many)
        settled = await verdicts(many)
    assert [one for one in settled if one != "kept"] == ["422 unstorable"] * 3
    assert store.kept == [one.incoming.event.id for one in many if one.incoming.event.id not in bad]


async def test_an_error_nobody_foresaw_ends_neither_the_loop_nor_the_others() -> None:
    many = [submission() for _ in range(10)]
    store = Store(many[3].incoming.event.id, error=KeyError)
    async with running(store.keep) as groups:
        groups.submit(many)
        assert (await verdicts(many))[3] == "503 unavailable"
        assert len(store.kept) == 9
        after = [submission()]
        groups.submit(after)
        assert await verdicts(after) == ["kept"]


async def test_without_the_database_everyone_is_asked_to_come_again() -> None:
    many = [submission() for _ in range(10)]
    store = Store(many[3].incoming.event.id, error=psycopg.OperationalError)
    async with running(store.keep) as groups:
        groups.submit(many)
        assert await verdicts(many) == ["503 unavailable"] * 10
        assert many[0].verdict.result().headers == {"Retry-After": "2"}  # type: ignore[union-attr]
    assert store.groups == [10]


async def test_what_a_group_left_for_another_has_its_turn_before_what_came_later() -> None:
    kept: list[str] = []

    async def keep(group: Sequence[Submission]) -> Verdicts:
        """Three at a time."""
        kept.extend(one.incoming.event.id for one in group[:3])
        return [Kept(uuid4(), duplicate=False) if place < 3 else None for place, _ in enumerate(group)]

    async with running(keep) as groups:
        many = [submission() for _ in range(10)]
        groups.submit(many)
        assert await verdicts(many) == ["kept"] * 10
    assert kept == [one.incoming.event.id for one in many]
    assert groups.waiting == 0


async def test_what_is_left_while_a_bad_event_is_looked_for_has_its_turn_before_what_came_later() -> None:
    many = [submission() for _ in range(8)]
    ids, bad = [one.incoming.event.id for one in many], many[6]
    kept: list[str] = []

    async def keep(group: Sequence[Submission]) -> Verdicts:
        if bad in group and len(group) > 1:
            raise psycopg.DataError("no")
        if bad in group:
            return [Problem(422, "unstorable", "no")]
        kept.extend(one.incoming.event.id for one in group[:2])
        return [Kept(uuid4(), duplicate=False) if place < 2 else None for place, _ in enumerate(group)]

    async with running(keep) as groups:
        groups.submit(many)
        assert await verdicts(many) == ["kept"] * 6 + ["422 unstorable", "kept"]
    assert kept == [one for one in ids if one != bad.incoming.event.id]


# several tenants


async def test_tenants_take_turns_event_by_event() -> None:
    store = Store()
    store.open.clear()
    async with running(store.keep) as groups:
        many = [submission() for _ in range(2 * AT_MOST)]
        groups.submit(many)
        await asyncio.sleep(0.01)
        theirs = [submission(OTHER) for _ in range(3)]
        for one in theirs:
            groups.submit([one])
        store.open.set()
        assert await verdicts(theirs) == ["kept"] * 3
        places = [store.kept.index(one.incoming.event.id) for one in theirs]
        assert max(places) < AT_MOST + 6
        assert await verdicts(many) == ["kept"] * len(many)
    assert [each for each in store.kept if each in {one.incoming.event.id for one in many}] == [
        one.incoming.event.id for one in many
    ]


async def test_a_group_has_few_of_each_while_several_tenants_send() -> None:
    store = Store()
    async with running(store.keep) as groups:
        groups.submit([submission(OTHER)])
        many = [submission() for _ in range(AT_MOST)]
        groups.submit(many)
        assert await verdicts(many) == ["kept"] * len(many)
    assert max(store.groups) == AMONG_OTHERS + 1


async def test_a_tenant_that_fills_the_queue_keeps_nobody_else_out() -> None:
    groups = Groups()
    mine, theirs = submission(), submission(OTHER)
    groups.submit([mine] * WAITING_AT_MOST)
    with pytest.raises(Problem):
        groups.submit([mine])
    groups.submit([theirs] * 100)
    groups.submit([theirs] * (WAITING_AT_MOST // 2 - 100))
    with pytest.raises(Problem) as refused:
        groups.submit([theirs])
    assert "2,500 of your events" in refused.value.detail


# no place left


async def test_more_than_may_wait_are_refused_and_nothing_of_them_is_kept() -> None:
    groups = Groups()
    one = submission()
    groups.submit([one] * (WAITING_AT_MOST - 1))
    groups.submit([one])
    with pytest.raises(Problem) as refused:
        groups.submit([one])
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "2"})
    assert groups.waiting == WAITING_AT_MOST


async def test_no_more_waits_than_memory_is_meant_for() -> None:
    groups = Groups()
    heavy = submission(details={"comment": "x" * 250_000})
    fit = WAITING_WEIGHT // len(heavy.incoming.body)
    groups.submit([heavy] * fit)
    with pytest.raises(Problem):
        groups.submit([heavy])
    assert groups.waiting == fit


async def test_a_batch_that_is_heavier_than_all_that_may_wait_is_not_sent_away_for_ever() -> None:
    store = Store()
    async with running(store.keep) as groups:
        crowd = submission(people={"approvers": ["a"] * 1_000})
        groups.submit([crowd] * 1_000)
        assert await verdicts([crowd]) == ["kept"]


async def test_heavy_events_make_small_groups() -> None:
    store = Store()
    async with running(store.keep) as groups:
        many = [submission(details={"comment": "x" * 250_000}) for _ in range(100)]
        groups.submit(many)
        assert await verdicts(many) == ["kept"] * 100
        assert max(store.groups) * 250_000 <= GROUP_WEIGHT
        crowds = [submission(people={"approvers": [f"a{n}" for n in range(1_000)]}) for _ in range(100)]
        store.groups.clear()
        groups.submit(crowds)
        assert await verdicts(crowds) == ["kept"] * 100
        assert 1 < max(store.groups) <= 17
        # All of the weight is gone again.
        groups.submit([many[0]] * (WAITING_WEIGHT // many[0].weight))


# the end


async def test_a_node_that_stops_takes_nothing_new() -> None:
    groups = Groups()
    groups.closed = True
    with pytest.raises(Problem) as refused:
        groups.submit([submission()])
    assert refused.value.status == 503


async def test_a_group_that_is_cut_off_is_answered() -> None:
    store = Store()
    store.open.clear()
    many = [submission() for _ in range(5)]
    async with running(store.keep) as groups:
        groups.submit(many)
        await asyncio.sleep(0.01)
    assert await verdicts(many) == ["503 unavailable"] * 5


async def test_one_that_is_cut_off_while_a_bad_event_is_looked_for_is_answered_whole() -> None:
    many = [submission() for _ in range(8)]
    hanging = asyncio.Event()

    async def keep(group: Sequence[Submission]) -> Sequence[Verdict]:
        if len(group) == 8:
            raise psycopg.DataError("no")
        await hanging.wait()
        return [Kept(uuid4(), duplicate=False) for _ in group]

    async with running(keep) as groups:
        groups.submit(many)
        await asyncio.sleep(0.01)
    assert await verdicts(many) == ["503 unavailable"] * 8


async def test_what_never_got_its_turn_is_answered_when_the_node_gives_up() -> None:
    groups, many = Groups(), [submission() for _ in range(3 * AT_MOST)]
    groups.submit(many)
    groups.give_up(stopped())
    assert set(await verdicts(many)) == {"503 unavailable"}
    assert groups.waiting == 0


async def test_a_sender_that_went_away_meanwhile_harms_nobody() -> None:
    store = Store()
    store.open.clear()
    many = [submission() for _ in range(3)]
    async with running(store.keep) as groups:
        groups.submit(many)
        await asyncio.sleep(0.01)
        many[1].verdict.cancel()
        store.open.set()
        assert await verdicts([many[0], many[2]]) == ["kept"] * 2


async def test_it_is_empty_only_when_everyone_has_an_answer() -> None:
    store = Store()
    store.open.clear()
    async with running(store.keep) as groups:
        groups.submit([submission()])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await groups.emptied()
        store.open.set()
        async with asyncio.timeout(1):
            await groups.emptied()
