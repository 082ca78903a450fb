"""The send queue: 64 at once to a destination, tenants in turn, and neither a destination that hangs nor a tenant takes
all the places."""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from tidings.delivery.lanes import AT_ONCE, NODE_ROOM, PACES_KEPT, SHARE, Lanes

ACME, GLOBEX, INITECH = uuid4(), uuid4(), uuid4()
ALONE, ALONE_IN_NODE = (places * SHARE // (SHARE + 1) for places in (AT_ONCE, NODE_ROOM))
"""What a tenant may have when nobody else is there."""


def job(tenant: UUID = ACME, to: str = "quick:443") -> Any:
    """What a lane knows of a job."""
    return SimpleNamespace(id=uuid4(), tenant_id=tenant, point=SimpleNamespace(destination=to))


class Vendors:
    """Sends; to a destination that hangs nothing ends before `answer`."""

    def __init__(self, *hanging: str) -> None:
        self.hanging, self.begun, self.ended = set(hanging), list[Any](), list[Any]()
        self.flying, self.most = Counter[str](), Counter[str]()
        self._answer = asyncio.Event()

    async def send(self, job: Any) -> None:
        to = job.point.destination
        self.begun.append(job)
        self.flying[to] += 1
        self.most[to] = max(self.most[to], self.flying[to])
        await (self._answer.wait() if to in self.hanging else asyncio.sleep(0))
        self.flying[to] -= 1
        self.ended.append(job)

    def answer(self) -> None:
        self._answer.set()


@pytest.fixture
async def vendors() -> Vendors:
    return Vendors("slow:443")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def lanes(vendors: Vendors, clock: Clock) -> Lanes:
    return Lanes(vendors.send, clock)


def offer(lanes: Lanes, count: int, make: Callable[[], Any] = job) -> int:
    """Put as many as there is room for, one by one as they come; how many."""
    taken = 0
    for one in (make() for _ in range(count)):
        if lanes.has_room(one.tenant_id, one.point.destination):
            lanes.put(one)
            taken += 1
    return taken


async def test_every_job_is_sent_once(lanes: Lanes, vendors: Vendors) -> None:
    jobs = [job() for _ in range(500)]
    for one in jobs:
        lanes.put(one)
    assert await lanes.drained(5)
    assert Counter(one.id for one in vendors.ended) == Counter(one.id for one in jobs)
    assert lanes.held == 0


async def test_no_more_than_sixty_four_go_to_a_destination_at_once(lanes: Lanes, vendors: Vendors) -> None:
    for tenant in (uuid4() for _ in range(80)):
        for _ in range(4):
            lanes.put(job(tenant, to="slow:443"))
            lanes.put(job(tenant, to="quick:443"))
    await asyncio.sleep(0.05)
    assert vendors.flying["slow:443"] == AT_ONCE
    assert len(vendors.ended) == 320
    vendors.answer()
    assert await lanes.drained(5)
    assert vendors.most["slow:443"] == AT_ONCE
    assert len(vendors.ended) == 640


async def test_a_tenant_never_has_all_places_of_a_destination(lanes: Lanes, vendors: Vendors) -> None:
    def flying(tenant: UUID) -> int:
        return sum(one.tenant_id == tenant for one in vendors.begun)

    for tenant, most in ((ACME, ALONE), (GLOBEX, ALONE // 4), (INITECH, ALONE // 16)):
        for _ in range(200):
            lanes.put(job(tenant, to="slow:443"))
        await asyncio.sleep(0)
        assert flying(tenant) == most
    vendors.answer()
    assert await lanes.drained(5)
    assert len(vendors.ended) == 600


async def test_places_that_become_free_are_shared(lanes: Lanes, vendors: Vendors) -> None:
    flying: Counter[UUID] = Counter()
    some = asyncio.Event()

    async def send(job: Any) -> None:
        flying[job.tenant_id] += 1
        await some.wait()
        flying[job.tenant_id] -= 1
        await asyncio.sleep(0)

    lanes = Lanes(send)
    for tenant in (ACME, GLOBEX):
        for _ in range(1_000):
            lanes.put(job(tenant))
    await asyncio.sleep(0)
    assert flying == {ACME: ALONE, GLOBEX: ALONE // 4}
    for _ in range(20):
        some.set()
        await asyncio.sleep(0)
        some.clear()
        await asyncio.sleep(0)
    assert abs(flying[ACME] - flying[GLOBEX]) <= SHARE
    some.set()
    assert await lanes.drained(5)


async def test_tenants_take_turns_in_a_lane(lanes: Lanes, vendors: Vendors) -> None:
    for _ in range(AT_ONCE):
        lanes.put(job(to="slow:443"))
    for _ in range(300):
        lanes.put(job(ACME, to="slow:443"))
    for _ in range(3):
        lanes.put(job(GLOBEX, to="slow:443"))
    await asyncio.sleep(0)
    vendors.answer()
    await lanes.drained(5)
    places = [place for place, one in enumerate(vendors.begun) if one.tenant_id == GLOBEX]
    assert max(places) < AT_ONCE + 8


# room


async def test_a_destination_that_hangs_takes_few_places_and_leaves_some_to_others(lanes: Lanes) -> None:
    assert offer(lanes, NODE_ROOM, lambda: job(to="slow:443")) == ALONE
    await asyncio.sleep(0)
    assert lanes.full() == [(ACME, "slow:443")]
    assert offer(lanes, 10) == 10
    assert offer(lanes, 5, lambda: job(GLOBEX, "slow:443")) == 5
    assert (GLOBEX, "slow:443") not in lanes.full()


async def test_what_is_promised_counts_as_if_it_were_here(lanes: Lanes) -> None:
    assert not lanes.has_room(ACME, "new:443", {"new:443": AT_ONCE})
    assert not lanes.has_room(ACME, "new:443", {"new:443": ALONE, (ACME, "new:443"): ALONE})
    assert not lanes.has_room(ACME, "new:443", {None: NODE_ROOM})
    assert not lanes.has_room(ACME, "new:443", {ACME: ALONE_IN_NODE, None: ALONE_IN_NODE})
    assert lanes.has_room(GLOBEX, "new:443", {ACME: ALONE_IN_NODE, None: ALONE_IN_NODE})
    assert lanes.has_room(ACME, "new:443", {"new:443": AT_ONCE - 1, "other:443": 500, None: 563})


async def test_many_destinations_that_hang_never_take_more_than_the_nodes_room(lanes: Lanes, vendors: Vendors) -> None:
    hosts = iter(f"host{number}:443" for number in range(3 * NODE_ROOM))
    vendors.hanging |= {f"host{number}:443" for number in range(3 * NODE_ROOM)}
    assert offer(lanes, 3 * NODE_ROOM, lambda: job(uuid4(), next(hosts))) == NODE_ROOM
    assert lanes.room == 0
    vendors.answer()
    await lanes.drained(5)


async def test_a_quick_destination_may_have_the_node_to_itself(lanes: Lanes) -> None:
    sent = 0
    for _ in range(40):
        sent += offer(lanes, 200)
        await asyncio.sleep(0.001)
    assert sent > 3_000
    assert lanes.full() == []
    assert await lanes.drained(5)


async def test_a_tenant_has_its_share_alone_and_less_the_more_others_there_are(lanes: Lanes, vendors: Vendors) -> None:
    hosts = [f"host{number}:443" for number in range(10 * NODE_ROOM)]
    vendors.hanging |= set(hosts)
    names = iter(hosts)

    def crowded(tenant: UUID) -> Any:
        return job(tenant, next(names))

    assert offer(lanes, NODE_ROOM, lambda: job(ACME, next(names))) == ALONE_IN_NODE
    assert lanes.full_tenants() == [ACME]
    assert offer(lanes, 1, lambda: job(GLOBEX, next(names))) == 1
    assert lanes.full_tenants() == [ACME]
    assert not lanes.has_room(ACME, "another:443")
    # Several more take what they can get, and there is still a place.
    for tenant in (uuid4() for _ in range(4)):
        assert offer(lanes, NODE_ROOM // 2, partial(crowded, tenant)) > 0
    assert lanes.held < NODE_ROOM
    vendors.answer()
    await lanes.drained(5)
    assert lanes.has_room(ACME, "another:443")


async def test_what_may_be_claimed_at_once_finds_its_places(lanes: Lanes, vendors: Vendors) -> None:
    hosts = [f"host{number}:443" for number in range(2 * NODE_ROOM)]
    vendors.hanging |= set(hosts)
    names = iter(hosts)
    while not lanes.full_tenants():
        room = lanes.room
        assert offer(lanes, room, lambda: job(ACME, next(names))) == room > 0
    vendors.answer()
    await lanes.drained(5)


# a destination that was quick and hangs now


async def test_what_waits_for_a_destination_that_became_slow_is_taken_back(
    lanes: Lanes, vendors: Vendors, clock: Clock
) -> None:
    offered = 0
    for _ in range(20):
        offered += offer(lanes, 200, lambda: job(to="moody:443"))
        await asyncio.sleep(0.001)
    await lanes.drained(5)
    vendors.hanging.add("moody:443")
    assert offer(lanes, 500, lambda: job(to="moody:443")) == 500
    assert lanes.surplus() == []
    # Nothing has ended for longer than its pace is remembered.
    clock.now += 10
    taken_back = lanes.surplus()
    assert len(taken_back) == 500 - ALONE
    assert lanes.held == ALONE
    await asyncio.sleep(0)
    assert not set(map(id, taken_back)) & set(map(id, vendors.begun))
    vendors.answer()
    await lanes.drained(5)
    assert len(vendors.ended) == offered + ALONE


async def test_what_comes_last_is_taken_back_first_and_from_who_has_most(
    lanes: Lanes, vendors: Vendors, clock: Clock
) -> None:
    for _ in range(AT_ONCE):
        lanes.put(job(ACME, "slow:443"))
    first, second = job(GLOBEX, "slow:443"), job(ACME, "slow:443")
    for one in (first, second, *(job(ACME, "slow:443") for _ in range(10))):
        lanes.put(one)
    assert second not in lanes.surplus()[:10]
    vendors.answer()
    await lanes.drained(5)


# the end


async def test_a_node_that_stops_takes_back_what_has_not_begun(lanes: Lanes, vendors: Vendors) -> None:
    for _ in range(100):
        lanes.put(job(to="slow:443"))
    await asyncio.sleep(0)
    assert len(lanes.withdraw()) == 100 - ALONE
    assert not await lanes.drained(0.05)
    vendors.answer()
    assert await lanes.drained(5)
    assert len(vendors.ended) == ALONE
    assert lanes.held == 0


async def test_a_try_that_raises_after_all_costs_no_place(caplog: pytest.LogCaptureFixture) -> None:
    async def send(job: Any) -> None:
        raise RuntimeError("it promised not to")

    lanes = Lanes(send)
    for _ in range(3 * AT_ONCE):
        lanes.put(job())
    assert await lanes.drained(5)
    assert (lanes.held, lanes.has_room(ACME, "quick:443")) == (0, True)
    assert "a try raised" in caplog.text


async def test_the_pace_of_destinations_long_gone_is_forgotten(lanes: Lanes, clock: Clock) -> None:
    for number in range(PACES_KEPT):
        lanes.put(job(to=f"host{number}:443"))
    await lanes.drained(5)
    clock.now += 10
    lanes.put(job(to="new:443"))
    await lanes.drained(5)
    assert set(lanes._paces) == {"new:443"}
