"""Run a node as a process: its loop, its HTTP server, its signals."""

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import uvicorn
import uvloop

from tidings.channels.send_aside import finish
from tidings.kernel.postgres import Running
from tidings.kernel.settings import Settings
from tidings.kernel.stop import on_stop
from tidings.node.asgi import App
from tidings.node.connection import Limits, limited, limits_here
from tidings.node.engine import Duties, Node
from tidings.node.front import Front
from tidings.node.pulse import watch_loop
from tidings.node.timed import timed
from tidings.node.watch import Watch

log = logging.getLogger("tidings.node")
DJANGO_THREADS = 2
BACKLOG = 2048


def run_node(
    settings: Settings,
    url: str,
    duties: Duties,
    *,
    server: Running | None = None,
    listener: socket.socket | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Until a signal to stop; then what was accepted is kept and what has begun is sent."""
    uvloop.run(_run(settings, url, duties, server, listener, ready))


async def _run(
    settings: Settings,
    url: str,
    duties: Duties,
    server: Running | None,
    listener: socket.socket | None,
    ready: Callable[[], None],
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    _spare_the_collector()
    # Not the loop's own handlers: closing the loop takes those away, and a second signal would then kill us before the
    # embedded server is stopped.
    with on_stop(lambda: loop.call_soon_threadsafe(stopping.set)):
        node = Node(settings, url, duties, revive=server.revive if server else None)
        await node.start()
        unwatched = watch_loop(loop)
        http = Http(node, listener) if listener else None
        if http:
            await http.start()
        ready()
        await stopping.wait()
        log.info("stopping")
        if http:
            await http.stop_accepting()
        await node.stop()
        if http:
            await http.stop()
        await asyncio.to_thread(finish, begun_only=True)
        unwatched()


def _spare_the_collector() -> None:
    """What is loaded by now stays for good, and the flow makes no cycles: looking for them at the usual rate cost a
    tenth of a node's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


class Http:
    """uvicorn inside the node's loop; signals are the node's."""

    def __init__(self, node: Node, listener: socket.socket, limits: Limits | None = None) -> None:
        config = uvicorn.Config(
            Front(node, django_app()) if node.duties.accepts and node.duties.serves else Watch(node),
            http=limited(limits or limits_here()),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            backlog=BACKLOG,
        )
        self._server, self._listener = uvicorn.Server(config), listener
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._server.config.load()
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self._server.startup(sockets=[self._listener])
        self._task = asyncio.create_task(self._server.main_loop())

    async def stop_accepting(self) -> None:
        """No new connections; requests under way go on."""
        for each in self._server.servers:
            each.close()

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._task:
            await self._task
        self._server.force_exit = False
        # A sender that never finishes its request does not keep the node from stopping.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._server.shutdown(sockets=[self._listener]), 10)


def django_app() -> App:
    from a2wsgi import WSGIMiddleware
    from django.core.wsgi import get_wsgi_application

    # Each names the same protocol with types of its own.
    return cast(App, WSGIMiddleware(cast(Any, timed(get_wsgi_application())), workers=DJANGO_THREADS))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that a port that is taken is known before anything starts. With SO_REUSEADDR, which a
    quick restart needs, several processes can be bound to a port until one of them listens: bound is not yet ours.
    Who calls while this one starts is answered when it is ready."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, TypeError) as error:
        # TypeError: what no name of a host can hold.
        reason = error.strerror if isinstance(error, OSError) else error
        sys.exit(f"tidings: {host}:{port} cannot be used: {reason}. Choose another with --host and --port.")
    listener.setblocking(False)
    return listener
