"""What shares a call, and what a vendor limits: one message to all of one event, one summary when the budget is short."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import psycopg
import pytest

from tidings.channels.contract import Budget, Channel, Field, Outcome, Parcel, Refused, Sent, TryLater, Values, Wire
from tidings.delivery.budget import Granted
from tidings.delivery.circuit import OPENS_AFTER
from tidings.delivery.policy import Held
from tidings.delivery.together import Calls, has_limits
from tidings.kernel.ids import uuid7
from tidings.messages.document import Document, Occasion, Reader

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
WIRE: Any = None


class Robot(Channel):
    """A vendor that notes each call: who was told of which events."""

    code = "robot"
    label: ClassVar[Mapping[str, str]] = {"en": "Robot"}
    contact: ClassVar[tuple[Field, ...]] = ()
    verified_by = "test"
    most_together = 6

    def __init__(self, outcome: Outcome | Exception | None = None) -> None:
        self.calls: list[list[str]] = []
        self.outcome = outcome

    def destination(self, contact: Values, settings: Values) -> str:
        return "robot.example:443"

    def address(self, contact: Values) -> str:
        return "robot"

    def account(self, contact: Values, settings: Values) -> str | None:
        return "account"

    def together(self, parcel: Parcel) -> str | None:
        return str(parcel.contact["robot"])

    def budgets(self, parcels: Sequence[Parcel]) -> Sequence[Budget]:
        return [Budget("robot", 20, timedelta(minutes=1), "robot_budget")]

    async def send(self, parcel: Parcel, wire: Wire) -> Outcome:
        return (await self.send_together([parcel], wire))[0]

    async def send_together(self, parcels: Sequence[Parcel], wire: Wire) -> Sequence[Outcome]:
        self.calls.append([f"{one.document.occasion.event_id} {one.document.reader.login}" for one in parcels])
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return [self.outcome or Sent()] * len(parcels)


def parcel(event: str, login: str, *, robot: str = "r", tone: Any = "info", minute: int = 0) -> Parcel:
    occasion = Occasion(
        event_id=event,
        event_type="data_change.approved",
        tone=tone,
        time=NOON + timedelta(minutes=minute),
        subject_kind="ticket",
        subject_id=event,
        title=event,
    )
    document = Document(occasion, Reader(login, login, "en", "UTC", ()), "en", "headline", (), "", "")
    return Parcel(uuid7(), document, {"robot": robot}, {}, NOON)


def allowing(calls: int) -> Any:
    """A budget of so many calls."""
    left = calls

    async def take(wanted: Sequence[Sequence[Budget]]) -> Granted:
        nonlocal left
        granted, left = min(left, len(wanted)), max(left - 1, 0)
        return Granted(granted, "" if granted == len(wanted) else "robot_budget", timedelta(seconds=40))

    return take


async def send(calls: Calls, channel: Channel, *parcels: Parcel, scope: str = "acme") -> list[Outcome | Held]:
    return await asyncio.gather(*(calls.send(channel, one, WIRE, scope) for one in parcels))


async def test_the_people_of_one_event_share_a_message() -> None:
    robot = Robot()
    verdicts = await send(Calls(allowing(9)), robot, *(parcel("e1", login) for login in ("ann", "bo", "dan")))
    assert robot.calls == [["e1 ann", "e1 bo", "e1 dan"]]
    assert verdicts == [Sent()] * 3


async def test_each_event_has_a_message_while_the_budget_lasts_and_what_asks_to_act_goes_first() -> None:
    robot = Robot()
    parcels = [parcel("old", "ann"), parcel("new", "ann", minute=5), parcel("act", "bo", tone="action", minute=9)]
    await send(Calls(allowing(9)), robot, *parcels)
    assert robot.calls == [["act bo"], ["old ann"], ["new ann"]]


async def test_when_the_budget_is_short_the_last_call_is_a_summary_of_the_rest() -> None:
    robot = Robot()
    verdicts = await send(Calls(allowing(2)), robot, *(parcel(f"e{n}", "ann", minute=n) for n in range(5)))
    assert robot.calls == [["e0 ann"], ["e1 ann", "e2 ann", "e3 ann", "e4 ann"]]
    assert verdicts == [Sent()] * 5


async def test_what_a_summary_cannot_carry_waits() -> None:
    robot = Robot()
    verdicts = await send(Calls(allowing(1)), robot, *(parcel(f"e{n}", "ann", minute=n) for n in range(8)))
    assert robot.calls == [[f"e{n} ann" for n in range(6)]]
    assert verdicts[6:] == [Held("robot_budget", timedelta(seconds=40))] * 2


async def test_without_a_budget_everything_waits_and_nothing_is_called() -> None:
    robot = Robot()
    verdicts = await send(Calls(allowing(0)), robot, parcel("e1", "ann"), parcel("e2", "bo"))
    assert robot.calls == []
    assert verdicts == [Held("robot_budget", timedelta(seconds=40))] * 2


async def test_what_stands_in_the_way_of_one_holds_the_rest() -> None:
    """A robot that is silenced for ten minutes must not be called sixteen times more."""
    robot = Robot(TryLater("throttled", after=timedelta(minutes=10)))
    verdicts = await send(Calls(allowing(9)), robot, *(parcel(f"e{n}", "ann", minute=n) for n in range(4)))
    assert robot.calls == [["e0 ann"]]
    assert verdicts == [robot.outcome, *[Held("throttled", timedelta(minutes=10))] * 3]


async def test_a_message_that_is_refused_stands_in_nobodys_way() -> None:
    robot = Robot(Refused("bad_content", of="message"))
    await send(Calls(allowing(9)), robot, *(parcel(f"e{n}", "ann", minute=n) for n in range(3)))
    assert len(robot.calls) == 3


async def test_two_robots_and_two_tenants_share_nothing() -> None:
    robot, calls = Robot(), Calls(allowing(9))
    await asyncio.gather(
        send(calls, robot, parcel("e1", "ann"), parcel("e1", "bo", robot="other")),
        send(calls, robot, parcel("e1", "mallory"), scope="rival"),
    )
    assert sorted(robot.calls) == [["e1 ann"], ["e1 bo"], ["e1 mallory"]]


async def test_a_call_that_breaks_is_the_outcome_of_all_it_carried() -> None:
    verdicts = await send(Calls(allowing(9)), Robot(RuntimeError("secret")), parcel("e1", "ann"), parcel("e1", "bo"))
    assert verdicts == [TryLater("internal_error", said="RuntimeError", technical=True)] * 2


async def test_an_account_in_trouble_is_left_alone() -> None:
    robot, calls = Robot(TryLater("connect")), Calls(allowing(9))
    for number in range(OPENS_AFTER):
        await send(calls, robot, parcel(f"e{number}", "ann"))
    [verdict] = await send(calls, robot, parcel("last", "ann"))
    assert isinstance(verdict, Held)
    assert verdict.reason == "vendor_unavailable"
    assert len(robot.calls) == OPENS_AFTER


async def test_a_database_that_is_away_holds_what_is_limited() -> None:
    async def away(_: Sequence[Sequence[Budget]]) -> Granted:
        raise psycopg.OperationalError

    robot = Robot()
    [verdict] = await send(Calls(away), robot, parcel("e1", "ann"))
    assert isinstance(verdict, Held)
    assert robot.calls == []


async def test_who_gives_up_takes_nobody_along() -> None:
    robot, calls = Robot(), Calls(allowing(9))
    first = asyncio.create_task(calls.send(robot, parcel("e1", "ann"), WIRE, "acme"))
    second = asyncio.create_task(calls.send(robot, parcel("e1", "bo"), WIRE, "acme"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == Sent()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert robot.calls == [["e1 bo"]]


def test_only_channels_with_limits_come_here() -> None:
    from tidings.channels.registry import CHANNELS

    assert has_limits(Robot())
    assert not has_limits(CHANNELS["webhook"])


@pytest.mark.parametrize("shares", [True, False])
@pytest.mark.parametrize("name", ["together", "account", "budgets"])
async def test_a_channel_that_fails_where_it_says_its_limits_is_tried_later(name: str, shares: bool) -> None:
    def fail(*_: Any) -> Any:
        raise KeyError("robot")

    methods: dict[str, Any] = {name: fail} if shares else {"together": lambda *_: None, name: fail}
    robot = type("Broken", (Robot,), methods)()
    verdicts = await send(Calls(allowing(9)), robot, parcel("e1", "ann"), parcel("e1", "bo"))
    assert verdicts == [TryLater("internal_error", technical=True)] * 2
    assert robot.calls == []
