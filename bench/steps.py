"""`make bench ARGS=--steps`: what the node's Python costs an event, step by step.

One process without network and database, so what is measured is what the interpreter does: the least of many rounds of
500 events, which says nearly the same whatever else the machine does. The rest of a node's time is calls of the system:
reading and writing sockets.
"""

import asyncio
import gc
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import uvloop

from bench.load import event

if TYPE_CHECKING:
    from tidings.delivery.job import Job

EVENTS, SECONDS = 500, 15.0
TENANT, ANN, POINT = (UUID(int=number) for number in (1, 2, 3))
LEASE, TOKEN = 1, b"token"
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
T = TypeVar("T")


def run() -> int:
    print("\n".join(f"{step:52} {took:6.1f} us" for step, took in measure().items()))
    return 0


def section() -> str:
    """For docs/performance.md."""
    rows = [f"| {step} | {took:,.1f} |" for step, took in measure().items()]
    return "\n".join(["| the node's Python | µs an event |", "|---|---:|", *rows])


def measure() -> Mapping[str, float]:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tidings.kernel.django_settings"
    os.environ |= {"TIDINGS_DATABASE_URL": "postgresql://nobody@/nowhere", "TIDINGS_SECRET_KEYS": "0" * 64}
    os.environ["TIDINGS_ALLOWED_NETWORKS"] = "127.0.0.0/8"
    import django

    django.setup()
    return uvloop.run(_measure())


async def _measure() -> Mapping[str, float]:
    rounds, ends = Rounds(), time.monotonic() + SECONDS
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    while time.monotonic() < ends:
        await rounds.once()
    return {**rounds.least, "all of it": sum(rounds.least.values())}


@dataclass
class Rounds:
    least: dict[str, float] = field(default_factory=dict)
    """By step."""
    _number: int = 0

    def __post_init__(self) -> None:
        from tidings.accounts.access import Grant
        from tidings.catalog.features import built_in
        from tidings.directory.lookup import Directory
        from tidings.directory.people import Member, Point, people_of
        from tidings.directory.resources import Resources
        from tidings.kernel.secrets import seal
        from tidings.planning.view import View

        url, secret = "http://127.0.0.1:9/hook", "whsec_" + "A" * 43 + "="
        sealed = seal({"url": url, "format": "standard", "secret": secret})
        point = Point(POINT, "webhook", sealed, "127.0.0.1:9", verified=True, disabled=False)
        ann = Member(ANN, "ann", "Ann", "", "", "", "en", "UTC", (), ("webhook",), {"webhook": point})
        grant = Grant(TENANT, frozenset({"events:write"}), "bench", "", ())
        on = {"webhook": seal({})}
        directory = Directory(people_of([ann]), Resources({}))
        self._view = View(TENANT, 1, 1, 1, {}, built_in(), on, frozenset(on), directory, {TOKEN: grant})
        self._deliverer = deliverer()

    async def once(self) -> None:
        from tidings import pipeline
        from tidings.delivery import enqueue
        from tidings.delivery.birth import claim_at_birth
        from tidings.events.group import Submission
        from tidings.events.receive import receive_one
        from tidings.kernel.clock import now
        from tidings.kernel.ids import child_of
        from tidings.planning.admit import admit

        self._number += EVENTS
        bodies = [event(number) for number in range(self._number, self._number + EVENTS)]
        headers, views, loop = {"content-type": "application/json"}, {TENANT: self._view}, asyncio.get_running_loop()
        incoming = self._timed(
            "read and check it", lambda: [receive_one(headers, body, now=now(), source="bench") for body in bodies]
        )
        group = [Submission(TENANT, TOKEN, each, loop.create_future(), loop.time()) for each in incoming]
        verdicts, fresh = self._timed("is it known, may it come in", lambda: admit(group, views, {}))
        keeps = self._timed(
            "who is told, how, and why not", lambda: [pipeline._plan(new, one, self._view) for new, one in fresh]
        )
        room = self._deliverer.lanes.has_room
        keeps = self._timed("is there room to send it at once", lambda: claim_at_birth(keeps, room))
        self._timed("its rows, for one statement", lambda: columns(keeps))
        queued = [enqueue.Queued(child_of(keep.id, 2), claimed=True, number=1) for keep in keeps]
        accepted = self._timed(
            "what is to be sent", lambda: pipeline._hand_over(verdicts, keeps, queued, group, views, LEASE)
        )
        await self._also("compose it, sign it, send it, read the answer", self._send(accepted.jobs))
        tried, self._deliverer._recorder._tried = self._deliverer._recorder._tried, []
        results = self._timed("what came of it, and what is next", lambda: self._deliverer._judge(tried))
        assert [each.next.state for each in results] == ["sent"] * EVENTS
        self._deliverer._written(results)
        self._deliverer.counting.show()

    async def _send(self, jobs: "Sequence[Job]") -> None:
        for job in jobs:
            self._deliverer.take(job)
        await self._deliverer.lanes.drained(60)

    def _timed(self, step: str, act: Callable[[], T]) -> T:
        began = time.process_time()
        done = act()
        self._note(step, began)
        return done

    async def _also(self, step: str, acting: Awaitable[None]) -> None:
        began = time.process_time()
        await acting
        self._note(step, began)

    def _note(self, step: str, began: float) -> None:
        took = (time.process_time() - began) / EVENTS * 1e6
        self.least[step] = min(self.least.get(step, took), took)


def columns(keeps: Any) -> None:
    from tidings.delivery import enqueue

    _, places = enqueue._fold_subjects(keeps)
    enqueue._event_columns(keeps, places)
    enqueue._involved_columns(keeps)
    enqueue._people_columns(keeps)


def deliverer() -> Any:
    """A node's, whose connections lead to somebody who answers at once and is nowhere."""
    from tidings.kernel.addresses import AddressPolicy
    from tidings.kernel.exchange import Connection
    from tidings.kernel.http import Wire
    from tidings.kernel.settings import settings
    from tidings.node.counting import Counting
    from tidings.node.deliver import Deliverer

    class Echo:
        def __init__(self, connection: Connection) -> None:
            self._connection = connection

        def write(self, request: bytes) -> None:
            asyncio.get_running_loop().call_soon(self._connection.data_received, ANSWER)

        def abort(self) -> None: ...

    class Nowhere(Wire):
        async def _connect(self, target: Any, route: Any) -> Connection:
            connection = Connection()
            connection.connection_made(Echo(connection))  # type: ignore[arg-type]
            return connection

    class Life:
        lease, fresh = LEASE, True

    nobody: Any = None
    life: Any = Life()
    wire = Nowhere(AddressPolicy(settings().allowed_networks))
    return Deliverer(settings(), life, wire, nobody, nobody, nobody, Counting(), lambda: None)


if __name__ == "__main__":
    raise SystemExit(run())
