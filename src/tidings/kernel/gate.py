"""Which addresses a host may be called at: every one is checked, and what is called is one that passed."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.http_errors import AddressRefused, Unresolvable
from tidings.kernel.urls import Target, UrlRefused, read_url

RESOLVE_SECONDS = 5.0
MOST_LOOKUPS = 256
RESOLVER_THREADS = 8

Resolver = Callable[[str], Sequence[str]]
"""A name to its addresses as text, the preferred one first. It may block; `OSError` when there is no answer."""


@dataclass(frozen=True, slots=True)
class CheckedAddress:
    """Connect to `address`; verify TLS by `host`, which is in lower case and in its ASCII form."""

    host: str
    port: int
    address: str


def system_resolver(host: str) -> list[str]:
    """`getaddrinfo`: /etc/hosts, DNS, and the order of RFC 6724, which puts an unusable family last."""
    found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class Gate:
    """Names are resolved on threads of its own, so that one that hangs holds a thread and not the loop's."""

    def __init__(self, policy: AddressPolicy, resolver: Resolver = system_resolver) -> None:
        self._policy, self._resolver = policy, resolver
        self._lookups: dict[str, asyncio.Future[Sequence[str]]] = {}
        self.threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="tidings-resolver")

    async def resolve(self, host: str, port: int) -> CheckedAddress:
        """For other protocols than HTTP. Raises `AddressRefused`, `Unresolvable`."""
        target = read(f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/")
        if (target.path, target.port) != ("/", port) or "#" in host:
            raise AddressRefused("", "url_invalid", "This is not a host name and a port.")
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                addresses = await self.checked(target)
            return CheckedAddress(target.host, port, addresses[0])
        except TimeoutError:
            pass
        raise Unresolvable(target.host, "The name was not resolved in time.")

    async def checked(self, target: Target) -> Sequence[str]:
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
            lookup = asyncio.get_running_loop().run_in_executor(self.threads, self._resolver, host)
            self._lookups[host] = lookup
            lookup.add_done_callback(lambda _: self._lookups.pop(host))
            lookup.add_done_callback(noticed)
        return asyncio.shield(lookup)

    def close(self) -> None:
        self.threads.shutdown(wait=False, cancel_futures=True)


def read(url: str) -> Target:
    """Raises `AddressRefused`, with nothing of the URL, not even as its context."""
    refused: UrlRefused
    try:
        return read_url(url)
    except UrlRefused as error:
        refused = error
    raise AddressRefused(refused.host, refused.reason, refused.text)


def noticed(done: asyncio.Future[Any]) -> None:
    """Those who waited may have given up; asyncio would log what failed then as never retrieved."""
    if not done.cancelled():
        done.exception()


def _refusal(policy: AddressPolicy, address: str) -> str | None:
    try:
        return policy.reason(ip_address(address))
    except ValueError:
        return "not_an_address"
