"""What a person on duty wants first: is everything being delivered, how fast, what fails, what waits."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.api.given import end, event, happen
from tests.delivery.given import reach

from tidings.delivery import hourly, tally
from tidings.delivery.overview import overview_of, within
from tidings.kernel.database import connect
from tidings.kernel.problems import Problem

NOW = datetime.now(UTC)


@pytest.fixture
def reachable(organisation: Any) -> Any:
    from tidings.delivery.models import Node

    reach(organisation, "ann", "bo")
    Node.objects.all().delete()
    Node.objects.create(name="test")
    return organisation


def counted(database: str, hours: hourly.Hours, tries: tally.Tallies | None = None, at: datetime = NOW) -> None:
    """As a node writes them."""

    async def write() -> None:
        connection = await connect(database, name="test")
        await hourly.write(connection, hours.take(), at)
        if tries:
            await tally.write(connection, tries.take(), at)
        await connection.close()

    asyncio.run(write())


def seen(organisation: Any, unit: Any = "hour", count: int = 24, login: str = "root") -> Any:
    return overview_of(organisation.caller(login), unit=unit, count=count, now=datetime.now(UTC))


def test_where_nothing_happened_everything_is_being_delivered(reachable: Any) -> None:
    found = seen(reachable)
    assert found.troubles == []
    assert len(found.points) == 24 and found.points[-1].at <= datetime.now(UTC) < found.points[-1].at + timedelta(
        hours=1
    )
    assert (found.total.accepted, found.total.p50, found.awaiting.count) == (0, None, 0)
    assert [(each.channel, each.state) for each in found.channels] == [("webhook", "idle")]


def test_what_happened_stands_at_its_hour_with_how_long_it_took(reachable: Any, database: str) -> None:
    hours = hourly.Hours()
    for seconds in [0.02] * 98 + [5.0] * 2:
        hours.sent(reachable.id, "webhook", seconds)
    hours.sent(reachable.id, "webhook", None)
    counted(database, hours)
    hours.ended(reachable.id, "failed", "webhook", "gone")
    hours.ended(reachable.id, "failed", "webhook", "rejected")
    hours.ended(reachable.id, "failed", "webhook", "gone")
    counted(database, hours, at=NOW - timedelta(hours=3))
    found = seen(reachable)
    now, before = found.points[-1], found.points[-4]
    assert (now.sent, now.failed, before.sent, before.failed) == (101, 0, 0, 3)
    assert 0.02 <= now.p50 < 0.033 and 5.0 <= now.p99 < 8.1
    assert (found.total.sent, found.total.failed) == (101, 3)
    assert [(each.reason, each.count) for each in found.failures] == [("gone", 2), ("rejected", 1)]
    assert seen(reachable, count=2).total.failed == 0


def test_days_are_those_of_who_looks(reachable: Any, database: str) -> None:
    person = reachable.people["root"]
    person.timezone = "Asia/Shanghai"
    person.save()
    found = seen(reachable, "day", 30)
    assert len(found.points) == 30 and found.timezone == "Asia/Shanghai"
    assert {each.at.hour for each in found.points} == {16}
    hours = hourly.Hours()
    hours.sent(reachable.id, "webhook", 0.1)
    counted(database, hours, at=NOW - timedelta(days=8))
    assert sum(each.sent for each in seen(reachable, "day", 30).points) == 1
    assert sum(each.sent for each in seen(reachable, "day", 7).points) == 0


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        ({"sent": 9, "try_later": 1}, "fine"),
        ({"sent": 3, "try_later": 1}, "trouble"),
        ({"sent": 3, "held": 1}, "trouble"),
        ({"try_later": 2}, "trouble"),
        ({"try_later": 2, "refused": 1}, "failing"),
        ({"delivered": 3}, "idle"),
    ],
)
def test_a_channel_is_as_well_as_its_last_hour(
    reachable: Any, database: str, counts: dict[Any, int], state: str
) -> None:
    tries = tally.Tallies()
    for what, count in counts.items():
        for _ in range(count):
            tries.count(reachable.id, "webhook", what, "" if what in ("sent", "delivered") else "timeout", 0.2)
    counted(database, hourly.Hours(), tries)
    found = seen(reachable)
    [health] = found.channels
    assert (health.state, health.reason) == (state, "timeout" if state in ("trouble", "failing", "fine") else "")
    assert [each.kind for each in found.troubles] == (["channel_failing"] if state == "failing" else [])


def test_what_keeps_messages_from_people_is_said_the_worst_first(reachable: Any, database: str) -> None:
    from tidings.delivery.models import Delivery, Node
    from tidings.events.models import Event, Parked
    from tidings.kernel.ids import uuid7

    happen(reachable, database, *(event(to="ann") for _ in range(3)))
    overdue = datetime.now(UTC) - timedelta(minutes=5)
    Delivery.objects.for_tenant(reachable.id).update(due_at=overdue)
    one = Delivery.objects.for_tenant(reachable.id).order_by("id")[0]
    Delivery.objects.for_tenant(reachable.id).filter(id=one.id).update(state="failed", reason="gone")
    hours = hourly.Hours()
    hours.ended(reachable.id, "failed", "webhook", "gone")
    hours.ended(reachable.id, "failed", "webhook", "retried since")
    counted(database, hours)
    Event.objects.for_tenant(reachable.id).update(fault="KeyError")
    for number in range(2):
        Parked.objects.create(
            id=uuid7(), tenant_id=reachable.id, source="dms", adapter="dms", reason="unmapped", detail="", words={},
            headers={}, body="{}", hash=bytes([number]) * 16, times=1, last_at=NOW,
        )  # fmt: skip
    found = seen(reachable)
    assert [(each.kind, each.count) for each in found.troubles] == [
        ("overdue", 2),
        ("unplanned", 3),
        ("failed", 1),
        ("parked", 2),
    ]
    assert abs(found.troubles[0].since - overdue) < timedelta(seconds=1)
    Node.objects.all().delete()
    assert seen(reachable).troubles[0].kind == "nobody_delivers"
    assert [each.kind for each in seen(reachable, "day", 30).troubles].count("failed") == 1


def test_a_channel_that_died_a_minute_ago_is_not_fine_for_what_it_sent_before(reachable: Any, database: str) -> None:
    def tried(what: Any, count: int, minutes_ago: int) -> None:
        tries = tally.Tallies()
        for _ in range(count):
            tries.count(reachable.id, "webhook", what, "" if what == "sent" else "connect", 0.2)
        counted(database, hourly.Hours(), tries, NOW - timedelta(minutes=minutes_ago))

    tried("sent", 500, 9)
    tried("try_later", 2, 4)
    assert seen(reachable).troubles == []
    tried("refused", 1, 3)
    [trouble] = seen(reachable).troubles
    assert (trouble.kind, trouble.channel, trouble.reason) == ("channel_failing", "webhook", "connect")
    tried("sent", 1, 2)
    assert (seen(reachable).channels[0].state, seen(reachable).troubles) == ("fine", [])


def test_what_waits_for_another_try_is_not_being_delivered(reachable: Any, database: str) -> None:
    from tidings.delivery.models import Delivery

    happen(reachable, database, *(event(to="ann") for _ in range(3)))
    first, second, third = Delivery.objects.for_tenant(reachable.id).order_by("id")
    later = datetime.now(UTC) + timedelta(minutes=5)
    Delivery.objects.for_tenant(reachable.id).filter(id=first.id).update(
        due_at=later, reason="connect", attempts=[{"outcome": "try_later", "reason": "connect"}]
    )
    Delivery.objects.for_tenant(reachable.id).filter(id=second.id).update(
        due_at=later, reason="connect", attempts=[{"outcome": "held"}]
    )
    Delivery.objects.for_tenant(reachable.id).filter(id=third.id).update(
        due_at=later, reason="throttled", attempts=[{"outcome": "held"}]
    )
    assert [(each.kind, each.count) for each in seen(reachable).troubles] == [("retrying", 2)]


def test_what_waits_for_approval_longest_comes_first(reachable: Any, database: str) -> None:
    for subject, at in (("young", -5), ("old", -90), ("middle", -30)):
        happen(
            reachable, database,
            event(type="data_change.pending_approval", subject=subject, at=at, people={"approvers": ["bo"]}),
        )  # fmt: skip
    assert [each.id for each in seen(reachable).awaiting.longest] == ["old", "middle", "young"]
    happen(reachable, database, event(type="data_change.approved", subject="old", at=0))
    assert [each.id for each in seen(reachable).awaiting.longest] == ["middle", "young"]


def test_shares_are_of_what_was_timed() -> None:
    assert within({}, 0.5) is None
    assert within({0: 1}, 0.99) == 0.005
    assert within({0: 98, 10: 2}, 0.5) == 0.005
    assert within({0: 98, 10: 2}, 0.99) == pytest.approx(0.55, abs=0.01)


def test_another_organisation_has_its_own(reachable: Any, other_organisation: Any, database: str) -> None:
    happen(reachable, database, event(to="ann"))
    end(reachable)
    hours = hourly.Hours()
    hours.ended(reachable.id, "failed", "webhook", "gone")
    counted(database, hours)
    found = seen(other_organisation, login="mallory")
    assert (found.total.failed, found.standing.failed, found.awaiting.longest) == (0, [], [])


def test_only_who_sees_all_may_look(reachable: Any, api: Any) -> None:
    with pytest.raises(Problem, match="Only"):
        seen(reachable, login="ann")
    assert api("ann").get("/overview").status == 403
    assert api(source="dms").get("/overview").status == 403


def test_the_api_tells_all_of_it(reachable: Any, api: Any, database: str) -> None:
    hours = hourly.Hours()
    hours.ended(reachable.id, "failed", "webhook", "gone")
    counted(database, hours)
    happen(reachable, database, event(type="data_change.pending_approval", subject="T7", people={"approvers": ["bo"]}))
    for login in ("root", "carol", "eve"):
        told = api(login).get("/overview", hours=12).body
        assert (told["unit"], len(told["points"]), told["total"]["failed"]) == ("hour", 12, 1)
        assert told["failures"] == [{"channel": "webhook", "reason": "gone", "count": 1}]
        assert told["troubles"] == []  # it was retried: nothing is failed now
        assert told["awaiting_approval"][0]["subject"]["id"] == "T7"
        assert told["deliveries"]["waiting"][0]["waits_for"] == "turn"
    assert len(api("root").get("/overview", days=30).body["points"]) == 30
    assert len(api("root").get("/overview").body["points"]) == 24
    for bad in ({"hours": 100}, {"days": 0}, {"hours": 24, "days": 30}, {"weeks": 1}):
        assert api("root").get("/overview", **bad).status == 422
