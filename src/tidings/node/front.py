"""What answers HTTP: the hot calls here, thin, on the node's loop; all else is Django's, on two lasting threads."""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec
import psycopg

from tidings.accounts.access import Grant
from tidings.events.event import MAX_BATCH_BYTES, MAX_EVENT_BYTES, Incoming
from tidings.events.group import Kept, Submission, Verdict, sentence, unavailable
from tidings.events.receive import receive_many, receive_one
from tidings.events.sources.registry import ADAPTERS
from tidings.kernel.clock import now
from tidings.kernel.database import in_words
from tidings.kernel.origin import joined, origin, scheme_of, trusts
from tidings.kernel.problems import Problem, forbidden, internal_error
from tidings.kernel.secrets import token_hash
from tidings.node import live, metrics, pace, sources
from tidings.node.asgi import JSON, App, Message, Receive, Scope, Send, answer, answer_problem
from tidings.node.body import read_body
from tidings.node.callers import Callers, revoked, secret_in, token_in_url
from tidings.node.engine import Node
from tidings.node.named import named
from tidings.node.receipts import PATH as RECEIPTS
from tidings.node.timed import HANDED_OVER
from tidings.node.watch import Watch
from tidings.pipeline import preview

log = logging.getLogger("tidings.http")
MAX_REST_BYTES = 1024 * 1024
"""Of the body of any other call: far more than the longest list it may hold."""
MAX_SHEET_BYTES = 4 * 1024 * 1024
"""Of a file to import: 10,000 people are 1.1 MB, 10,000 tables with long names three times that."""
SHEETS = frozenset({"/api/v1/imports", "/console/imports"})
_json = msgspec.json.Encoder()


