"""Events that a page or a call of the API keeps: by the same door as those of a node, on a connection of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

import msgspec
import psycopg

from tidings.accounts.permissions import Caller
from tidings.events.event import Incoming, read_event
from tidings.events.group import Groups, Kept, Submission, Verdict, Verdicts, unavailable
from tidings.events.sources.contract import Known, Parked
from tidings.events.sources.mapping import WordMap
from tidings.events.sources.park import set_up_of, settle, waiting
from tidings.events.sources.registry import ADAPTERS
from tidings.events.sources.rehearse import rehearsal
from tidings.events.sources.translate import Keep, ReadAgain, Sender, read_again
from tidings.kernel.clock import now
from tidings.kernel.database import Connection, connect, django_conninfo
from tidings.kernel.problems import forbidden, not_found
from tidings.pipeline import accept
from tidings.planning.view import View
from tidings.planning.views import HELD, Views

T = TypeVar("T")
AGAIN_AT_MOST = 200
"""Payloads that one press of a button reads again: a page is no place for long work."""
_first = UUID(int=0)


class _Untouched(Views):
    """As if nobody had touched a rule: every event type is on, and tells its submitter and nobody beside. What
    comes by it is planned at once or not kept: later it would be planned by the real rules, which tell others."""

    async def current(self, connection: Connection, tenant_ids: Iterable[UUID]) -> Mapping[UUID, View]:
        views = await HELD.current(connection, tenant_ids)
        return {tenant_id: _untouched(view) for tenant_id, view in views.items()}


def _untouched(view: View) -> View:
    types = {code: replace(each, default_role="submitter") for code, each in view.catalog.event_types.items()}
    return replace(view, rules={}, catalog=replace(view.catalog, event_types=types))


def send_test(caller: Caller, name: str) -> Sequence[Kept] | Parked:
    """What the source's system would send, read as the source is set up: an event that says it is a test, and tells
    whoever asked for it and nobody else, whatever the rules are. Its messages are sent by whichever node delivers.
    Parked: why it cannot be read; nothing is parked of it. Raises 403, 404, 503."""
    caller.require("administrator")
    caller.require_scope("events:write")
    if caller.person is None:
        raise forbidden("a person, who is then told")
    language = caller.person.language

    async def act(connection: Connection, keep: Keep) -> Sequence[Verdict] | Parked:
        set_up = await set_up_of(connection, caller.tenant_id, name)
        if set_up is None:
            raise not_found("source")
        adapter = ADAPTERS.get(set_up.adapter)
        known = set_up.known(adapter) if adapter else Known(WordMap((), ()))
        events = rehearsal(adapter, known, source=name, login=caller.name, language=language, now=now())
        if isinstance(events, Parked):
            return events
        return await keep([read_event(msgspec.json.encode(event), now=now()) for event in events])

    verdicts = _run(caller.tenant_id, act, _Untouched())
    if isinstance(verdicts, Parked):
        return verdicts
    kept: list[Kept] = []
    for verdict in verdicts:
        if not isinstance(verdict, Kept):
            raise verdict
        kept.append(verdict)
    return kept


def read_parked_again(caller: Caller, source: str, only: Sequence[UUID] | None = None) -> ReadAgain:
    """The oldest first, `AGAIN_AT_MOST` of them, by the mapping as it is now. Raises 403, 404, 503."""
    caller.require("administrator")

    async def act(connection: Connection, keep: Keep) -> ReadAgain:
        set_up = await set_up_of(connection, caller.tenant_id, source)
        view = (await HELD.current(connection, (caller.tenant_id,))).get(caller.tenant_id)
        if set_up is None or view is None:
            raise not_found("source")
        sender = Sender(caller.tenant_id, source, set_up, view.catalog)
        rows = await waiting(connection, caller.tenant_id, source, only=only, after=_first, limit=AGAIN_AT_MOST)
        again = await read_again(rows, sender, keep)
        await settle(connection, caller.tenant_id, again.became, again.still)
        return again

    return _run(caller.tenant_id, act)


def _run(tenant_id: UUID, act: Callable[[Connection, Keep], Awaitable[T]], views: Views = HELD) -> T:
    async def run() -> T:
        async with _connected() as connection, _door(connection, tenant_id, views) as keep:
            return await act(connection, keep)

    try:
        return asyncio.run(run())
    except psycopg.OperationalError:
        raise unavailable("The database cannot be reached; nothing was kept. Try again in a moment.") from None


@asynccontextmanager
async def _connected() -> AsyncIterator[Connection]:
    connection = await connect(django_conninfo(), name="console")
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _door(connection: Connection, tenant_id: UUID, views: Views) -> AsyncIterator[Keep]:
    """Groups as a node has them: what comes together is kept together, and a bad event stands alone."""
    loop, groups = asyncio.get_running_loop(), Groups()

    async def keep_group(group: Sequence[Submission]) -> Verdicts:
        accepted = await accept(
            connection, views, group, lease=None, room=lambda *_: False, unplanned=not isinstance(views, _Untouched)
        )
        return accepted.verdicts

    async def keep(events: Sequence[Incoming]) -> Sequence[Verdict]:
        group = [Submission(tenant_id, b"", each, loop.create_future(), loop.time()) for each in events]
        groups.submit(group)
        return await asyncio.gather(*(each.verdict for each in group))

    running = asyncio.create_task(groups.run(keep_group))
    try:
        yield keep
    finally:
        running.cancel()
