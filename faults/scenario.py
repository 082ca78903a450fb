"""What a scenario is, and how it is played.

    @scenario()
    async def frozen_worker(run: Run) -> None:
        \"\"\"A worker stands still for longer than its lease, then goes on.\"\"\"
        web, worker, _ = await run.start("web", "worker", "worker")
        async with run.load():
            await run.stage.freeze(worker)
            await asyncio.sleep(25)
            run.stage.thaw(worker)

Its name is the function's, its sentence the docstring's first paragraph. The end of the load is the end of the fault:
whatever was done has been undone by then. What follows is the same for all: wait until nothing due is left, then until
nothing is open, and count.
"""

import asyncio
import importlib
import pkgutil
import random
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import cycle

from faults import scenarios
from faults.count import Books, Row, Taken, out_of_order, read_books, webhooks
from faults.load import PEOPLE, SENDERS, Load
from faults.stage import Installation, Kind, Process, installation
from tidings.channels.testing.webhook_receiver import Reply

SETTLE_WITHIN = 180.0
"""Seconds in which everything must have its end: several leases that run out one after the other, on a slow machine."""
POST_WITHIN = 120.0
TAKES = (0.0, 0.05, 0.2, 0.5)
"""Seconds until a receiver answers: the first person's, the second's and so on."""


@dataclass
class Part:
    """A fault among several of one scenario, with a line of its own in the report: what was accepted while it lasted,
    and what became of `held`, which its victim had in its hands (as hex) when it was `lost`, or which was taken
    without an answer, as often as it was."""

    row: Row
    accepted: Mapping[str, str] = field(default_factory=dict)
    held: Sequence[str] = ()
    lost: datetime | None = None


@dataclass
class Run:
    """One playing of a scenario. `seconds` is how long it should go on where it can be of any length."""

    stage: Installation
    chance: random.Random
    seconds: float
    row: Row
    lasts: AsyncExitStack = field(default_factory=AsyncExitStack)
    """Until all is counted: for what stands between the parts of the installation."""
    people: Sequence[str] = PEOPLE
    parts: list[Part] = field(default_factory=list)
    also_took: Callable[[], Sequence[Taken]] = tuple
    """What other receivers than the webhooks' took."""
    settle_within: float = SETTLE_WITHIN
    accepted: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0

    async def start(self, *kinds: Kind) -> list[Process]:
        """Nodes that are ready, for people who can be reached; a first one that accepts must be among them."""
        processes = []
        for kind in kinds:
            processes.append(process := self.stage.run(kind))
            await self.stage.ready(process)
            if process.port and not self.stage.token:
                await self.set_up(process)
        return processes

    async def set_up(self, through: Process) -> None:
        """People who can be reached, by receivers of whom some take their time: so there is always something in the
        hands of whoever is lost."""
        await self.stage.set_up(through, *self.people)
        for login, seconds in zip(self.people, cycle(TAKES), strict=False):
            self.stage.receiver.script.setdefault(f"/{login}", (Reply(after=seconds),))

    def going_on(self) -> bool:
        """Whether the load should go on: `seconds` of it, from when it began."""
        return time.monotonic() < self.began + self.seconds

    async def again(self, process: Process, *, after: float = 0.0) -> None:
        """Start it anew, as a supervisor does, and wait until it is ready."""
        await asyncio.sleep(after)
        self.stage.again(process)
        await self.stage.ready(process)

    @asynccontextmanager
    async def load(self, senders: int = SENDERS) -> AsyncIterator[Load]:
        """Senders post to every node that accepts until this ends. Then, not before, the fault is over."""
        load = Load(self.stage, self.chance, self._doors, self.people)
        self.began = time.monotonic()
        sending = [asyncio.create_task(load.send()) for _ in range(senders)]
        try:
            yield load
            self.ended = time.monotonic()
            load.stopping = True
            async with asyncio.timeout(POST_WITHIN):
                await asyncio.gather(*sending)
        finally:
            for task in sending:
                task.cancel()
            self.accepted |= load.accepted
            self.row.asked_again += load.asked_again
            if load.refused:
                self.row.faults.append(f"{len(load.refused)} posts were refused, the first: {load.refused[0][:200]}")

    def _doors(self) -> list[Process]:
        return [process for process in self.stage.processes if process.port]

    def took(self) -> list[Taken]:
        return [*webhooks(self.stage.receiver.arrivals), *self.also_took()]


