"""Takes events out of message buses. What is taken is held until it is durable here, and only then done with there: at
least once, and a message that comes again is a duplicate. While the database is away nothing more is taken."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from uuid import UUID

import psycopg
from msgspec import Struct

from tidings.events.buses.contract import Bus, Taken
from tidings.events.buses.file import Entry, kind_of
from tidings.events.buses.opened import Opener, bus_of, opened
from tidings.events.sources.contract import Push
from tidings.events.sources.note import is_whole, why_no_payload, write_note
from tidings.events.sources.registry import ADAPTERS
from tidings.kernel.clock import now
from tidings.kernel.database import for_the_log
from tidings.kernel.problems import Problem
from tidings.node import metrics
from tidings.node.sources import Settled, Sources

if TYPE_CHECKING:
    from tidings.node.engine import Node

log = logging.getLogger("tidings.buses")
TAKE_WITHIN = 1.0
"""Seconds: so long a stop may wait for it."""
LOOK_EVERY = 15.0
PAUSES = (0.5, 1.0, 2.0, 5.0)
"""Seconds between tries to keep what is held, the last one for ever."""
AWAY = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between tries to reach a bus."""
WELL_AFTER = 60.0
GIVE_UP_AFTER = 600.0
"""Seconds after which what cannot be kept, while other things can, is parked as it is."""
TELL_EVERY = 60.0
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
FIRST_TENANT = "default"
_TENANTS = "SELECT id, name FROM accounts_tenant WHERE %(name)s IN ('', name) ORDER BY name = %(first)s DESC LIMIT 2"


class Held(Struct, frozen=True):
    """A message, and what is read of it: what it says, or a note where that cannot be kept as it is."""

    taken: Taken
    push: Push


