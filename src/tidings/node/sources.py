"""Payloads of other systems: translated by their adapter, kept as any event is, or parked until somebody says what they
mean."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote
from uuid import UUID

import msgspec
from msgspec import Struct

from tidings.accounts.access import Grant
from tidings.events.event import Event, Incoming, People, read_event
from tidings.events.group import Kept, Submission, Verdict, unavailable
from tidings.events.sources.contract import Adapter, Parked, Push, Reading
from tidings.events.sources.park import SetUp, Waiting, park, set_up_of, settle, waiting
from tidings.events.sources.registry import ADAPTERS
from tidings.kernel.clock import now
from tidings.kernel.database import Connection
from tidings.kernel.problems import Problem, forbidden, invalid, not_found
from tidings.node import metrics
from tidings.pipeline import unknown_type
from tidings.planning.view import View

if TYPE_CHECKING:
    from tidings.node.engine import Node

log = logging.getLogger("tidings.sources")
Scope = Mapping[str, Any]
PATH, REPLAY = "/api/v1/sources/", "/parked/replay"
ANSWER_WITHIN = 15.0
"""Seconds the database may take."""
REPLAYED_AT_MOST = 500
CHUNK = 50
"""Payloads that are read again at a time: each may be as large as an event."""
NOT_OF_THE_EVENT = ("token_revoked", "unavailable")
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


class Sender(Struct, frozen=True):
    """Whose payload it is, as things stand now. `key`: the hash of a token, which the group looks at again."""

    tenant_id: UUID
    source: str
    key: bytes
    view: View
    set_up: SetUp


def token_in_url(scope: Scope) -> dict[bytes, bytes]:
    """The headers, with `?token=` as the bearer token where they have none: some systems can be given a URL only."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    token = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    scheme, _, secret = headers.get(b"authorization", b"").partition(b" ")
    # Some systems have that header for their signature.
    if token and not (scheme.lower() == b"bearer" and secret.strip()):
        headers[b"authorization"] = b"Bearer " + token[-1].encode("latin-1", "replace")
    return headers


def asks_to_replay(scope: Scope) -> bool:
    path: str = scope["path"]
    return scope["method"] == "POST" and path.startswith(PATH) and path.endswith(REPLAY)


