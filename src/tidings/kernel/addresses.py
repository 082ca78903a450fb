"""Where outgoing calls may go. Pure: an address comes in, a reason to refuse it or None comes out.

Only public unicast addresses pass, so that nobody who may enter a webhook URL can reach the machines behind the
installation (server-side request forgery). The operator opens private networks with `TIDINGS_ALLOWED_NETWORKS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The special-purpose registries, first match wins:
# https://www.iana.org/assignments/iana-ipv4-special-registry and .../iana-ipv6-special-registry
_REFUSED_V4: Sequence[tuple[IPv4Network, str]] = [
    (IPv4Network("0.0.0.0/8"), "this_network"),  # RFC 791: Linux connects 0.0.0.0 to itself
    (IPv4Network("10.0.0.0/8"), "private"),  # RFC 1918
    (IPv4Network("172.16.0.0/12"), "private"),  # RFC 1918
    (IPv4Network("192.168.0.0/16"), "private"),  # RFC 1918
    (IPv4Network("100.64.0.0/10"), "shared"),  # RFC 6598 (carrier NAT); Alibaba Cloud's metadata is 100.100.100.200
    (IPv4Network("127.0.0.0/8"), "loopback"),  # RFC 1122
    (IPv4Network("169.254.0.0/16"), "link_local"),  # RFC 3927; 169.254.169.254 is cloud metadata
    (IPv4Network("192.0.0.0/24"), "ietf_protocol"),  # RFC 6890; 192.0.0.192 is Oracle Cloud's metadata
    (IPv4Network("192.0.2.0/24"), "documentation"),  # RFC 5737
    (IPv4Network("198.51.100.0/24"), "documentation"),  # RFC 5737
    (IPv4Network("203.0.113.0/24"), "documentation"),  # RFC 5737
    (IPv4Network("192.88.99.0/24"), "6to4_relay"),  # RFC 7526
    (IPv4Network("198.18.0.0/15"), "benchmarking"),  # RFC 2544
    (IPv4Network("224.0.0.0/4"), "multicast"),  # RFC 5771
    (IPv4Network("255.255.255.255/32"), "broadcast"),  # RFC 919
    (IPv4Network("240.0.0.0/4"), "reserved"),  # RFC 1112
    # Public by number, but answered by the host of every Azure machine:
    # https://learn.microsoft.com/en-us/azure/virtual-network/what-is-ip-address-168-63-129-16
    (IPv4Network("168.63.129.16/32"), "cloud_platform"),
]

_MAPPED = IPv6Network("::ffff:0:0/96")  # RFC 4291, 2.5.5.2
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_6TO4 = IPv6Network("2002::/16")  # RFC 3056

_REFUSED_V6: Sequence[tuple[IPv6Network, str]] = [
    (IPv6Network("::/128"), "unspecified"),  # RFC 4291
    (IPv6Network("::1/128"), "loopback"),  # RFC 4291
    (_MAPPED, "ipv4_mapped"),
    (IPv6Network("::/96"), "ipv4_compatible"),  # RFC 4291, 2.5.5.1
    (_NAT64, "nat64"),
    (IPv6Network("64:ff9b:1::/48"), "nat64"),  # RFC 8215
    (IPv6Network("100::/64"), "discard"),  # RFC 6666
    (IPv6Network("2001::/32"), "teredo"),  # RFC 4380
    (IPv6Network("2001:2::/48"), "benchmarking"),  # RFC 5180
    (IPv6Network("2001:10::/28"), "orchid"),  # RFC 4843
    (IPv6Network("2001:20::/28"), "orchid"),  # RFC 7343
    (IPv6Network("2001::/23"), "ietf_protocol"),  # RFC 2928
    (IPv6Network("2001:db8::/32"), "documentation"),  # RFC 3849
    (IPv6Network("3fff::/20"), "documentation"),  # RFC 9637
    (_6TO4, "6to4"),
    (IPv6Network("5f00::/16"), "srv6"),  # RFC 9602
    (IPv6Network("fc00::/7"), "private"),  # RFC 4193
    (IPv6Network("fe80::/10"), "link_local"),  # RFC 4291
    (IPv6Network("fec0::/10"), "site_local"),  # RFC 3879
    (IPv6Network("ff00::/8"), "multicast"),  # RFC 4291
]
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")  # all that IANA has opened: RFC 4291, 2.4


class InvalidNetworks(ValueError):
    """The list of networks cannot be used; `hint` says what to write instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.message, self.hint = message, hint


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Public unicast, and what the operator allows besides. An allowed IPv4 network also stands for its IPv4-mapped
    form; in an allowed translation prefix (NAT64, 6to4) the IPv4 address inside must pass by itself too."""

    allowed: Sequence[Network] = ()

    def permits(self, address: Address) -> bool:
        return self.reason(address) is None

    def reason(self, address: Address) -> str | None:
        """Why this address is refused, as a stable code; None: it may be called."""
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            return "zone_id"
        inside = _embedded(address)
        if self._allows(address):
            return None if inside is None else self.reason(inside)
        if inside is not None and address in _MAPPED and self._allows(inside):
            return None
        return _refusal(address)

    def _allows(self, address: Address) -> bool:
        return any(address in network for network in self.allowed)


def parse_networks(text: str) -> tuple[Network, ...]:
    """The networks of `TIDINGS_ALLOWED_NETWORKS`: comma separated, `10.0.0.0/8, fd00:1234::/32`."""
    return tuple(_network(part.strip()) for part in text.split(",") if part.strip())


def _network(text: str) -> Network:
    try:
        # A zone would be read, and open nothing: an address with one never passes.
        network = ip_network(text.replace("%", "/no zone/"), strict=False)
    except ValueError:
        raise InvalidNetworks(
            f"{text!r} is not a network.", "Write for example 10.0.0.0/8 or fd00:1234::/32."
        ) from None
    if "/" in text and network.network_address != ip_network(text.partition("/")[0]).network_address:
        raise InvalidNetworks(f"{text!r} has host bits set.", f"Write {network}, or one address without a slash.")
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        v4 = f"{_last_v4(network.network_address)}/{network.prefixlen - 96}"
        raise InvalidNetworks(f"{text!r} is IPv4 in IPv6 clothes.", f"Write {v4}, which allows both forms.")
    return network


def _refusal(address: Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((reason for network, reason in _REFUSED_V4 if address in network), None)
    refused = next((reason for network, reason in _REFUSED_V6 if address in network), None)
    return refused or (None if address in _GLOBAL_UNICAST_V6 else "reserved")


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that a packet to this IPv6 address is really for."""
    if isinstance(address, IPv4Address):
        return None
    if address in _6TO4:
        return address.sixtofour
    if address in _MAPPED or address in _NAT64:
        return _last_v4(address)
    return None


def _last_v4(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)
