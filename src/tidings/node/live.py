"""Tell pages that there is something new, while they are open: Server-Sent Events, of this node's loop.

A stream says that something is new and never what: the page asks for it, with the rights of whoever reads it. While
nobody watches nothing is asked of the database; while somebody does, one question a second for all of them.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import logging
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Literal
from urllib.parse import parse_qs

import psycopg

from tidings.accounts.live_key import LiveKey, read_live_key
from tidings.delivery.news import Topic, look
from tidings.kernel.clock import now
from tidings.kernel.database import Lasting
from tidings.kernel.ids import first_at
from tidings.kernel.problems import Problem
from tidings.node.asgi import Message, Receive, Scope, Send, answer_problem

log = logging.getLogger("tidings.live")
PATH = "/live"
PER_PERSON, PER_NODE = 10, 1_000
LOOK_EVERY = 1.0
"""Seconds; so a topic is named once a second at most."""
LINGER = 30.0
"""Seconds without anybody after which the connection to the database is given up: between two pages it is kept."""
HEARTBEAT = 20.0
"""Seconds; proxies end what is silent for a minute."""
PATIENCE = 10.0
"""Seconds within which a reader has to take what it is sent."""
WINDOW = timedelta(minutes=1)
"""How far apart the clocks of nodes, and an event's key and its commit, may be."""
SLACK = timedelta(seconds=2)
"""Between reading what a page shows and making its key."""
_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would collect it
]
News = Literal["inbox", "activity"]


@dataclass(slots=True, eq=False)
class Watcher:
    """One open stream. `new`: what it was made after may have come before it was opened."""

    key: LiveKey
    new: bool = True
    ended: bool = False
    news: set[News] = field(default_factory=set)
    some: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, news: News) -> None:
        self.news.add(news)
        self.some.set()

    def end(self) -> None:
        self.ended = True
        self.some.set()


class Live:
    """`serve` answers a request; `stop` ends all streams, so that they keep no node from stopping."""

    def __init__(self, connection: Lasting) -> None:
        self._connection = connection
        self._watchers: set[Watcher] = set()
        self._of_person: Counter[object] = Counter()
        self._known: dict[Topic, set[str]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def streams(self) -> int:
        return len(self._watchers)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            watcher = self._admit(scope)
        except Problem as problem:
            await answer_problem(send, problem)
            return
        gone = asyncio.ensure_future(_gone(receive))
        gone.add_done_callback(lambda _: watcher.end())
        try:
            await self._tell(watcher, send)
        except TimeoutError:
            # Who does not read is not waited for; the server closes the connection.
            log.info("a reader of the live stream was too slow")
        finally:
            gone.cancel()
            self._watchers.discard(watcher)
            self._of_person[watcher.key.person_id] -= 1
            self._of_person += Counter()  # forgets those with none

    async def stop(self) -> None:
        self._stopped = True
        for watcher in self._watchers:
            watcher.end()
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    def _admit(self, scope: Scope) -> Watcher:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("key", [""])[-1]
        key = read_live_key(given, now())
        if key is None:
            text = (
                "This key has ended, or was not made here. Load the page again, or ask GET /api/v1/me/live for another."
            )
            raise Problem(401, "live_key_refused", text)
        if self._stopped:
            raise Problem(503, "unavailable", "This node is stopping.", headers={"Retry-After": "5"})
        if len(self._watchers) >= PER_NODE:
            raise _too_many(f"This node has {PER_NODE:,} live streams open already.")
        if self._of_person[key.person_id] >= PER_PERSON:
            raise _too_many(f"You have {PER_PERSON} live streams open already: close a page.")
        watcher = Watcher(key)
        self._watchers.add(watcher)
        self._of_person[key.person_id] += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="tidings live")
        return watcher

    async def _tell(self, watcher: Watcher, send: Send) -> None:
        """Until it ends: its reader is gone, its key is over, or this node stops."""
        loop = asyncio.get_running_loop()
        over = loop.time() + (watcher.key.ends_at - now()).total_seconds()
        # Spread, so that not all readers of a node that went away come to the next in the same moment.
        retry = random.randint(2_000, 5_000)  # noqa: S311
        await _send(send, {"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await _send(send, _body(b"retry: %d\n\n" % retry))
        while not watcher.ended and loop.time() < over:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(HEARTBEAT, max(over - loop.time(), 0.0))):
                    await watcher.some.wait()
            watcher.some.clear()
            if watcher.ended:
                break
            named = sorted(watcher.news)
            watcher.news.clear()
            said = b"".join(b"event: %b\ndata: new\n\n" % each.encode() for each in named)
            await _send(send, _body(said or b":\n\n"))
        await _send(send, _body(b"", more=False))

    async def _look(self) -> None:
        """Once a second while somebody watches."""
        loop = asyncio.get_running_loop()
        watched_at = loop.time()
        while loop.time() - watched_at < LINGER:
            if self._watchers:
                watched_at = loop.time()
                with suppress(psycopg.Error):
                    await self._once()
            await asyncio.sleep(LOOK_EVERY)
        self._known.clear()
        await self._connection.close()

    async def _once(self) -> None:
        watchers = list(self._watchers)
        window = first_at(now() - WINDOW)
        made = {one: first_at(one.key.made_at - SLACK) for one in watchers if one.new}
        people = {one.key.person_id: window for one in watchers}
        tenants = {one.key.tenant_id: window for one in watchers if one.key.sees_all}
        for one, since in made.items():
            people[one.key.person_id] = min(since, people[one.key.person_id])
            if one.key.sees_all:
                tenants[one.key.tenant_id] = min(since, tenants[one.key.tenant_id])
        found = await self._connection.read(partial(look, people=people, tenants=tenants))
        # A key that is older than the window may be asked for by who is new, and is no news to the others.
        fresh = {
            topic: {
                mark
                for mark in marks - self._known.get(topic, set())
                if topic[0] == "deliveries" or mark >= str(window)
            }
            for topic, marks in found.items()
        }
        self._known = found
        for one in watchers:
            person, tenant = one.key.person_id, one.key.tenant_id
            if one.new:
                one.new = False
                inbox = _reaches(found.get(("inbox", person)), made[one])
                activity = _reaches(found.get(("events", tenant)), made[one])
            else:
                inbox = bool(fresh.get(("inbox", person)))
                activity = bool(fresh.get(("events", tenant)) or fresh.get(("deliveries", tenant)))
            if inbox:
                one.tell("inbox")
            if activity and one.key.sees_all:
                one.tell("activity")


def _reaches(marks: set[str] | None, since: object) -> bool:
    """Whether the newest came at that time or later. Keys order as their texts do."""
    return bool(marks) and max(marks or ()) >= str(since)


def _too_many(detail: str) -> Problem:
    return Problem(429, "too_many_streams", detail, headers={"Retry-After": "60"})


def _body(content: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


async def _send(send: Send, message: Message) -> None:
    async with asyncio.timeout(PATIENCE):
        await send(message)


async def _gone(receive: Receive) -> None:
    """Returns when the reader has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
