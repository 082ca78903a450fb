"""From where a request comes: whom the connection belongs to, or whom the proxies say that we trust.

X-Forwarded-For is read from the right, where each proxy writes whom it heard: as long as the one who wrote is trusted,
the one who is named is believed. What stands further left anybody may have made up.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
_address: ContextVar[str] = ContextVar("address", default="")


def origin(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """The address of whoever sent it, as text; that of the last proxy that can be believed where the next is no
    address. `forwarded_for`: all such headers, in their order, joined by commas."""
    at = _read(peer)
    if at is None or not trusts(peer, trusted):
        return peer
    named = [each.strip() for each in forwarded_for.split(",") if each.strip()]
    while named and _is_in(at, trusted):
        following = _read(named.pop())
        if following is None:
            break
        at = following
    return str(at)


def trusts(peer: str, trusted: Sequence[Network]) -> bool:
    at = _read(peer)
    return at is not None and _is_in(at, trusted)


def scheme_of(forwarded_proto: str) -> str | None:
    """What the nearest proxy says: `https`, `http`, or nothing that can be used."""
    said = forwarded_proto.rpartition(",")[2].strip().lower()
    return said if said in ("http", "https") else None


@contextmanager
def coming_from(address: str) -> Iterator[None]:
    """What is done meanwhile is done for somebody there."""
    before = _address.set(address)
    try:
        yield
    finally:
        _address.reset(before)


def address_of_caller() -> str:
    """Empty when nobody outside asked for it."""
    return _address.get()


def joined(headers: Sequence[tuple[bytes, bytes]], names: Sequence[bytes]) -> Mapping[bytes, str]:
    """Headers that may be repeated, as one."""
    found: dict[bytes, str] = {}
    for name, value in headers:
        if name in names:
            text = value.decode("latin-1")
            found[name] = f"{found[name]},{text}" if name in found else text
    return found


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _read(text: str) -> Address | None:
    """With the port that some proxies add; an IPv4 address in IPv6's clothes is itself."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
