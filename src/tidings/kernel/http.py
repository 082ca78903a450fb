"""The one way out to the network: every address is checked, then connected to, and nothing else is.

The host is read with the parser of the library that connects (pyreqwest: Rust's `url`, the WHATWG rules), because two
parsers disagree on who is meant: `http://127.0.0.1\\@example.com/` is example.com to `urllib` and 127.0.0.1 here.
The client is pinned to an address that passed, so a name that answers differently the second time gains nothing.

Webhook tokens live in paths and queries. Nothing that is raised here carries them, not even as `__context__`.
"""

import asyncio
import os
import re
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Literal

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, DetailedPyreqwestError, NetworkError, PyreqwestError
from pyreqwest.http import HeaderMap, Url

from tidings.kernel.addresses import AddressPolicy

CONNECT = timedelta(seconds=5)
WHOLE_CALL = timedelta(seconds=15)
RESOLVE_SECONDS = 5.0
CHECKED_FOR_SECONDS = 60.0
BODY_LIMIT = 64 * 1024
MOST_CLIENTS = 256
MOST_URLS = 1024
MOST_LOOKUPS = 256
RESOLVER_THREADS = 8
IDLE_PER_CLIENT = 64  # as many calls as a node keeps open to one host
IDLE = timedelta(seconds=30)  # less than the 60 to 75 s of the usual proxies, which would close a connection under us
LONGEST_URL = 4096
LONGEST_HOST = 253  # RFC 1035

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
    Read on demand, since most answers are judged by status and body: a dict for each would cost 2 us."""

    __slots__ = ("_map",)

    def __init__(self, headers: HeaderMap) -> None:
        self._map = headers

    def __getitem__(self, name: str) -> str:
        with suppress(ValueError):
            return self._map[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name in dict.fromkeys(self._map) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, slots=True)
class Response:
    """`body` is the first 64 KiB, as sent: nothing is decompressed. `elapsed` is in seconds, with name resolution."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed: float


@dataclass(frozen=True, slots=True)
class CheckedAddress:
    """Connect to `address`; verify TLS by `host`, which is in lower case and in its ASCII form."""

    host: str
    port: int
    address: str


_Key = tuple[str, str, int]
"""Scheme, host, port."""


@dataclass(frozen=True, slots=True)
class _Target:
    """A URL that was read. `url` is kept out of the repr: it holds the token."""

    url: Url = field(repr=False)
    key: _Key
    is_name: bool

    @property
    def host(self) -> str:
        return self.key[1]


@dataclass(slots=True)
class _Route:
    """A client that connects to `address` and nowhere else."""

    address: str
    client: Client
    checked_until: float
    failed: bool = False