class Front:
    """The ASGI application of a node that accepts."""

    def __init__(self, node: Node, platform: App) -> None:
        self._node, self._platform = node, platform
        self._loop, self._door = asyncio.get_running_loop(), node.counting.door
        self._callers, self._sources, self._watch = Callers(node), sources.Sources(node), Watch(node)
        self._events = pace.Pace(node.settings.event_rate, "events")
        self._calls = pace.Pace(node.settings.api_rate, "calls")
        self._routes: Mapping[tuple[str, str], App] = {
            ("POST", "/api/v1/events"): self._one,
            ("POST", "/api/v1/events/batch"): self._many,
            ("POST", "/api/v1/preview"): self._preview,
            ("GET", live.PATH): node.live.serve,
            **self._watch.routes,
            **{("POST", f"{sources.PATH}{code}"): self._push for code in ADAPTERS},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        route = self._routes.get((scope["method"], scope["path"])) or self._other(scope)
        try:
            await route(scope, receive, send)
        except Problem as problem:
            await self._refuse(problem, scope, send)
        except psycopg.Error as error:
            await self._refuse(unavailable(f"{sentence(in_words(error))}."), scope, send)
        except Exception:
            log.exception("a request failed unexpectedly")
            await self._refuse(internal_error(), scope, send)

    async def _refuse(self, problem: Problem, scope: Scope, send: Send) -> None:
        if problem.code != pace.CODE:  # which counts itself: not only events come too fast
            metrics.REFUSED.labels(problem.code).inc()
        with named(scope, send) as send:
            log.debug("refused: %s", problem.code, extra={"reason": problem.detail})
            await answer_problem(send, problem)

    def _other(self, scope: Scope) -> App:
        if scope["path"] in self._watch.paths:
            return self._watch
        if scope["path"].startswith(RECEIPTS):
            return self._receipts
        return self._replay if sources.asks_to_replay(scope) else self._rest

    async def _one(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = self._loop.time()
        headers = dict(scope["headers"])
        grant, key = await self._callers.grant(headers)
        _require(grant.may_send_events, "a source's token, or an administrator's,")
        try:
            self._events.enter(key, arrived)
            body = await read_body(receive, headers, MAX_EVENT_BYTES)
            incoming = receive_one(_text(headers), body, now=now(), source=grant.source)
            if self._node.follower:
                incoming = self._node.follower.joined(incoming, _text(headers))
            _check_source(incoming, grant)
            verdict: asyncio.Future[Verdict] = self._loop.create_future()
            self._node.groups.submit((Submission(grant.tenant_id, key, incoming, verdict, arrived),))
            kept = await verdict
            if isinstance(kept, Problem):
                raise kept
        except Problem as problem:
            self._door.refused(grant, problem)
            raise
        if kept.duplicate:
            self._door.known_already(grant)
        duplicate = b"true" if kept.duplicate else b"false"
        await answer(send, 202, b'{"id":"%b","duplicate":%b}' % (str(kept.id).encode(), duplicate), JSON)

    async def _many(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = self._loop.time()
        headers = dict(scope["headers"])
        grant, key = await self._callers.grant(headers)
        _require(grant.may_send_events, "a source's token, or an administrator's,")
        self._enter(grant, key, arrived)
        body = await read_body(receive, headers, MAX_BATCH_BYTES)
        verdicts: list[Verdict | asyncio.Future[Verdict]] = []
        submissions: list[Submission] = []
        for each in receive_many(_text(headers), body, now=now(), source=grant.source):
            try:
                if isinstance(each, Problem):
                    raise each
                _check_source(each, grant)
                if self._node.follower:
                    each = self._node.follower.joined(each, _text(headers))
                verdict: asyncio.Future[Verdict] = self._loop.create_future()
                submissions.append(Submission(grant.tenant_id, key, each, verdict, arrived))
                verdicts.append(verdict)
            except Problem as problem:
                verdicts.append(problem)
        self._events.charge(key, arrived, len(verdicts) - 1)
        self._node.groups.submit(submissions)
        settled = [each if isinstance(each, Problem | Kept) else await each for each in verdicts]
        _all_unavailable(settled)
        for outcome in settled:
            if isinstance(outcome, Problem):
                self._door.refused(grant, outcome)
        sums = _sums(settled)
        self._door.known_already(grant, sums["duplicates"])
        await answer(send, 202, _json.encode(sums), JSON)

    async def _preview(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        grant, key = await self._callers.grant(headers)
        self._calls.enter(key, self._loop.time())
        body = await read_body(receive, headers, MAX_EVENT_BYTES)
        view = await self._callers.view(grant.tenant_id)
        if view is None:
            raise unavailable("This organisation's settings cannot be read; its events cannot be planned.")
        current = view.grants.get(key)
        if current is None:
            raise revoked()
        _require(current.may_preview, "a source, or an administrator or DBA whose token has the scope read,")
        incoming = receive_one(_text(headers), body, now=now(), source=current.source)
        _check_source(incoming, current)
        messages = parse_qs(scope["query_string"]).get(b"messages") == [b"true"]
        await answer(send, 200, _json.encode(preview(incoming, view, messages=messages)), JSON)

    async def _receipts(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What a provider reports; each shows in its own way that it is the provider."""
        headers = dict(scope["headers"])
        body = await read_body(receive, headers, MAX_EVENT_BYTES)
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1").partition("?")[0]
        said = await self._node.receipts.report(scope["method"], path, query, _text(headers), body)
        await answer(send, 200, said.body, [(b"content-type", said.content_type.encode())])

    async def _push(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Another system's own payload."""
        headers = token_in_url(scope)
        grant, key = await self._callers.grant(headers)
        try:
            self._events.enter(key, self._loop.time())
            body = await read_body(receive, headers, sources.at_most(scope))
            taken = await self._sources.take(scope, body, grant.tenant_id, key)
        except Problem as problem:
            self._door.refused(grant, problem)
            raise
        self._events.charge(key, self._loop.time(), taken.events - 1)
        await answer(send, taken.status, taken.body, JSON)

    async def _replay(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        grant, key = await self._callers.grant(headers)
        self._calls.enter(key, self._loop.time())
        body = await read_body(receive, headers, MAX_EVENT_BYTES)
        await answer(send, 200, await self._sources.replay(scope["path"], body, grant.tenant_id, key), JSON)

    async def _rest(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Django's, which takes one of its threads only when the whole request is there: a sender that dawdles keeps
        nobody waiting, and a body that came in chunks has a length, without which WSGI knows of none."""
        headers = dict(scope["headers"])
        if secret := secret_in(headers):  # not a password that is a proxy's: all who come through it have the same
            self._calls.enter(token_hash(secret.decode("latin-1")), self._loop.time())
        self._believe_proxies(scope)
        body = await read_body(receive, headers, MAX_SHEET_BYTES if scope["path"] in SHEETS else MAX_REST_BYTES)
        if b"transfer-encoding" in headers:
            kept = [each for each in scope["headers"] if each[0] not in (b"transfer-encoding", b"content-length")]
            scope = {**scope, "headers": [*kept, (b"content-length", b"%d" % len(body))]}
        scope[HANDED_OVER] = time.monotonic()
        whole = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return whole.pop() if whole else await receive()

        with named(scope, send) as send:
            await self._platform(scope, again, send)

    def _believe_proxies(self, scope: Scope) -> None:
        trusted, peer = self._node.settings.trusted_proxies, scope["client"][0] if scope.get("client") else ""
        if not (trusted and trusts(peer, trusted)):
            return
        said = joined(scope["headers"], (b"x-forwarded-for", b"x-forwarded-proto"))
        scope["client"] = origin(peer, said.get(b"x-forwarded-for", ""), trusted), 0
        scope["scheme"] = scheme_of(said.get(b"x-forwarded-proto", "")) or scope["scheme"]

    def _enter(self, grant: Grant, key: bytes, arrived: float) -> None:
        try:
            self._events.enter(key, arrived)
        except Problem as problem:
            self._door.refused(grant, problem)
            raise


def _require(condition: bool, who: str) -> None:
    if not condition:
        raise forbidden(who)


def _check_source(incoming: Incoming, grant: Grant) -> None:
    """A source speaks in its own name only; an administrator must say for which."""
    named = incoming.event.source
    if grant.source and named != grant.source:
        raise Problem(403, "wrong_source", f"This token speaks for {grant.source!r}, not for {named!r}.")
    if not named:
        raise Problem(422, "invalid_event", "`source` is missing: name the system this event comes from.")


def _all_unavailable(settled: Iterable[Verdict]) -> None:
    """A batch of which nothing could be kept is no success: the sender is asked to send it again."""
    problems = [each for each in settled if isinstance(each, Problem)]
    if problems and len(problems) == len(list(settled)) and all(each.status == 503 for each in problems):
        raise problems[0]


def _sums(settled: Iterable[Verdict]) -> dict[str, Any]:
    accepted = duplicates = 0
    rejected: list[dict[str, object]] = []
    for index, each in enumerate(settled):
        if isinstance(each, Problem):
            rejected.append({"index": index, "code": each.code, "detail": each.detail})
            metrics.REFUSED.labels(each.code).inc()
        elif each.duplicate:
            duplicates += 1
        else:
            accepted += 1
    return {"accepted": accepted, "duplicates": duplicates, "rejected": rejected}


def _text(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
