"""What vendors take at most: never more in any span of time, on all nodes together."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.channels.contract import Budget
from tidings.delivery.budget import Uses, forget, grant, take
from tidings.kernel.database import Connection, connect

MINUTE = timedelta(minutes=1)
ROBOT = Budget("robot", 20, MINUTE, "robot_budget")


def test_as_many_as_there_is_room_for_go_in_their_order() -> None:
    granted, _ = grant([[ROBOT]] * 30, {}, 1_000.0)
    assert granted.calls == 20
    assert granted.reason == "robot_budget"


def test_what_was_used_is_free_a_whole_span_later() -> None:
    _, uses = grant([[ROBOT]] * 20, {}, 1_000.4)
    late, _ = grant([[ROBOT]], uses, 1_030.0)
    assert late.calls == 0
    assert 1_060.4 <= 1_030.0 + late.wait.total_seconds() <= 1_062
    assert grant([[ROBOT]], uses, 1_030.0 + late.wait.total_seconds())[0].calls == 1


def test_a_call_goes_when_there_is_room_in_every_budget_it_uses() -> None:
    daily = Budget("ann", 1, timedelta(days=1), "daily_limit")
    granted, uses = grant([[ROBOT, daily], [ROBOT, daily]], {}, 1_000.0)
    assert (granted.calls, granted.reason) == (1, "daily_limit")
    assert sum(uses["robot"].values()) == 1  # the call that could not go has used nothing
    assert granted.wait > timedelta(hours=23)


def test_only_what_is_made_now_is_used() -> None:
    granted, uses = grant([[ROBOT]] * 5, {}, 1_000.0, at_most=1)
    assert granted.calls == 5
    assert sum(uses["robot"].values()) == 1
    full = {"robot": {1_001: 20}}
    assert grant([[ROBOT]] * 5, full, 1_000.0, at_most=1)[1] == {}


def test_more_than_there_ever_is_waits_for_all_of_it_and_goes() -> None:
    many = Budget("app", 100, MINUTE, "app_budget", amount=500)
    assert grant([[many]], {}, 1_000.0)[0].calls == 1
    _, uses = grant([[Budget("app", 100, MINUTE, "app_budget")]], {}, 1_000.0)
    assert grant([[many]], uses, 1_001.0)[0].calls == 0


@given(
    st.lists(st.tuples(st.floats(0, 40), st.integers(1, 12)), max_size=60),
    st.integers(1, 15),
    st.sampled_from([7, 60, 600, 86_400]),
)
def test_never_more_than_the_budget_in_any_span_of_time(steps: list[tuple[float, int]], most: int, span: int) -> None:
    budget = Budget("b", most, timedelta(seconds=span), "r")
    now, uses, sent = 1_000_000.0, dict[str, Uses](), list[float]()
    for pause, calls in steps:
        now += pause * span / 60
        granted, after = grant([[budget]] * calls, uses, now)
        uses.update(after)
        sent += [now] * granted.calls
    for start in sent:
        assert sum(start <= moment < start + span for moment in sent) <= most


@pytest.fixture
async def nodes(database: str) -> AsyncIterator[list[Connection]]:
    connections = [await connect(database, name=f"test {number}") for number in range(4)]
    await connections[0].execute("TRUNCATE delivery_budget")
    yield connections
    for connection in connections:
        await connection.close()


async def test_all_nodes_share_one_budget(nodes: list[Connection]) -> None:
    async def use(connection: Connection) -> int:
        return sum([(await take(connection, [[ROBOT]])).calls for _ in range(10)])

    assert sum(await asyncio.gather(*map(use, nodes))) == 20


async def test_two_who_use_several_budgets_never_wait_for_each_other(nodes: list[Connection]) -> None:
    a, b = (Budget(key, 1_000, MINUTE, "r") for key in ("a", "b"))
    orders = [[[a, b]], [[b, a]]]
    async with asyncio.timeout(10):
        for _ in range(20):
            granted = await asyncio.gather(*(take(node, orders[n % 2]) for n, node in enumerate(nodes)))
            assert [each.calls for each in granted] == [1] * 4


async def test_what_is_not_limited_asks_nobody(nodes: list[Connection]) -> None:
    assert (await take(nodes[0], [[], []])).calls == 2


async def test_a_budget_of_which_nothing_is_used_is_forgotten(nodes: list[Connection]) -> None:
    await take(nodes[0], [[Budget("old", 5, timedelta(seconds=1), "r")], [ROBOT]])
    await nodes[0].execute("UPDATE delivery_budget SET ends_at = now() - interval '2 minutes' WHERE key = 'old'")
    await forget(nodes[0])
    rows = await (await nodes[0].execute("SELECT key FROM delivery_budget")).fetchall()
    assert rows == [("robot",)]
