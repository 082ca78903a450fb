"""Every row is a way in that somebody has tried; the rows that pass keep the table honest."""

from ipaddress import ip_address, ip_network

import pytest

from tidings.kernel.addresses import AddressPolicy, InvalidNetworks, parse_networks

REFUSED = [
    # (address, reason)
    ("0.0.0.0", "this_network"),
    ("0.1.2.3", "this_network"),
    ("10.0.0.1", "private"),
    ("10.255.255.255", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.0.1", "private"),
    ("100.64.0.1", "shared"),
    ("100.100.100.200", "shared"),  # Alibaba Cloud metadata
    ("100.127.255.255", "shared"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("169.254.169.254", "link_local"),  # AWS, Google, Azure metadata
    ("169.254.170.2", "link_local"),  # ECS credentials
    ("192.0.0.192", "ietf_protocol"),  # Oracle Cloud metadata
    ("192.0.2.1", "documentation"),
    ("198.51.100.1", "documentation"),
    ("203.0.113.1", "documentation"),
    ("192.88.99.1", "6to4_relay"),
    ("198.18.0.1", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("168.63.129.16", "cloud_platform"),  # Azure's host
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::ffff:127.0.0.1", "ipv4_mapped"),
    ("::ffff:8.8.8.8", "ipv4_mapped"),
    ("::127.0.0.1", "ipv4_compatible"),
    ("::ffff:0:127.0.0.1", "reserved"),  # IPv4-translated, RFC 2765
    ("64:ff9b::127.0.0.1", "nat64"),
    ("64:ff9b::8.8.8.8", "nat64"),
    ("64:ff9b:1::10.0.0.1", "nat64"),
    ("100::1", "discard"),
    ("100:0:0:1::1", "reserved"),  # dummy prefix, RFC 9780
    ("2001::1", "teredo"),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "teredo"),
    ("2001:2::1", "benchmarking"),
    ("2001:10::1", "orchid"),
    ("2001:20::1", "orchid"),
    ("2001:1::1", "ietf_protocol"),
    ("2001:db8::1", "documentation"),
    ("3fff::1", "documentation"),
    ("2002:7f00:1::", "6to4"),
    ("2002:808:808::1", "6to4"),
    ("5f00::1", "srv6"),
    ("fc00::1", "private"),
    ("fd00:ec2::254", "private"),  # AWS metadata
    ("fd20:ce::254", "private"),  # Google metadata
    ("fe80::1", "link_local"),
    ("fec0::1", "site_local"),
    ("ff02::1", "multicast"),
    ("4000::1", "reserved"),
    ("e000::1", "reserved"),
    ("fe80::1%eth0", "zone_id"),
    ("2606:4700::1%1", "zone_id"),
]
PERMITTED = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:db7::1",
    "2003::1",
    "2400:3200::1",
    "2606:4700:4700::1111",
    "3ffe::1",
]


def permits(allowed: str, address: str) -> bool:
    return AddressPolicy(parse_networks(allowed)).permits(ip_address(address))


@pytest.mark.parametrize(("address", "reason"), [pytest.param(*row, id=f"{row[1]}-{row[0]}") for row in REFUSED])
def test_what_is_not_public_unicast_is_refused_with_its_reason(address: str, reason: str) -> None:
    assert AddressPolicy().reason(ip_address(address)) == reason
    assert not AddressPolicy().permits(ip_address(address))


@pytest.mark.parametrize("address", PERMITTED)
def test_public_unicast_passes(address: str) -> None:
    assert AddressPolicy().permits(ip_address(address))


@pytest.mark.parametrize(
    ("allowed", "address", "passes"),
    [
        pytest.param("10.0.0.0/8", "10.1.2.3", True, id="allowed"),
        pytest.param("10.0.0.0/8", "192.168.0.1", False, id="another private network stays closed"),
        pytest.param("10.0.0.0/8", "::ffff:10.1.2.3", True, id="the IPv4-mapped form goes with it"),
        pytest.param("10.0.0.0/8", "::ffff:8.8.8.8", False, id="other mapped addresses do not"),
        pytest.param("10.0.0.0/8", "::10.1.2.3", False, id="nor the compatible form"),
        pytest.param("10.0.0.0/8", "64:ff9b::10.1.2.3", False, id="nor by way of NAT64"),
        pytest.param("10.0.0.0/8", "2002:a01:203::1", False, id="nor by way of 6to4"),
        pytest.param("64:ff9b::/96", "64:ff9b::8.8.8.8", True, id="NAT64 to a public address"),
        pytest.param("64:ff9b::/96", "64:ff9b::10.1.2.3", False, id="NAT64 to a private address"),
        pytest.param("64:ff9b::/96,10.0.0.0/8", "64:ff9b::10.1.2.3", True, id="NAT64 and the private network"),
        pytest.param("2002::/16", "2002:7f00:1::", False, id="6to4 to loopback"),
        pytest.param("2002::/16", "2002:808:808::", True, id="6to4 to a public address"),
        pytest.param("::/0", "::ffff:10.1.2.3", False, id="all of IPv6 is not all of IPv4"),
        pytest.param("fd00:1::/32", "fd00:1::5", True, id="unique local"),
        pytest.param("fe80::/10", "fe80::1%eth0", False, id="a zone id never passes"),
        pytest.param("127.0.0.1", "127.0.0.1", True, id="one address"),
        pytest.param("127.0.0.1", "127.0.0.2", False, id="one address is not its neighbour"),
    ],
)
def test_the_operator_opens_exactly_what_was_named(allowed: str, address: str, passes: bool) -> None:
    assert permits(allowed, address) is passes


def test_networks_are_read_from_a_comma_separated_list() -> None:
    assert parse_networks("") == ()
    assert parse_networks(" 10.0.0.0/8 , fd00:1::/32,127.0.0.1, ") == (
        ip_network("10.0.0.0/8"),
        ip_network("fd00:1::/32"),
        ip_network("127.0.0.1/32"),
    )


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("10.0.0.1/8", "Write 10.0.0.0/8"),
        ("10.0.0.0/33", "Write for example 10.0.0.0/8"),
        ("10.0.0.0/8;192.168.0.0/16", "Write for example"),
        ("intranet", "Write for example"),
        ("010.0.0.1", "Write for example"),
        ("::ffff:10.0.0.0/104", "Write 10.0.0.0/8, which allows both forms."),
        ("10.0.0.0/8,nonsense", "Write for example"),
        ("10.0.0.0/8 192.168.0.0/16", "Write for example"),
        ("10.0.0.0-10.0.0.9", "Write for example"),
        ("10.*", "Write for example"),
        ("*", "Write for example"),
        ("10.0.0.0/8/8", "Write for example"),
        ("10.0.0.0/-1", "Write for example"),
        ("10.0.0.0/0", "Write 0.0.0.0/0"),
        ("0x0a.0.0.0/8", "Write for example"),
        ("167772160/8", "Write for example"),
        ("１０.0.0.0/8", "Write for example"),
        ("10.0.0.0/８", "Write for example"),
        ("fe80::1%eth0", "Write for example"),
        ("[fd00::]/8", "Write for example"),
        ("localhost", "Write for example"),
        ("http://10.0.0.1", "Write for example"),
    ],
)
def test_a_network_that_cannot_be_read_fails_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(InvalidNetworks) as refused:
        parse_networks(text)
    assert refused.value.hint.startswith(hint)