class Buses:
    """A task for each bus. `of` opens one."""

    def __init__(self, node: "Node", entries: Sequence[Entry], of: Opener = bus_of) -> None:
        self._node, self._entries, self._of = node, entries, of
        self._sources = Sources(node, "buses")
        self._loop = asyncio.get_running_loop()
        self._stopping, self._at_work = asyncio.Event(), 0
        metrics.name_buses([entry.name for entry in entries])
        self._told: dict[str, tuple[str, float]] = {}
        """What was in the way of a bus when that was said last, and when."""
        self._seen: set[str] = set()

    def work(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        for entry in self._entries:
            yield f"bus {entry.name}", self._run(entry)

    def stop_taking(self) -> None:
        """What is in our hands is still kept, and done with where that goes well."""
        self._stopping.set()

    async def stopped(self, within: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._at_work:  # noqa: ASYNC110 - once in a node's life
                    await asyncio.sleep(0.02)

    async def _run(self, entry: Entry) -> None:
        self._at_work += 1
        tries = 0
        try:
            while not self._stopping.is_set():
                began = self._loop.time()
                try:
                    await self._take_from(entry)
                except Exception as error:
                    # Each library raises what it likes; whatever it is, another connection is the way on.
                    self._tell(entry, error)
                finally:
                    metrics.BUS_CONNECTED.labels(entry.name).set(0)
                tries = 0 if self._loop.time() - began > WELL_AFTER else tries + 1
                await self._pause(AWAY[min(tries, len(AWAY)) - 1] if tries else AWAY[0])
        finally:
            self._at_work -= 1

    async def _take_from(self, entry: Entry) -> None:
        """Until we are to stop. Raises `Problem`, psycopg's errors, and the library's."""
        tenant_id = await self._whose(entry)
        metrics.BUS_HELD.labels(entry.name).set(0)
        async with opened(entry, self._of) as bus:
            look_at = 0.0
            while not self._stopping.is_set():
                if self._loop.time() >= look_at:
                    metrics.BUS_LAG.labels(entry.name).set(await bus.look())
                    self._connected(entry)
                    look_at = self._loop.time() + LOOK_EVERY
                if taken := await bus.take(entry.batch, TAKE_WITHIN):
                    metrics.BUS_REDELIVERED.labels(entry.name).inc(sum(one.again for one in taken))
                    await self._keep(entry, bus, tenant_id, [Held(one, _read(one)) for one in taken])

    async def _keep(self, entry: Entry, bus: Bus, tenant_id: UUID, held: Sequence[Held]) -> None:
        """Until all of them are durable here and done with there, or we are to stop: then the rest comes again."""
        began, tries = self._loop.time(), 0
        while True:
            outcomes = await self._sources.take_all(
                ADAPTERS[entry.adapter], [each.push for each in held], tenant_id, entry.source
            )
            if self._loop.time() - began > GIVE_UP_AFTER:
                outcomes = await self._park_the_rest(entry, tenant_id, held, outcomes)
            left, why = await self._settle(entry, bus, held, outcomes)
            metrics.BUS_HELD.labels(entry.name).set(len(left))
            if not left:
                return
            self._tell(entry, why or "it cannot be kept")
            if self._stopping.is_set():
                return
            held, tries = left, tries + 1
            await self._pause_holding(entry, bus, held, PAUSES[min(tries, len(PAUSES)) - 1])

    async def _settle(
        self, entry: Entry, bus: Bus, held: Sequence[Held], outcomes: Sequence[Settled | Problem]
    ) -> tuple[list[Held], Problem | None]:
        """Those that are not durable, and why the first of them is not."""
        left: list[Held] = []
        done: list[Taken] = []
        aside: list[Taken] = []
        why: Problem | None = None
        for each, outcome in zip(held, outcomes, strict=True):
            if isinstance(outcome, Problem):
                why = why or outcome
                left.append(each)
                continue
            metrics.BUS_MESSAGES.labels(entry.name, _result(outcome)).inc()
            (done if is_whole(each.taken.body) else aside).append(each.taken)
        if done:
            await bus.done(done)
        if aside:
            await bus.aside(aside)
        return left, why

    async def _park_the_rest(
        self, entry: Entry, tenant_id: UUID, held: Sequence[Held], outcomes: Sequence[Settled | Problem]
    ) -> Sequence[Settled | Problem]:
        """A payload that cannot be kept for longer than any database is away, while one can be parked, does not keep
        all that is behind it."""
        adapter = ADAPTERS[entry.adapter]
        return [
            await self._sources.set_aside(adapter, each.push, tenant_id, entry.source, outcome)
            if isinstance(outcome, Problem)
            else outcome
            for each, outcome in zip(held, outcomes, strict=True)
        ]

    async def _whose(self, entry: Entry) -> UUID:
        """The tenant's. Raises `Problem` when it or its source is not there: the operator named it, so it has to be."""
        rows = await self._sources.rows(_TENANTS, {"name": entry.tenant, "first": FIRST_TENANT})
        if not rows or (not entry.tenant and len(rows) > 1 and rows[0][1] != FIRST_TENANT):
            named = (
                f"there is no tenant {entry.tenant!r}" if entry.tenant else "it names no tenant, and there are several"
            )
            raise Problem(404, "no_tenant", f"{named}: name one of them in the file of TIDINGS_BUSES")
        tenant_id: UUID = rows[0][0]
        if not await self._sources.there(tenant_id, entry.source):
            hint = f"tidings token create --tenant {rows[0][1]} --source {entry.source}"
            raise Problem(404, "no_source", f"{rows[0][1]} has no source {entry.source!r}; this makes it: {hint}")
        return tenant_id

    def _connected(self, entry: Entry) -> None:
        metrics.BUS_CONNECTED.labels(entry.name).set(1)
        if self._told.pop(entry.name, None) or entry.name not in self._seen:
            self._seen.add(entry.name)
            log.info("events are taken from %s", kind_of(entry), extra={"bus": entry.name})

    def _tell(self, entry: Entry, error: Exception | str) -> None:
        """Once, and again every minute while it lasts."""
        match error:
            case psycopg.Error():
                words = for_the_log(error)
            case Problem():
                words = error.detail
            case Exception():
                words = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}".rstrip(": ")
            case _:
                words = error
        words = _without_secrets(words, entry.url)
        before, at = self._told.get(entry.name, ("", 0.0))
        if words == before and self._loop.time() - at < TELL_EVERY:
            return
        self._told[entry.name] = words, self._loop.time()
        log.warning("no events are taken from %s: %s", kind_of(entry), words, extra={"bus": entry.name})

    async def _pause_holding(self, entry: Entry, bus: Bus, held: Sequence[Held], seconds: float) -> None:
        """Nobody else gets meanwhile what is in our hands."""
        every = getattr(entry, "taken_over_after", 60.0) / 3
        until = self._loop.time() + seconds
        while not self._stopping.is_set() and (rest := until - self._loop.time()) > 0:
            await bus.hold([each.taken for each in held])
            await self._pause(min(rest, every))

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def _read(taken: Taken) -> Push:
    # Of its sender's clock: it may lie ahead of ours, and some write seconds where the bus wants milliseconds.
    sent, moment = taken.sent, now()
    received = min(sent, moment) if sent and sent > LONG_AGO else moment
    if why := why_no_payload(taken.body):
        return Push({}, write_note(taken.body, why, taken.place), received)
    return Push(taken.headers, taken.body, received)


def _result(settled: Settled) -> str:
    if settled.parked:
        return "parked"
    if not settled.events:
        return "ignored"
    return "duplicate" if all(each.duplicate for each in settled.events) else "accepted"


def _without_secrets(words: str, url: str) -> str:
    """Libraries like to say whom they asked, as they were told to."""
    who = url.partition("://")[2].rpartition("@")[0]
    password = who.partition(":")[2]
    for secret in filter(None, (url, who, password, unquote(password))):
        words = words.replace(secret, "***")
    return words
