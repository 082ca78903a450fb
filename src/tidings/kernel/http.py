"""The one way out to the network: every address is checked, then connected to, and nothing else is.

A call is pinned to an address that passed, so a name that answers differently the second time gains nothing. Webhook
tokens live in paths and queries. Nothing that is raised here carries them, not even as `__context__`.
"""

import asyncio
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from msgspec import Struct

from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.exchange import Answer, Broken, Connection
from tidings.kernel.gate import RESOLVE_SECONDS, CheckedAddress, Gate, Resolver, noticed, read, system_resolver
from tidings.kernel.http_errors import TEXTS, NothingTrusted, Unreachable, Unresolvable, detail_of
from tidings.kernel.request import Headers, written
from tidings.kernel.urls import Target

CONNECT = timedelta(seconds=5)
WHOLE_CALL = timedelta(seconds=15)
CHECKED_FOR_SECONDS = 60.0
MOST_ROUTES = 256
IDLE_PER_ROUTE = 64  # as many calls as a node keeps open to one host
IDLE_SECONDS = 30.0  # less than the 60 to 75 s of the usual proxies, which would close a connection under us


class Response(Struct, frozen=True):
    """`body` is the first 64 KiB, as sent: nothing is decompressed."""

    status: int
    headers: Headers
    body: bytes


_Key = tuple[str, str, int]
"""Scheme, host, port."""


@dataclass(slots=True)
class _Route:
    """The way to one host: connections to `address` and to nowhere else."""

    address: str
    checked_until: float = 0.0
    failed: bool = False
    """The last connection could not be made: another of the host's addresses gets a try."""
    dropped: bool = False
    """Nobody calls this way any more: what still runs ends, and nothing is kept for the next call."""
    idle: list[Connection] = field(default_factory=list)

    def take(self, now: float) -> Connection | None:
        """The connection that was used last: the others may grow old and go."""
        while self.idle:
            connection = self.idle.pop()
            if connection.reusable and now - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.abort()
        return None

    def give_back(self, connection: Connection, now: float) -> None:
        if connection.reusable and not self.dropped and len(self.idle) < IDLE_PER_ROUTE:
            connection.idle_since = now
            self.idle.append(connection)
        else:
            connection.abort()

    def drop(self) -> None:
        self.dropped = True
        self.close_idle(float("inf"))

    def close_idle(self, since: float) -> None:
        """Those that have been idle since then, or for longer."""
        stay = [one for one in self.idle if one.reusable and one.idle_since > since]
        for connection in self.idle:
            if connection not in stay:
                connection.abort()
        self.idle = stay


class Wire:
    """The outgoing calls of one node; it belongs to one event loop. `resolver`, and the `clock` (monotonic
    seconds) by which an address stays checked, are for tests to replace. There is no proxy, not even from the
    environment: it would connect for us, unchecked."""

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        resolver: Resolver = system_resolver,
        connect_timeout: timedelta = CONNECT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gate = Gate(policy, resolver)
        self._connect_seconds, self._clock = connect_timeout.total_seconds(), clock
        self._routes: OrderedDict[_Key, _Route] = OrderedDict()
        self._renewals: dict[_Key, asyncio.Task[_Route]] = {}
        self._trust: asyncio.Future[ssl.SSLContext] | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        timeout: timedelta = WHOLE_CALL,  # noqa: ASYNC109 - a timer a call; asyncio.timeout costs five times as much
    ) -> Response:
        """One call, one answer of whatever status; a redirect is an answer too. `timeout` covers name, connection,
        request and the last byte of the answer. A call that is cancelled may still have arrived."""
        if self._closed:
            raise RuntimeError("This wire is closed.")
        until = time.monotonic() + timeout.total_seconds()
        target = read(url)
        request = written(method, target, headers, body)
        route = self._routes.get((target.scheme, target.host, target.port))
        if route is None or route.checked_until <= self._clock():
            route = await self._route_to(target, within=until - time.monotonic())
        try:
            answer = await self._exchange(target, route, request, until)
            return Response(answer.status, Headers(answer.headers), answer.body)
        except Broken as broken:
            kind = broken.kind
        # Here, not in `except`: nothing of this call may become the context of what is raised.
        raise Unreachable(target.host, kind, f"{TEXTS[kind]}.", sent="unknown")

    async def _exchange(self, target: Target, route: _Route, request: bytes, until: float) -> Answer:
        """A kept connection may have been closed by the other side just now: what breaks on one before a byte of the
        answer came is sent again on a new one, as every client does (RFC 9112, 9.3.1), and never a third time: whoever
        reads and resets would get it over each that is kept (RFC 9110, 9.2.2). Receivers drop the repeat, if it is one,
        by the message's identity."""
        again = False
        while True:
            kept = None if again else route.take(time.monotonic())
            connection = kept or await self._connect(target, route)
            try:
                return await connection.exchange(request, max(until - time.monotonic(), 0.001))
            except Broken as broken:
                if kept is None or broken.kind != "reset" or broken.answered:
                    raise
                again = True
            finally:
                route.give_back(connection, time.monotonic())
                if self._sweeping is None:
                    self._sweep_later()

    async def resolve(self, host: str, port: int) -> CheckedAddress:
        """The same gate for other protocols than HTTP."""
        return await self._gate.resolve(host, port)

    async def aclose(self) -> None:
        """No new calls. Running ones end by themselves."""
        self._closed = True
        self._gate.close()
        if self._sweeping:
            self._sweeping.cancel()
        for route in self._routes.values():
            route.drop()
        self._routes.clear()

    # the way to a host

    async def _route_to(self, target: Target, *, within: float) -> _Route:
        """A route whose address was checked just now. Calls that come meanwhile share the work, and it goes on when
        all of them have given up: a name that hangs holds one thread, not one for each call."""
        key = target.scheme, target.host, target.port
        renewal = self._renewals.get(key)
        if renewal is None:
            renewal = self._renewals[key] = asyncio.create_task(self._renew(target))
            renewal.add_done_callback(lambda _: self._renewals.pop(key))
            renewal.add_done_callback(noticed)
        try:
            async with asyncio.timeout(min(RESOLVE_SECONDS, within)):
                return await asyncio.shield(renewal)
        except TimeoutError:
            pass
        raise Unresolvable(target.host, "The name was not resolved in time.")

    async def _renew(self, target: Target) -> _Route:
        key = target.scheme, target.host, target.port
        addresses = await self._gate.checked(target)
        route = self._routes.get(key)
        if route is not None and route.failed:
            addresses = [address for address in addresses if address != route.address] or addresses
        if route is None or route.address not in addresses:
            if route is not None:
                route.drop()
            route = _Route(addresses[0])
        route.failed, route.checked_until = False, self._clock() + CHECKED_FOR_SECONDS
        self._routes[key] = route
        self._routes.move_to_end(key)
        if len(self._routes) > MOST_ROUTES:
            self._routes.popitem(last=False)[1].drop()
        return route

    # connections

    async def _connect(self, target: Target, route: _Route) -> Connection:
        """Raises `Unreachable` with nothing sent."""
        kind: Unreachable.Kind = "connect"
        connection: Connection | None = None
        loop = asyncio.get_running_loop()
        door = socket.socket(socket.AF_INET6 if ":" in route.address else socket.AF_INET, socket.SOCK_STREAM)
        door.setblocking(False)
        try:
            async with asyncio.timeout(self._connect_seconds):
                await loop.sock_connect(door, (route.address, target.port))
                kind = "tls"
                trust = await self._trusted() if target.scheme == "https" else None
                name = target.host if trust else None
                _, connection = await loop.create_connection(Connection, sock=door, ssl=trust, server_hostname=name)
                return connection
        except TimeoutError:
            kind, text = "timeout", "No connection in time."
        except OSError as error:
            text = f"{TEXTS[kind]}{detail_of(error)}."
        finally:
            if connection is None:
                door.close()
        route.failed, route.checked_until = True, 0.0
        raise Unreachable(target.host, kind, text, sent="no")

    async def _trusted(self) -> ssl.SSLContext:
        """What this system trusts, read at the first https call. In a thread: that takes 5 ms and more."""
        if self._trust is None:
            self._trust = asyncio.get_running_loop().run_in_executor(self._gate.threads, _system_trust)
        return await asyncio.shield(self._trust)

    def _sweep_later(self) -> None:
        if not self._closed:
            self._sweeping = asyncio.get_running_loop().call_later(IDLE_SECONDS / 2, self._sweep)

    def _sweep(self) -> None:
        """Close what nobody has used for a while; again as long as anything is open."""
        self._sweeping = None
        since = time.monotonic() - IDLE_SECONDS
        for route in self._routes.values():
            route.close_idle(since)
        if any(route.idle for route in self._routes.values()):
            self._sweep_later()


def _system_trust() -> ssl.SSLContext:
    """OpenSSL's own places: SSL_CERT_FILE and SSL_CERT_DIR, else the system's."""
    trust = ssl.create_default_context()
    places = ssl.get_default_verify_paths()
    if not trust.cert_store_stats()["x509_ca"] and not (places.capath and any(Path(places.capath).iterdir())):
        raise NothingTrusted
    return trust
