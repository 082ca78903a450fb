"""Send what shares a call, and what a vendor limits.

Deliveries that lead to one place (a group robot) and come within a moment are sent together: those of one event become
one message to all of them. Each call uses the vendor's budget; when there is not enough for all that waits, the rest
becomes one summary that names it all, and when there is none, all of it is held until there is.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg

from tidings.channels.conclude import conclude
from tidings.channels.contract import Budget, Channel, Outcome, Parcel, TryLater, Wire
from tidings.channels.registry import CHANNELS
from tidings.delivery.budget import Granted
from tidings.delivery.circuit import Circuits
from tidings.delivery.policy import Held
from tidings.kernel.database import for_the_log

log = logging.getLogger("tidings.delivery")
GATHER = 0.02
"""Seconds."""
AFTER_TROUBLE = timedelta(seconds=10)
Verdict = Outcome | Held
Take = Callable[[Sequence[Sequence[Budget]]], Awaitable[Granted]]
NO_BUDGET_KNOWN = Held("database_away", timedelta(seconds=5))


def has_limits(channel: Channel) -> bool:
    """Whether a channel has to be sent to from here: most do not."""
    kind = type(channel)
    return any(getattr(kind, name) is not getattr(Channel, name) for name in ("together", "budgets", "account"))


LIMITED = frozenset(code for code, channel in CHANNELS.items() if has_limits(channel))


@dataclass(slots=True)
class Waiting:
    parcel: Parcel
    verdict: "asyncio.Future[Verdict]"


Unit = list[Waiting]
"""What goes in one call."""


@dataclass(slots=True)
class Calls:
    """`take` says how many of some calls there is room for, and takes the first one's budget, for all nodes; raises
    psycopg's errors."""

    take: Take
    circuits: Circuits = field(default_factory=Circuits)
    _gathering: dict[tuple[str, str], Unit] = field(default_factory=dict)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def send(self, channel: Channel, parcel: Parcel, wire: Wire, scope: str) -> Verdict:
        """`scope` names the tenant: its parcels share calls with nobody else's. Never raises, but for a cancellation:
        what has no verdict would be in this node's hands for ever."""
        one = Waiting(parcel, asyncio.get_running_loop().create_future())
        try:
            together = channel.together(parcel)
        except Exception:
            return _unforeseen(channel)
        if together is None:
            await self._call_all(channel, [one], wire)
            return await one.verdict
        key = f"{scope}/{channel.code}", together
        gathering = self._gathering.get(key)
        if gathering is None:
            gathering = self._gathering[key] = []
            task = asyncio.create_task(self._gather(key, channel, wire))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        gathering.append(one)
        return await one.verdict

    async def _gather(self, key: tuple[str, str], channel: Channel, wire: Wire) -> None:
        await asyncio.sleep(GATHER)
        await self._call_all(channel, [one for one in self._gathering.pop(key) if not one.verdict.cancelled()], wire)

    async def _call_all(self, channel: Channel, waiting: Unit, wire: Wire) -> None:
        """All have a verdict after this, whatever a channel does where it says what it is limited by."""
        try:
            await self._call(channel, units_of(waiting, channel.most_together), wire)
        except Exception:
            _answer([waiting], _unforeseen(channel))
        finally:
            _answer([waiting], TryLater("internal_error", technical=True))

    async def _call(self, channel: Channel, units: Sequence[Unit], wire: Wire) -> None:
        """Every one of them has its verdict after this. The budget of each call is taken just before it: one that was
        taken early and used late would stand beside the next minute's."""
        waiting = list(units)
        while waiting:
            held = await self._next_call(channel, waiting, wire)
            if held is not None:
                _answer(waiting, held)
                return

    async def _next_call(self, channel: Channel, waiting: list[Unit], wire: Wire) -> Held | None:
        """Make one call and take what it carried from the waiting; or why they have to wait, if none can be made."""
        first = waiting[0][0].parcel
        account = channel.account(first.contact, first.settings)
        if account and (wait := self.circuits.wait(account, time.monotonic())):
            return Held("vendor_unavailable", timedelta(seconds=wait))
        try:
            granted = await self.take([channel.budgets([one.parcel for one in unit]) for unit in waiting])
        except psycopg.Error as error:
            log.warning("budgets cannot be taken: %s", for_the_log(error))
            return NO_BUDGET_KNOWN
        if not granted.calls:
            return Held(granted.reason, granted.wait)
        unit = next_unit(waiting, granted.calls, channel.most_together)
        outcome = await self._one_call(channel, unit, wire, account)
        if isinstance(outcome, TryLater) and waiting:
            # What stands in the way of one stands in the way of the next: to go on would make it worse.
            return Held(outcome.reason, outcome.after or AFTER_TROUBLE)
        return None

    async def _one_call(self, channel: Channel, unit: Unit, wire: Wire, account: str | None) -> Outcome:
        """The outcome of the first, which is that of the call where it is one for all."""
        parcels = [one.parcel for one in unit]
        outcomes = await conclude(channel.send_together(parcels, wire), {"channel": channel.code})
        if isinstance(outcomes, Outcome):
            outcomes = [outcomes] * len(unit)
        for one, outcome in zip(unit, outcomes, strict=True):
            if account:
                self.circuits.note(account, outcome, time.monotonic())
            if not one.verdict.done():
                one.verdict.set_result(outcome)
        return outcomes[0]


def _unforeseen(channel: Channel) -> TryLater:
    log.exception("a try failed unexpectedly", extra={"channel": channel.code})
    return TryLater("internal_error", technical=True)


def units_of(waiting: Sequence[Waiting], most: int) -> list[Unit]:
    """One call an event, those first that ask somebody to act, then in the order of what happened; an event with more
    people than a call can carry has several."""
    by_event: dict[str, Unit] = {}
    for one in waiting:
        by_event.setdefault(one.parcel.document.occasion.event_id, []).append(one)
    in_order = sorted(by_event.values(), key=lambda unit: _urgency(unit[0].parcel))
    return [unit[start : start + most] for unit in in_order for start in range(0, len(unit), most)]


def next_unit(waiting: list[Unit], calls: int, most: int) -> Unit:
    """What the next call carries, taken from the waiting. When it is the last one there is room for, it is a summary of
    as much as it can carry."""
    unit = waiting.pop(0)
    while calls == 1 and waiting and len(unit) + len(waiting[0]) <= most:
        unit = unit + waiting.pop(0)
    return unit


def _urgency(parcel: Parcel) -> tuple[bool, object]:
    occasion = parcel.document.occasion
    return occasion.tone != "action", occasion.time


def _answer(units: Sequence[Unit], verdict: Verdict) -> None:
    for unit in units:
        for one in unit:
            if not one.verdict.done():
                one.verdict.set_result(verdict)