class Sources:
    """Both answer the body of their answer, or raise `Problem` or psycopg's errors."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._connection = node.connection("sources")
        self._one_at_a_time = asyncio.Lock()

    async def take(self, scope: Scope, body: bytes, tenant_id: UUID, key: bytes) -> bytes:
        """One payload, for the source whose token came with it."""
        adapter = ADAPTERS[scope["path"].removeprefix(PATH)]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        push = Push(headers, _storable(body), now(), _urls(scope, headers, self._node.settings.base_url))
        async with self._live() as connection:
            grant, view = await self._granted(connection, tenant_id, key)
            if not (grant.source and grant.may_send_events):
                raise forbidden("a source's token")
            sender = await _sender(connection, grant.source, key, view)
        _check_signature(adapter, push, sender)
        outcome = await self._keep(_read(adapter, push, sender), sender)
        if isinstance(outcome, Parked):
            return await self._park(adapter, push, sender, outcome)
        return msgspec.json.encode({"events": outcome, "ignored": not outcome, "parked": None})

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
                # What they may send does not matter here: the group need not look at their token.
                sender = await _sender(connection, name, b"", view)
                rows = await waiting(connection, sender.tenant_id, name, only=asked.ids, after=after, limit=CHUNK)
            await self._read_again(rows, sender, result)
            seen += len(rows)
            if len(rows) < CHUNK:
                return msgspec.json.encode(result)
            after = rows[-1].id
        result.next = after
        return msgspec.json.encode(result)

    async def _read_again(self, rows: Sequence[Waiting], sender: Sender, result: Replayed) -> None:
        """Together, so that they are kept together; the oldest takes the first number of its subject."""
        outcomes = await asyncio.gather(*(self._keep(_read_parked(row, sender), sender) for row in rows))
        still = {row.id: each for row, each in zip(rows, outcomes, strict=True) if isinstance(each, Parked)}
        became = {
            row.id: [kept.id for kept in each]
            for row, each in zip(rows, outcomes, strict=True)
            if not isinstance(each, Parked)
        }
        async with self._live() as connection:
            await settle(connection, sender.tenant_id, became, still)
        result.replayed += sum(1 for events in became.values() if events)
        result.ignored += sum(1 for events in became.values() if not events)
        result.still_parked += len(still)

    @asynccontextmanager
    async def _live(self) -> AsyncIterator[Connection]:
        """Our connection, for one at a time. That the database does not answer is an answer too."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN), self._one_at_a_time:
                yield await self._connection.live()
        except TimeoutError:
            raise unavailable("The database does not answer; nothing was kept. Send again.") from None

    async def _granted(self, connection: Connection, tenant_id: UUID, key: bytes) -> tuple[Grant, View]:
        """What this token may do as things stand now. Raises `Problem` when it was revoked, on whichever node."""
        view = (await self._node.views.current(connection, (tenant_id,))).get(tenant_id)
        if view is None:
            raise unavailable("This organisation's settings cannot be read; its events cannot be planned.")
        if key not in view.grants:
            raise Problem(401, "token_revoked", "This token was revoked or never existed.")
        return view.grants[key], view

    async def _keep(self, reading: Reading, sender: Sender) -> Sequence[Kept] | Parked:
        """All of its events, in the group that is being kept. If one cannot be, the payload is parked: what was kept of
        it is a duplicate the next time."""
        if isinstance(reading, Parked):
            return reading
        loop, submissions = asyncio.get_running_loop(), list[Submission]()
        for event in reading:
            incoming = _checked(event, sender)
            if isinstance(incoming, Parked):
                return incoming
            verdict: asyncio.Future[Verdict] = loop.create_future()
            submissions.append(Submission(sender.tenant_id, sender.key, incoming, verdict, loop.time()))
        self._node.groups.submit(submissions)
        kept: list[Kept] = []
        for each in await asyncio.gather(*(one.verdict for one in submissions)):
            if isinstance(each, Kept):
                metrics.EVENTS.labels("duplicate" if each.duplicate else "accepted").inc()
                kept.append(each)
            elif each.code in NOT_OF_THE_EVENT:
                raise each
            else:
                return Parked(
                    "unknown_event_type" if each.code == "unknown_event_type" else "invalid_event", each.detail
                )
        metrics.EVENTS.labels("ignored").inc(not kept)
        return kept

    async def _park(self, adapter: Adapter, push: Push, sender: Sender, parked: Parked) -> bytes:
        async with self._live() as connection:
            key = await park(connection, sender.tenant_id, sender.source, adapter, push, parked)
        metrics.EVENTS.labels("parked").inc()
        log.info("parked: %s", parked.reason, extra={"source": sender.source, "parked": str(key)})
        where = f"{self._node.settings.base_url}{PATH}{quote(sender.source, safe='')}/parked"
        told = {"id": key, "reason": parked.reason, "detail": parked.detail, "words": parked.words, "see": where}
        return msgspec.json.encode({"events": [], "ignored": False, "parked": told})


async def _sender(connection: Connection, source: str, key: bytes, view: View) -> Sender:
    """Raises `Problem` 404 when there is no such source."""
    set_up = await set_up_of(connection, view.tenant_id, source)
    if set_up is None:
        raise not_found("source")
    return Sender(view.tenant_id, source, key, view, set_up)


def _read(adapter: Adapter, push: Push, sender: Sender) -> Reading:
    try:
        return adapter.read(push, sender.set_up.mapping(adapter))
    except Exception as error:
        # Nothing is lost by a fault of ours: a version that has it no more reads it again.
        log.exception("an adapter failed", extra={"adapter": adapter.code})
        return Parked("not_understood", f"The adapter failed ({type(error).__name__}); the log of this node says more.")


def _read_parked(row: Waiting, sender: Sender) -> Reading:
    adapter = ADAPTERS.get(row.adapter)
    if adapter is None:
        return Parked("not_understood", f"This version has no adapter {row.adapter!r}.")
    return _read(adapter, row.push, sender)


def _checked(event: Event, sender: Sender) -> Incoming | Parked:
    """As strictly as what comes by `POST /events`."""
    try:
        people = _without(event.people, sender.set_up.ignored_people)
        raw = msgspec.json.encode(msgspec.structs.replace(event, source=sender.source, people=people))
        incoming = read_event(raw, now=now(), source=sender.source)
    except Problem as problem:
        return Parked("invalid_event", problem.detail)
    if event.type not in sender.view.catalog.event_types:
        return Parked("unknown_event_type", unknown_type(event.type, sender.view).detail)
    return incoming


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


def _check_signature(adapter: Adapter, push: Push, sender: Sender) -> None:
    if sender.set_up.secret and not adapter.signed(push, sender.set_up.secret):
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
