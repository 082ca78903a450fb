"""Events that a page keeps: through the same door as any other, on a connection of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

import psycopg

from tidings.accounts.permissions import Caller
from tidings.events.event import Incoming
from tidings.events.group import Groups, Kept, Submission, Verdict, Verdicts, unavailable
from tidings.events.sources.park import set_up_of, settle, waiting
from tidings.events.sources.translate import Keep, ReadAgain, Sender, read_again
from tidings.kernel.database import Connection, connect, django_conninfo
from tidings.kernel.problems import not_found
from tidings.pipeline import accept
from tidings.planning.views import HELD

T = TypeVar("T")
AGAIN_AT_MOST = 200
"""Payloads that one press of a button reads again: a page is no place for long work."""
_first = UUID(int=0)


def keep_now(caller: Caller, incoming: Incoming) -> Kept:
    """In the name of the source that it names. Its messages are sent by whichever node delivers. Raises 403, and what
    the event is refused for."""
    caller.require("administrator")
    caller.require_scope("events:write")

    async def act(_: Connection, keep: Keep) -> Verdict:
        [verdict] = await keep([incoming])
        return verdict

    verdict = _run(caller.tenant_id, act)
    if not isinstance(verdict, Kept):
        raise verdict
    return verdict


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


def _run(tenant_id: UUID, act: Callable[[Connection, Keep], Awaitable[T]]) -> T:
    async def run() -> T:
        async with _connected() as connection, _door(connection, tenant_id) as keep:
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
async def _door(connection: Connection, tenant_id: UUID) -> AsyncIterator[Keep]:
    """Groups as a node has them: what comes together is kept together, and a bad event stands alone."""
    loop, groups = asyncio.get_running_loop(), Groups()

    async def keep_group(group: Sequence[Submission]) -> Verdicts:
        return (await accept(connection, HELD, group, lease=None, room=lambda *_: False)).verdicts

    async def keep(events: Sequence[Incoming]) -> Sequence[Verdict]:
        group = [Submission(tenant_id, b"", each, loop.create_future(), loop.time()) for each in events]
        groups.submit(group)
        return await asyncio.gather(*(each.verdict for each in group))

    running = asyncio.create_task(groups.run(keep_group))
    try:
        yield keep
    finally:
        running.cancel()
