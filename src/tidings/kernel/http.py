"""The one way out to the network: every address is checked, then connected to, and nothing else is.

A call is pinned to an address that passed, so a name that answers differently the second time gains nothing. Webhook
tokens live in paths and queries. Nothing that is raised here carries them, not even as `__context__`.
"""

import asyncio
import os
import re
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.exchange import Answer, Broken, Connection
from tidings.kernel.urls import Target, UrlRefused, read_url

CONNECT = timedelta(seconds=5)
WHOLE_CALL = timedelta(seconds=15)
RESOLVE_SECONDS = 5.0
CHECKED_FOR_SECONDS = 60.0
MOST_ROUTES = 256
MOST_LOOKUPS = 256
RESOLVER_THREADS = 8
IDLE_PER_ROUTE = 64  # as many calls as a node keeps open to one host
IDLE_SECONDS = 30.0  # less than the 60 to 75 s of the usual proxies, which would close a connection under us

Resolver = Callable[[str], Sequence[str]]
"""A name to its addresses as text, the preferred one first. It may block; `OSError` when there is no answer."""


class HttpError(Exception):
    """Why there is no answer: a stable code, and a text that names the host at most, so anyone who may see the delivery
    may see it."""

    def __init__(self, host: str, reason: str, text: str) -> None:
        super().__init__(f"{host}: {text}" if host else text)
        self.host, self.reason = host, reason


class AddressRefused(HttpError):
    """Permanent: this URL or host may never be called. Nothing was sent.
    Reasons: url_invalid, scheme, user_info, address_not_allowed."""


class Unresolvable(HttpError):
    """Temporary: the name has no address just now. Nothing was sent. Reason: unresolvable."""

    def __init__(self, host: str, text: str = "The name has no address just now.") -> None:
        super().__init__(host, "unresolvable", text)


class Unreachable(HttpError):
    """Temporary: no connection, or none that lasted; `reason` repeats `kind`. `sent` is "unknown" once the request may
    have arrived, so that another try may repeat it."""

    Kind = Literal["connect", "timeout", "reset", "tls", "protocol"]

    def __init__(self, host: str, kind: Kind, text: str, *, sent: Literal["no", "unknown"]) -> None:
        super().__init__(host, kind, text)
        self.kind, self.sent = kind, sent


