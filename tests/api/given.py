"""What happened before a call: events as a node keeps them, and what became of their deliveries."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from tests.delivery.given import event, incoming, nowhere

from tidings.events.group import Kept, Submission
from tidings.kernel.database import connect
from tidings.node.engine import Duties, Node
from tidings.node.run import Http, listen
from tidings.pipeline import accept
from tidings.planning.views import Views

__all__ = ["Serving", "aside", "at_once", "end", "event", "happen", "lose_content", "queries"]


def happen(organisation: Any, database: str, *contents: dict[str, Any]) -> list[UUID]:
    """Keep these events as one group; their ids, in order. Their deliveries wait for a worker."""

    async def keep() -> list[UUID]:
        connection = await connect(database, name="test")
        try:
            loop = asyncio.get_running_loop()
            group = [
                Submission(organisation.id, b"", incoming(content), loop.create_future(), loop.time())
                for content in contents
            ]
            accepted = await accept(connection, Views(), group, lease=None, room=nowhere)
        finally:
            await connection.close()
        kept = [verdict for verdict in accepted.verdicts if isinstance(verdict, Kept)]
        assert len(kept) == len(contents), accepted.verdicts
        return [verdict.id for verdict in kept]

    return asyncio.run(keep())


def end(organisation: Any, state: str = "failed", reason: str = "gone", *, tries: int = 1, **which: Any) -> int:
    """This became of the tenant's open deliveries; how many they were."""
    from tidings.delivery.models import Delivery

    attempt = {"at": datetime.now(UTC), "outcome": "refused", "ms": 3.0, "reason": reason}
    attempts = msgspec.to_builtins([attempt] * tries)
    open_ones = Delivery.objects.for_tenant(organisation.id).filter(state="pending", **which)
    return open_ones.update(state=state, reason=reason, attempts=attempts)


def lose_content() -> None:
    """Seven days later."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_body")


@contextmanager
def queries() -> Iterator[list[str]]:
    """The statements that Django sends meanwhile."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    sent: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield sent
        sent.extend(each["sql"] for each in captured.captured_queries)


@contextmanager
def aside(server: Any) -> Iterator[Any]:
    """An `async with` server that runs beside a synchronous test."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Serving:
    """A whole node on a port of its own; it may call nobody."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> str:
        from tidings.kernel.settings import settings as configured

        self._node = Node(replace(configured(), allowed_networks=()), self._url, Duties(True, True), None)
        await self._node.start()
        listener = listen("127.0.0.1", 0)
        self._http = Http(self._node, listener)
        await self._http.start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def __aexit__(self, *_: Any) -> None:
        await self._http.stop_accepting()
        await self._node.stop()
        await self._http.stop()


def at_once(*acts: Callable[[], object]) -> list[object]:
    """What each of them answered, or the code of its problem."""
    from django.db import connections

    from tidings.kernel.problems import Problem

    answers: list[object] = ["never ended"] * len(acts)
    start = threading.Barrier(len(acts))

    def run(number: int) -> None:
        start.wait()
        try:
            answers[number] = acts[number]()
        except Problem as problem:
            answers[number] = problem.code
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers
