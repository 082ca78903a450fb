"""What a payload of another system becomes, as its source is set up: events, checked as strictly as any, or a reason to
park it. What the node takes and what is read again pass here."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from tidings.catalog.features import SYSTEM_FEATURE, Catalog, unknown_type
from tidings.events.event import EARLIEST, Event, Incoming, People, read_event
from tidings.events.group import Kept, Verdict
from tidings.events.sources.contract import Adapter, Parked, Push, Reading
from tidings.events.sources.note import read_note
from tidings.events.sources.park import SetUp, Waiting
from tidings.events.sources.registry import ADAPTERS
from tidings.events.sources.understand import line
from tidings.kernel.problems import Problem

T = TypeVar("T")
log = logging.getLogger("tidings.sources")
NOT_OF_THE_EVENT = ("token_revoked", "unavailable")
Keep = Callable[[Sequence[Incoming]], Awaitable[Sequence[Verdict]]]
"""Makes events durable; a verdict for each."""


class Sender(Struct, frozen=True):
    """Whose payload it is, as things stand now."""

    tenant_id: UUID
    source: str
    set_up: SetUp
    catalog: Catalog


class ReadAgain(Struct, frozen=True):
    """By the keys of parked payloads: those that became events (or none, by the mapping), those that stay parked."""

    became: Mapping[UUID, Sequence[UUID]]
    still: Mapping[UUID, Parked]


async def keep_payload(adapter: Adapter, push: Push, sender: Sender, keep: Keep) -> Sequence[Kept] | Parked:
    """All of its events, together. If one cannot be kept, the payload is parked: what was kept of it is a duplicate the
    next time. Raises `Problem` for what is not the payload's fault."""
    return await _keep(translate(adapter, push, sender), adapter, keep)


def translate(adapter: Adapter, push: Push, sender: Sender) -> Sequence[Incoming] | Parked:
    """What a payload becomes, without keeping it: all of its events, each of which would get in; or none at all, if the
    mapping says that nobody wants to know."""
    reading = _read(adapter, push, sender)
    if isinstance(reading, Parked):
        return reading
    incoming: list[Incoming] = []
    for event in reading:
        checked = _checked(event, sender, push.received)
        if isinstance(checked, Parked):
            return checked
        incoming.append(checked)
    return incoming


async def read_again(rows: Sequence[Waiting], sender: Sender, keep: Keep) -> ReadAgain:
    """Together, so that they are kept together; the oldest takes the first number of its subject."""
    outcomes = await in_turn(_keep_parked(row, sender, keep) for row in rows)
    became: dict[UUID, Sequence[UUID]] = {}
    still: dict[UUID, Parked] = {}
    for row, outcome in zip(rows, outcomes, strict=True):
        if isinstance(outcome, BaseException):
            raise outcome
        if isinstance(outcome, Parked):
            still[row.id] = outcome
        else:
            became[row.id] = [kept.id for kept in outcome]
    return ReadAgain(became, still)


async def in_turn(acts: Iterable[Coroutine[Any, Any, T]]) -> list[T | BaseException]:
    """All of them together, each begun in a turn of the loop of its own: a body may take 50 ms to be read, and others
    are served in between."""
    tasks: list[asyncio.Task[T]] = []
    try:
        for act in acts:
            tasks.append(asyncio.create_task(act))
            await asyncio.sleep(0)
        return await asyncio.gather(*tasks, return_exceptions=True)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        raise


async def _keep_parked(row: Waiting, sender: Sender, keep: Keep) -> Sequence[Kept] | Parked:
    return await _keep(_translate_parked(row, sender), ADAPTERS.get(row.adapter), keep)


async def _keep(incoming: Sequence[Incoming] | Parked, adapter: Adapter | None, keep: Keep) -> Sequence[Kept] | Parked:
    if isinstance(incoming, Parked):
        return incoming
    kept: list[Kept] = []
    for verdict in await keep(incoming):
        if isinstance(verdict, Kept):
            kept.append(verdict)
        elif verdict.code in NOT_OF_THE_EVENT:
            raise verdict
        elif verdict.code == "event_id_reused" and adapter and adapter.first_holds:
            continue
        else:
            return Parked(
                "unknown_event_type" if verdict.code == "unknown_event_type" else "invalid_event", verdict.detail
            )
    return kept


def _read(adapter: Adapter, push: Push, sender: Sender) -> Reading:
    if note := read_note(push.body):
        return note
    try:
        return adapter.read(push, sender.set_up.known(adapter))
    except Exception as error:
        # Nothing is lost by a fault of ours: a version that has it no more reads it again.
        log.exception("an adapter failed", extra={"adapter": adapter.code})
        return Parked("not_understood", f"The adapter failed ({type(error).__name__}); the log of this node says more.")


def _translate_parked(row: Waiting, sender: Sender) -> Sequence[Incoming] | Parked:
    adapter = ADAPTERS.get(row.adapter)
    if adapter is None:
        return Parked("not_understood", f"This version has no adapter {row.adapter!r}.")
    return translate(adapter, row.push, sender)


def _checked(event: Event, sender: Sender, received: datetime) -> Incoming | Parked:
    """As strictly as what comes by `POST /events`; when it was received is when it happened, where nothing else says
    so: what was parked, or waited in a bus, did not happen just now."""
    if event.source not in ("", sender.source):
        return Parked("invalid_event", _other_source(event.source, sender.source))
    try:
        people = _without(event.people, sender.set_up.ignored_people)
        raw = msgspec.json.encode(msgspec.structs.replace(event, source=sender.source, people=people))
        incoming = read_event(raw, now=max(received, EARLIEST), source=sender.source)
    except Problem as problem:
        return Parked("invalid_event", problem.detail)
    known = sender.catalog.event_types.get(event.type)
    if known is None:
        return Parked("unknown_event_type", unknown_type(event.type, sender.catalog).detail)
    if known.feature == SYSTEM_FEATURE:
        return Parked("invalid_event", f"Notices of the feature `{SYSTEM_FEATURE}` come from Tidings alone.")
    return incoming


def _other_source(named: str, source: str) -> str:
    hint = "let its events name this source, or none, or give that one a source of its own"
    return f"This speaks for the source {source!r}, not for {line(named)!r}: {hint}."


def _without(people: People, ignored: frozenset[str]) -> People:
    """Without those who are nobody here: the account of another system whose webhook this is, for one."""
    if not ignored:
        return people
    submitter = people.submitter
    return People(
        None if submitter is None or str(submitter) in ignored else submitter,
        [one for one in people.approvers if str(one) not in ignored],
        [one for one in people.related if str(one) not in ignored],
    )