Act = Callable[[Run], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """`lacks` says in words what this machine must have for it and has not; empty when it can be played."""

    act: Act
    own_database: bool = False
    new: bool = False
    lacks: Callable[[], str] = str
    disk: int = 0

    @property
    def name(self) -> str:
        return self.act.__name__.replace("_", "-")

    @property
    def says(self) -> str:
        return " ".join((self.act.__doc__ or "").partition("\n\n")[0].split())

    @property
    def group(self) -> str:
        return self.act.__module__.rpartition(".")[2]


_SCENARIOS: dict[str, Scenario] = {}


def scenario(
    *, own_database: bool = False, new: bool = False, lacks: Callable[[], str] = str, disk: int = 0
) -> Callable[[Act], Act]:
    """`own_database`: the nodes use a server by its URL, and cannot start it again. `new`: it begins in an empty
    folder, without a database. `disk`: megabytes of one for the database's folder alone."""

    def name(act: Act) -> Act:
        one = Scenario(act, own_database, new, lacks, disk)
        _SCENARIOS[one.name] = one
        return act

    return name


def all_scenarios() -> dict[str, Scenario]:
    """By name, module by module."""
    for module in sorted(each.name for each in pkgutil.iter_modules(scenarios.__path__)):
        importlib.import_module(f"faults.scenarios.{module}")
    return _SCENARIOS


async def play(one: Scenario, *, seed: int, seconds: float) -> list[Row]:
    """The lines of the report; the last is the scenario's own. Never raises for what Tidings does wrong."""
    row, began = Row(one.name, one.says), time.monotonic()
    parts: list[Part] = []
    try:
        place = installation(own_database=one.own_database, new=one.new, disk=one.disk)
        async with place as stage, AsyncExitStack() as lasts:
            run = Run(stage, random.Random(f"{seed} {one.name}"), seconds, row, lasts, parts=parts)
            try:
                await one.act(run)
                await _conclude(run)
            finally:
                done = [f"{what} {times} times" if times > 1 else what for what, times in stage.faults.items()]
                row.done = ", ".join(done)
    except Exception as error:
        # The others are played all the same.
        row.faults.append(str(error) if isinstance(error, AssertionError) and str(error) else repr(error))
        traceback.print_exc()
    row.seconds = time.monotonic() - began
    return [*(part.row for part in parts), row]


def _count_part(part: Part, books: Books, taken: Sequence[Taken]) -> None:
    row, held, repeats = part.row, set(part.held), books.repeats()
    books.count(row, part.accepted)
    row.repeated, row.at_most = sum(repeats[each] for each in held), len(part.held)
    arrived = [one.at for one in taken if one.at and one.delivery in held]
    if part.lost and arrived:
        row.recovered = max(0.0, (max(arrived) - part.lost).total_seconds())


async def _conclude(run: Run) -> None:
    stage, row = run.stage, run.row
    await stage.nothing_due(run.settle_within)
    row.recovered = time.monotonic() - run.ended
    await stage.over(run.settle_within)
    taken = run.took()
    books = await read_books(stage, taken)
    books.count(row, run.accepted)
    if unknown := len(books.kept.keys() - run.accepted.keys()):
        row.faults.append(f"{unknown} events are kept that no sender was told of")
    books.count_repeats(row, stage.may_repeat + Counter(one.delivery for one in taken if not one.answered))
    for part in run.parts:
        _count_part(part, books, taken)
    ledger = await stage.ledger()
    row.faults += [f"ledger: {fault}" for fault in ledger["faults"]]
    if ledger["unplanned"] or ledger["open"]:
        row.faults.append(f"ledger: {ledger['unplanned']} unplanned, {ledger['open']} open")
    row.faults += (await out_of_order(stage))[:3]
    row.faults += [f"ended by itself: {log[-600:]}" for log in stage.ended_by_themselves()]
    row.faults += [f"the receiver complains: {each}" for each in stage.receiver.complaints[:3]]