def system_resolver(host: str) -> list[str]:
    """`getaddrinfo`: /etc/hosts, DNS, and the order of RFC 6724, which puts an unusable family last."""
    found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class Wire:
    """The outgoing calls of one node. It belongs to one event loop; make it after any fork, which its library does not
    survive. `resolver` and `clock` (monotonic seconds) are for tests to replace."""

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        resolver: Resolver = system_resolver,
        connect_timeout: timedelta = CONNECT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy, self._resolver = policy, resolver
        self._connect_timeout, self._clock = connect_timeout, clock
        self._routes: OrderedDict[_Key, _Route] = OrderedDict()
        self._renewals: dict[_Key, asyncio.Task[_Route]] = {}
        self._lookups: dict[str, asyncio.Future[Sequence[str]]] = {}
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="tidings-resolver")

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        timeout: timedelta = WHOLE_CALL,  # noqa: ASYNC109 - kept by the library; asyncio.timeout costs 5 us more
    ) -> Response:
        """One call, one answer of whatever status; a redirect is an answer too. `timeout` covers name, connection,
        request and the last byte of the answer. Cancelling only stops the waiting: the request may still arrive."""
        started = time.perf_counter()
        target = _read(url)
        route = self._routes.get(target.key)
        if route is None or route.checked_until <= self._clock():
            route = await self._route_to(target, within=timeout)
            timeout = max(timeout - timedelta(seconds=time.perf_counter() - started), timedelta(milliseconds=1))
        else:
            self._routes.move_to_end(target.key)
        try:
            call = route.client.request(method, target.url).headers(headers).body_bytes(body).timeout(timeout)
            async with call.build_streamed() as answer:
                content = await answer.body_reader.read(BODY_LIMIT)
                return Response(
                    answer.status,
                    Headers(answer.headers),
                    b"" if content is None else content.to_bytes(),
                    time.perf_counter() - started,
                )
        except PyreqwestError as error:
            failure: Exception = _failure(error, target.host)
        except ValueError:
            failure = ValueError("The method or a header of this request cannot be sent.")
        if isinstance(failure, Unreachable) and failure.sent == "no":
            route.failed, route.checked_until = True, 0.0
        raise failure  # here, not in `except`: the library's error holds the URL and would become the context

    async def resolve(self, host: str, port: int) -> CheckedAddress:
        """The same gate for other protocols than HTTP."""
        target = _read(f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/")
        url = target.url
        if (url.path, url.query_string, url.fragment, url.port_or_known_default) != ("/", None, None, port):
            raise AddressRefused("", "url_invalid", "This is not a host name and a port.")
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                addresses = await self._checked(target)
            return CheckedAddress(target.host, port, addresses[0])
        except TimeoutError:
            pass
        raise Unresolvable(target.host, "The name was not resolved in time.")

    async def aclose(self) -> None:
        """No new calls. Running ones end by themselves: each holds on to its client."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._routes.clear()

    async def _route_to(self, target: _Target, *, within: timedelta) -> _Route:
        """A route whose address was checked just now. Calls that come meanwhile share the work, and it goes on when
        all of them have given up: a name that hangs holds one thread, not one for each call."""
        renewal = self._renewals.get(target.key)
        if renewal is None:
            renewal = self._renewals[target.key] = asyncio.create_task(self._renew(target))
            renewal.add_done_callback(lambda _: self._renewals.pop(target.key))
            renewal.add_done_callback(_noticed)
        try:
            async with asyncio.timeout(min(RESOLVE_SECONDS, within.total_seconds())):
                return await asyncio.shield(renewal)
        except TimeoutError:
            pass
        raise Unresolvable(target.host, "The name was not resolved in time.")

    async def _renew(self, target: _Target) -> _Route:
        addresses = await self._checked(target)
        route = self._routes.get(target.key)
        if route is not None and route.failed:  # give another of its addresses a try
            addresses = [address for address in addresses if address != route.address] or addresses
        if route is None or route.address not in addresses:
            # In a thread: reading the system's certificates takes 5 ms.
            build = asyncio.get_running_loop().run_in_executor
            client = await build(self._threads, _pinned_client, target.key, addresses[0], self._connect_timeout)
            route = _Route(addresses[0], client, 0.0)
        route.failed, route.checked_until = False, self._clock() + CHECKED_FOR_SECONDS
        self._routes[target.key] = route
        self._routes.move_to_end(target.key)
        if len(self._routes) > MOST_CLIENTS:
            # Dropped, not closed: `close()` would end the calls that still run. The last of them takes the client and
            # its idle connections along.
            self._routes.popitem(last=False)
        return route

    async def _checked(self, target: _Target) -> Sequence[str]:
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


@lru_cache(MOST_URLS)
def _read(url: str) -> _Target:
    """Parsed once, since most calls repeat a URL; the parser takes 1 us, the checks as much again."""
    parsed = _parsed(url)
    if parsed is None:
        raise AddressRefused("", "url_invalid", "This URL cannot be read.")
    host, port = parsed.host_str, parsed.port_or_known_default
    if parsed.scheme not in ("http", "https"):
        raise AddressRefused("", "scheme", "Only http and https can be called.")
    if host is None or port is None or len(host) > LONGEST_HOST:
        raise AddressRefused("", "url_invalid", "This URL names no usable host.")
    if parsed.username or parsed.password is not None:
        raise AddressRefused(host, "user_info", "A user name or password in a URL is not accepted; use a header.")
    return _Target(parsed, (parsed.scheme, host.strip("[]"), port), is_name=parsed.domain is not None)


def _parsed(url: str) -> Url | None:
    try:
        return Url(url) if len(url) <= LONGEST_URL else None
    except ValueError:
        return None


def _noticed(done: asyncio.Future[Any]) -> None:
    """Those who waited may have given up; asyncio would log what failed then as never retrieved."""
    if not done.cancelled():
        done.exception()


def _refusal(policy: AddressPolicy, address: str) -> str | None:
    try:
        return policy.reason(ip_address(address))
    except ValueError:
        return "not_an_address"


def _pinned_client(key: _Key, address: str, connect_timeout: timedelta) -> Client:
    scheme, host, port = key
    builder = (
        ClientBuilder()
        .no_proxy()  # not even from the environment: a proxy would connect for us, unchecked
        .follow_redirects(False)
        .gzip(False)  # nor any other: 64 KiB of answer must not become gigabytes
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .user_agent("Tidings")
        .connect_timeout(connect_timeout)
        .pool_max_idle_per_host(IDLE_PER_CLIENT)
        .pool_idle_timeout(IDLE)
        .resolve(host, address, port)
    )
    if scheme == "http":
        # This client meets plain http URLs only and follows no redirect, so it never sees a certificate. Without this
        # it would read the system's anyway (5 ms, 120 KiB) and fail on a machine that has none.
        builder = builder.danger_accept_invalid_certs(True)
    try:
        return builder.build()
    except BuilderError:
        pass
    raise Unreachable(host, "tls", "This system has no trusted certificates; SSL_CERT_FILE can name them.", sent="no")


_CONNECTING = "client error (Connect)"  # hyper-util's words while it connects and shakes hands
_TRUNCATED = "end of file before message length reached"  # hyper's words for a body that ends too early

_TEXTS: Mapping[Unreachable.Kind, str] = {
    "connect": "No connection",
    "timeout": "No complete answer in time",
    "reset": "The connection broke before the answer was complete",
    "tls": "No secure connection",
    "protocol": "The answer is not HTTP",
}
_CERTIFICATE_TEXTS = {  # rustls's words to ours, first match wins; its own may quote the certificate: the peer's text
    "UnknownIssuer": "its certificate is signed by nobody this system trusts",
    "not valid for name": "its certificate is for another name",
    "certificate expired": "its certificate has expired",
    "certificate not valid yet": "its certificate is not valid yet",
    "invalid peer certificate": "its certificate is not valid",
}


def _failure(error: PyreqwestError, host: str) -> HttpError:
    """The library's error in our words: its own repeat the URL."""
    if isinstance(error, BuilderError):  # legal for the WHATWG, not for RFC 3986: `http://a"b/`
        return AddressRefused(host, "url_invalid", "This URL cannot be sent.")
    causes = error.details["causes"] if isinstance(error, DetailedPyreqwestError) else None
    said = [cause["message"] for cause in causes or ()][1:]  # the first of them quotes the URL
    connecting = _CONNECTING in said
    kind = _kind(error, said, connecting=connecting)
    text = "No connection in time" if connecting and kind == "timeout" else _TEXTS[kind]
    detail = next(filter(None, map(_detail, said)), "")
    return Unreachable(host, kind, f"{text}{detail and ': '}{detail}.", sent="no" if connecting else "unknown")


def _kind(error: PyreqwestError, said: Sequence[str], *, connecting: bool) -> Unreachable.Kind:
    if isinstance(error, TimeoutError):
        return "timeout"
    if connecting:
        return "connect" if any(words.startswith(("tcp ", "dns ")) for words in said) else "tls"
    if isinstance(error, NetworkError) or _TRUNCATED in said:
        return "reset"
    return "protocol"


def _detail(words: str) -> str:
    if found := re.search(r"\(os error (\d{1,4})\)$", words):
        return os.strerror(int(found[1]))
    return next((ours for theirs, ours in _CERTIFICATE_TEXTS.items() if theirs in words), "")
