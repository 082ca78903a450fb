"""Payloads of other systems, by HTTP or out of a bus: translated by their adapter, kept as any event is, or parked
until somebody says what they mean."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, LiteralString
from urllib.parse import quote
from uuid import UUID

import msgspec
import psycopg
from msgspec import Struct

from tidings.accounts.access import Grant
from tidings.events.event import Incoming
from tidings.events.group import Kept, Submission, Verdict, not_kept, unavailable
from tidings.events.sources.contract import Adapter, Parked, Push
from tidings.events.sources.park import park, set_up_of, settle, waiting
from tidings.events.sources.registry import ADAPTERS
from tidings.events.sources.translate import Keep, ReadAgain, Sender, in_turn, keep_payload, read_again
from tidings.kernel.clock import now
from tidings.kernel.database import Connection
from tidings.kernel.problems import Problem, forbidden, invalid, not_found
from tidings.node import metrics
from tidings.planning.view import View

if TYPE_CHECKING:
    from tidings.node.engine import Node

log = logging.getLogger("tidings.sources")
Scope = Mapping[str, Any]
PATH, REPLAY = "/api/v1/sources/", "/parked/replay"
ANSWER_WITHIN = 15.0
"""Seconds the database may take."""
STATEMENT_WITHIN = 14.0
"""Seconds for each statement: a little less, since to cancel one would take some of its own."""
REPLAYED_AT_MOST = 500
CHUNK = 50
"""Payloads that are read again at a time: each may be as large as an event."""
_first = UUID(int=0)


class Replay(Struct, forbid_unknown_fields=True):
    """Only `ids`, or all that wait; `after`: what an earlier answer named as `next`."""

    ids: list[UUID] | None = None
    after: UUID = _first


class Replayed(Struct):
    """How many became events (which may have been known), how many nobody wants to know, how many stay parked."""

    replayed: int = 0
    ignored: int = 0
    still_parked: int = 0
    next: UUID | None = None

    def add(self, again: ReadAgain) -> None:
        events = sum(1 for became in again.became.values() if became)
        self.replayed += events
        self.ignored += len(again.became) - events
        self.still_parked += len(again.still)


def asks_to_replay(scope: Scope) -> bool:
    path: str = scope["path"]
    return scope["method"] == "POST" and path.startswith(PATH) and path.endswith(REPLAY)


def at_most(scope: Scope) -> int:
    """Bytes that the system of this path may send at a time."""
    return ADAPTERS[scope["path"].removeprefix(PATH)].at_most


class Settled(Struct, frozen=True):
    """What became of a payload: events (none, where nobody wants to know), or under which key and why it is parked."""

    events: Sequence[Kept] = ()
    parked: UUID | None = None
    why: Parked | None = None


class Taken(Struct, frozen=True):
    """What a system is answered, with the status that it takes for success; and how many events there were."""

    status: int
    body: bytes
    events: int


class Sources:
    """`take` and `replay` raise `Problem` and psycopg's errors."""

    def __init__(self, node: "Node", name: str = "sources") -> None:
        self._node = node
        self._connection = node.connection(name, patience=STATEMENT_WITHIN)
        self._one_at_a_time = asyncio.Lock()

    async def take(self, scope: Scope, body: bytes, tenant_id: UUID, key: bytes) -> Taken:
        """One payload, for the source whose token came with it."""
        adapter = ADAPTERS[scope["path"].removeprefix(PATH)]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        push = Push(headers, _storable(body), now(), _urls(scope, headers, self._node.settings.base_url))
        async with self._live() as connection:
            grant, view = await self._granted(connection, tenant_id, key)
            if not (grant.source and grant.may_send_events):
                raise forbidden("a source's token")
            sender = await _sender(connection, grant.source, view)
        _check_signature(adapter, push, sender)
        # A group refuses what comes with the token alone of a source that has a secret; the token was just looked at.
        settled = await self._settle(adapter, push, sender, b"" if sender.set_up.secret else key)
        parked = None if settled.why is None else self._shown(sender, settled.parked, settled.why)
        told = {"events": settled.events, "ignored": not (settled.events or parked), "parked": parked}
        return Taken(adapter.status, msgspec.json.encode({**adapter.answer, **told}), len(settled.events))

    async def take_all(
        self, adapter: Adapter, pushes: Sequence[Push], tenant_id: UUID, source: str
    ) -> Sequence[Settled | Problem]:
        """What came out of a bus, together, in its order, for the source that the operator named. A `Problem` is none
        of the payload's: nothing of that one is kept, and it is to be brought again."""
        try:
            async with self._live() as connection:
                sender = await _sender(connection, source, await self._view(connection, tenant_id))
        except (Problem, psycopg.Error) as error:
            return [_problem(error)] * len(pushes)
        # What the operator named may send; the group need not look at a token.
        outcomes = await in_turn(self._settle(adapter, push, sender, b"") for push in pushes)
        return [each if isinstance(each, Settled) else _problem(each) for each in outcomes]

    async def set_aside(
        self, adapter: Adapter, push: Push, tenant_id: UUID, source: str, why: Problem
    ) -> Settled | Problem:
        """Parked as it is, for a reason that is not its own; what is in the way of that is in the way."""
        try:
            async with self._live() as connection:
                sender = await _sender(connection, source, await self._view(connection, tenant_id))
            parked = Parked("not_understood", f"It could not be kept, and can be read again: {why.detail}")
            return Settled(parked=await self._park(adapter, push, sender, parked), why=parked)
        except (Problem, psycopg.Error) as error:
            return _problem(error)

    async def rows(self, query: LiteralString, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        async with self._live() as connection:
            return await (await connection.execute(query, values)).fetchall()

    async def there(self, tenant_id: UUID, source: str) -> bool:
        async with self._live() as connection:
            return await set_up_of(connection, tenant_id, source) is not None

    async def replay(self, path: str, body: bytes, tenant_id: UUID, key: bytes) -> bytes:
        """Read parked payloads again, by the mapping as it is now. However often: what became events is not read again,
        and an event that is known is a duplicate."""
        asked, result, seen = _asked(body), Replayed(), 0
        name, after = path.removeprefix(PATH).removesuffix(REPLAY), asked.after
        while seen < REPLAYED_AT_MOST:
            async with self._live() as connection:
                grant, view = await self._granted(connection, tenant_id, key)
                if not ("administrator" in grant.roles and "write" in grant.scopes):
                    raise forbidden("administrators")
                sender = await _sender(connection, name, view)
                rows = await waiting(connection, sender.tenant_id, name, only=asked.ids, after=after, limit=CHUNK)
            # What they may send does not matter here: the group need not look at their token.
            again = await read_again(rows, sender, self._door(tenant_id, b"", {}))
            async with self._live() as connection:
                await settle(connection, tenant_id, again.became, again.still)
            result.add(again)
            seen += len(rows)
            if len(rows) < CHUNK:
                return msgspec.json.encode(result)
            after = rows[-1].id
        result.next = after
        return msgspec.json.encode(result)

    @asynccontextmanager
    async def _live(self) -> AsyncIterator[Connection]:
        """Our connection, for one at a time. That the database does not answer is an answer too."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN), self._one_at_a_time:
                yield await self._connection.live()
        except TimeoutError:
            raise unavailable("The database does not answer; nothing was kept. Send again.") from None

    async def _settle(self, adapter: Adapter, push: Push, sender: Sender, key: bytes) -> Settled:
        """Durable, whatever it is. Raises `Problem` and psycopg's errors for what is not the payload's fault."""
        outcome = await keep_payload(adapter, push, sender, self._door(sender.tenant_id, key, push.headers))
        if isinstance(outcome, Parked):
            return Settled(parked=await self._park(adapter, push, sender, outcome), why=outcome)
        metrics.EVENTS.labels("ignored").inc(not outcome)
        return Settled(outcome)

    async def _view(self, connection: Connection, tenant_id: UUID) -> View:
        view = (await self._node.views.current(connection, (tenant_id,))).get(tenant_id)
        if view is None:
            raise unavailable("This organisation's settings cannot be read; its events cannot be planned.")
        return view

    async def _granted(self, connection: Connection, tenant_id: UUID, key: bytes) -> tuple[Grant, View]:
        """What this token may do as things stand now. Raises `Problem` when it was revoked, on whichever node."""
        view = await self._view(connection, tenant_id)
        if key not in view.grants:
            raise Problem(401, "token_revoked", "This token was revoked or never existed.")
        return view.grants[key], view

    def _door(self, tenant_id: UUID, key: bytes, headers: Mapping[str, str]) -> Keep:
        """What keeps events of this tenant, in the group that is being kept. `key`: the hash of a token, at which the
        group looks again."""

        async def keep(events: Sequence[Incoming]) -> Sequence[Verdict]:
            loop, submissions = asyncio.get_running_loop(), list[Submission]()
            for incoming in events:
                if self._node.follower:
                    incoming = self._node.follower.joined(incoming, headers)
                submissions.append(Submission(tenant_id, key, incoming, loop.create_future(), loop.time()))
            self._node.groups.submit(submissions)
            return await asyncio.gather(*(one.verdict for one in submissions))

        return keep

    async def _park(self, adapter: Adapter, push: Push, sender: Sender, parked: Parked) -> UUID:
        async with self._live() as connection:
            options = sender.set_up.known(adapter).options
            key = await park(connection, sender.tenant_id, sender.source, adapter, push, parked, options)
        metrics.EVENTS.labels("parked").inc()
        log.info("parked: %s", parked.reason, extra={"source": sender.source, "parked": str(key)})
        return key

    def _shown(self, sender: Sender, key: UUID | None, parked: Parked) -> dict[str, Any]:
        where = f"{self._node.settings.base_url}{PATH}{quote(sender.source, safe='')}/parked"
        return {"id": key, "reason": parked.reason, "detail": parked.detail, "words": parked.words, "see": where}


def _problem(error: BaseException) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, psycopg.Error):
        return not_kept(error)
    if not isinstance(error, Exception):
        raise error
    log.error("a payload could not be kept", exc_info=error)
    return unavailable("This could not be kept; the log of this node says why.")


async def _sender(connection: Connection, source: str, view: View) -> Sender:
    """Raises `Problem` 404 when there is no such source."""
    set_up = await set_up_of(connection, view.tenant_id, source)
    if set_up is None:
        raise not_found("source")
    return Sender(view.tenant_id, source, set_up, view.catalog)


def _check_signature(adapter: Adapter, push: Push, sender: Sender) -> None:
    secret, options = sender.set_up.secret, sender.set_up.known(adapter).options
    if secret and not adapter.signed_as(push, secret, options):
        log.warning("a signature was refused", extra={"source": sender.source})
        where = f"PUT {PATH}{quote(sender.source, safe='')}/secret"
        detail = (
            f"This is not signed with this source's secret: give {adapter.label} the same key, or end it with {where}."
        )
        raise Problem(401, "signature_refused", detail)


def _urls(scope: Scope, headers: Mapping[str, str], base_url: str) -> tuple[str, ...]:
    """How the sender may have been told to reach us; a proxy before us may have changed scheme and host."""
    path = scope["raw_path"].decode("latin-1")
    if scope["query_string"]:
        path += "?" + scope["query_string"].decode("latin-1")
    host = headers.get("host", "")
    return tuple(dict.fromkeys(f"{base}{path}" for base in (base_url, f"https://{host}", f"http://{host}")))


def _storable(body: bytes) -> bytes:
    """Raises `Problem` 422 for what could not even be parked."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise Problem(422, "malformed_json", "The body is not JSON in UTF-8.")
    return body


def _asked(body: bytes) -> Replay:
    try:
        return msgspec.json.decode(body or b"{}", type=Replay)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"Send nothing, or which to read again as `ids` and `after`: {error}.") from None