class Headers(Mapping[str, str]):
    """Names are case-insensitive; of a repeated one the first counts; a value that is not visible ASCII is left out.
    Read on demand, since most answers are judged by status and body."""

    __slots__ = ("_raw", "_read")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._raw = raw
        self._read: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._read is None:
            self._read = {}
            for name, value in self._raw:
                text = value.decode("latin-1")
                if text.isascii() and text.isprintable():
                    self._read.setdefault(name.decode("latin-1").lower(), text)
        return self._read

    def __getitem__(self, name: str) -> str:
        return self._all()[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class Response(Struct, frozen=True):
    """`body` is the first 64 KiB, as sent: nothing is decompressed."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class CheckedAddress:
    """Connect to `address`; verify TLS by `host`, which is in lower case and in its ASCII form."""

    host: str
    port: int
    address: str


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


def system_resolver(host: str) -> list[str]:
    """`getaddrinfo`: /etc/hosts, DNS, and the order of RFC 6724, which puts an unusable family last."""
    found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


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
        self._policy, self._resolver = policy, resolver
        self._connect_seconds, self._clock = connect_timeout.total_seconds(), clock
        self._routes: OrderedDict[_Key, _Route] = OrderedDict()
        self._renewals: dict[_Key, asyncio.Task[_Route]] = {}
        self._lookups: dict[str, asyncio.Future[Sequence[str]]] = {}
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="tidings-resolver")
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
        target = _read(url)
        request = _written(method, target, headers, body)
        route = self._routes.get((target.scheme, target.host, target.port))
        if route is None or route.checked_until <= self._clock():
            route = await self._route_to(target, within=until - time.monotonic())
        try:
            answer = await self._exchange(target, route, request, until)
            return Response(answer.status, Headers(answer.headers), answer.body)
        except Broken as broken:
            kind = broken.kind
        # Here, not in `except`: nothing of this call may become the context of what is raised.
        raise Unreachable(target.host, kind, f"{_TEXTS[kind]}.", sent="unknown")

    async def _exchange(self, target: Target, route: _Route, request: bytes, until: float) -> Answer:
        """A kept connection may have been closed by the other side just now: what breaks on one before a byte of the
        answer came is sent again on a new one, as every client does (RFC 9112, 9.5). Receivers drop the repeat, if it
        is one, by the message's identity."""
        while True:
            kept = route.take(time.monotonic())
            connection = kept or await self._connect(target, route)
            try:
                return await connection.exchange(request, max(until - time.monotonic(), 0.001))
            except Broken as broken:
                if kept is None or broken.kind != "reset" or broken.answered:
                    raise
            finally:
                route.give_back(connection, time.monotonic())
                if self._sweeping is None:
                    self._sweep_later()

    async def resolve(self, host: str, port: int) -> CheckedAddress:
        """The same gate for other protocols than HTTP."""
        target = _read(f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/")
        if (target.path, target.port) != ("/", port) or "#" in host:
            raise AddressRefused("", "url_invalid", "This is not a host name and a port.")
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                addresses = await self._checked(target)
            return CheckedAddress(target.host, port, addresses[0])
        except TimeoutError:
            pass
        raise Unresolvable(target.host, "The name was not resolved in time.")

    async def aclose(self) -> None:
        """No new calls. Running ones end by themselves."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
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
            renewal.add_done_callback(_noticed)
        try:
            async with asyncio.timeout(min(RESOLVE_SECONDS, within)):
                return await asyncio.shield(renewal)
        except TimeoutError:
            pass
        raise Unresolvable(target.host, "The name was not resolved in time.")

    async def _renew(self, target: Target) -> _Route:
        key = target.scheme, target.host, target.port
        addresses = await self._checked(target)
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

    async def _checked(self, target: Target) -> Sequence[str]:
        """The host's addresses, all of them permitted: one that is not spoils the whole host, since an attacker's name
        may mix a public address with the one he is after."""
        addresses: Sequence[str] = []
        with suppress(OSError):
            addresses = await self._look_up(target.host) if target.is_name else [target.host]
        if not addresses:
            raise Unresolvable(target.host)
        for address in addresses:
            if reason := _refusal(self._policy, address):
                raise AddressRefused(
                    target.host,
                    "address_not_allowed",
                    f"Its address may not be called ({reason}). TIDINGS_ALLOWED_NETWORKS opens private networks.",
                )
        return addresses

    def _look_up(self, host: str) -> asyncio.Future[Sequence[str]]:
        lookup = self._lookups.get(host)
        if lookup is None:
            if len(self._lookups) >= MOST_LOOKUPS:
                raise Unresolvable(host, "Too many names are being looked up just now.")
            lookup = asyncio.get_running_loop().run_in_executor(self._threads, self._resolver, host)
            self._lookups[host] = lookup
            lookup.add_done_callback(lambda _: self._lookups.pop(host))
            lookup.add_done_callback(_noticed)
        return asyncio.shield(lookup)

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
            text = f"{_TEXTS[kind]}{_detail(error)}."
        finally:
            if connection is None:
                door.close()
        route.failed, route.checked_until = True, 0.0
        raise Unreachable(target.host, kind, text, sent="no")

    async def _trusted(self) -> ssl.SSLContext:
        """What this system trusts, read at the first https call. In a thread: that takes 5 ms and more."""
        if self._trust is None:
            self._trust = asyncio.get_running_loop().run_in_executor(self._threads, _system_trust)
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


def _read(url: str) -> Target:
    refused: UrlRefused
    try:
        return read_url(url)
    except UrlRefused as error:
        refused = error
    raise AddressRefused(refused.host, refused.reason, refused.text)


def _noticed(done: asyncio.Future[Any]) -> None:
    """Those who waited may have given up; asyncio would log what failed then as never retrieved."""
    if not done.cancelled():
        done.exception()


def _refusal(policy: AddressPolicy, address: str) -> str | None:
    try:
        return policy.reason(ip_address(address))
    except ValueError:
        return "not_an_address"


_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2


def _written(method: str, target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    """The request as it goes over the wire. Raises ValueError for what would not stay where it belongs."""
    values = "".join(headers.values())
    if not (values.isascii() and (values.isprintable() or not values) and all(map(_is_token, headers))):
        raise ValueError("A header of this request cannot be sent.")
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (_first_lines(method, target), lines.encode(), len(body), body)


@lru_cache(1024)
def _first_lines(method: str, target: Target) -> bytes:
    if not _is_token(method):
        raise ValueError("The method of this request cannot be sent.")
    return f"{method} {target.path} HTTP/1.1\r\nhost: {target.authority}\r\nuser-agent: Tidings\r\n".encode()


@lru_cache(1024)
def _is_token(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


_TEXTS: Mapping[Unreachable.Kind, str] = {
    "connect": "No connection",
    "timeout": "No complete answer in time",
    "reset": "The connection broke before the answer was complete",
    "tls": "No secure connection",
    "protocol": "The answer is not HTTP",
}
# OpenSSL's verdicts (x509_vfy.h) in our words; its own text may quote the certificate: the peer's text.
_CERTIFICATE_TEXTS = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is signed by nobody this system trusts",
    19: "its certificate is signed by nobody this system trusts",
    20: "its certificate is signed by nobody this system trusts",
    21: "its certificate is signed by nobody this system trusts",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}


def _detail(error: OSError) -> str:
    """ ": why", or nothing."""
    if isinstance(error, _NothingTrusted):
        return ": this system has no trusted certificates; SSL_CERT_FILE can name them"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f": {_CERTIFICATE_TEXTS.get(error.verify_code, 'its certificate is not valid')}"
    if isinstance(error, ssl.SSLError) or not error.errno or error.errno < 0:
        return ""
    return f": {os.strerror(error.errno)}"


class _NothingTrusted(OSError):
    pass


def _system_trust() -> ssl.SSLContext:
    """OpenSSL's own places: SSL_CERT_FILE and SSL_CERT_DIR, else the system's."""
    trust = ssl.create_default_context()
    places = ssl.get_default_verify_paths()
    if not trust.cert_store_stats()["x509_ca"] and not (places.capath and any(Path(places.capath).iterdir())):
        raise _NothingTrusted
    return trust
