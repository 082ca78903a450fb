"""What those who watch a node ask it: does it run, is it ready, what does it count. A node that only delivers answers
nothing else."""

import asyncio
from collections.abc import Mapping
from math import inf, nan

import msgspec
import psycopg
from prometheus_client.exposition import generate_latest

from tidings.delivery.backlog import Backlog, read_backlog
from tidings.events.group import unavailable
from tidings.kernel.clock import apart
from tidings.kernel.database import answered
from tidings.kernel.problems import Problem
from tidings.node import metrics
from tidings.node.asgi import JSON, App, Receive, Scope, Send, answer, answer_problem
from tidings.node.engine import Node
from tidings.node.ready import CHECKED_WITHIN, why_not_ready

BACKLOG_EVERY = 5.0
"""Seconds, however often somebody asks."""
NOBODY_DELIVERS = (
    "What is sent now is kept, and told to nobody until a node delivers: start `tidings worker` or `tidings serve`."
)


class Watch:
    """The ASGI application of a node that only delivers, and a part of one that accepts."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._loop = asyncio.get_running_loop()
        self._looking = asyncio.Lock()
        self._looked_at = -inf
        self.routes: Mapping[tuple[str, str], App] = {
            ("GET", "/healthz"): self._alive,
            ("GET", "/readyz"): self._ready,
            ("GET", "/metrics"): self._metrics,
        }
        self.paths = frozenset(path for _, path in self.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        asked = "GET" if scope["method"] == "HEAD" else scope["method"]
        route = self.routes.get((asked, scope["path"]))
        if route is not None:
            await route(scope, receive, send)
            return
        if scope["path"] in self.paths:
            detail = f"{scope['path']} is read with GET."
            await answer_problem(send, Problem(405, "method_not_allowed", detail, headers={"Allow": "GET, HEAD"}))
            return
        where = ", ".join(path for _, path in self.routes)
        text = f"This node only delivers, and answers GET {where}; all else is for `tidings web` or `tidings serve`."
        await answer_problem(send, Problem(404, "not_found", text))

    async def _alive(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, 200, b'{"status":"alive"}', JSON)

    async def _ready(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """As `ready.py` says. That nobody delivers is no reason to refuse events, which are safe here, but one to say
        so."""
        if problem := await why_not_ready(self._node):
            await answer_problem(send, unavailable(problem))
            return
        said: dict[str, object] = {"status": "ready", "nodes_delivering": self._node.delivering}
        details = [NOBODY_DELIVERS] if not self._node.delivering else []
        if words := apart(self._node.chores.clock_ahead, "This node's"):
            details.append(f"{words}: receivers may refuse what it signs. Have both kept by NTP.")
        if details:
            said["detail"] = " ".join(details)
        await answer(send, 200, msgspec.json.encode(said), JSON)

    async def _metrics(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        metrics.IN_HAND.set(self._node.deliverer.lanes.held)
        metrics.CIRCUITS_OPEN.set(len(self._node.deliverer.left_alone()))
        metrics.LEASE_AGE.set(self._node.life.age if self._node.duties.delivers else nan)
        metrics.WAITING.set(self._node.groups.waiting)
        metrics.LIVE_STREAMS.set(self._node.live.streams)
        async with self._looking:
            if self._loop.time() - self._looked_at >= BACKLOG_EVERY:
                metrics.show_backlog(await self._backlog())
                metrics.READY.set(not await why_not_ready(self._node))
                self._looked_at = self._loop.time()
        self._node.counting.show()
        await answer(send, 200, generate_latest(metrics.REGISTRY), [(b"content-type", b"text/plain; version=0.0.4")])

    async def _backlog(self) -> Backlog | None:
        """None while the database cannot be asked."""
        try:
            return await answered(self._node.connection_for_checks.read(read_backlog), CHECKED_WITHIN)
        except psycopg.Error:
            return None
