"""Nobody reaches what stands behind an installation, whichever field they write an address into and however they spell
it: settings of a tenant, contact points of a person, of every channel there is, those of other packages too.

Each row is put in place of every host that a channel can be told, one at a time. It is refused when it is entered, or at
the try; the vendor's double, which listens on this machine, hears nothing.
"""

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import pytest

from tidings.channels.check import check_values
from tidings.channels.contract import Channel, Parcel, Refused, Sent, TryLater
from tidings.channels.email.channel import EmailChannel
from tidings.channels.memory import LocalMemory
from tidings.channels.testing.smtp_server import MailServer
from tidings.channels.testing.vendor import Vendor
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.http import Wire
from tidings.kernel.http_errors import AddressRefused, Unresolvable
from tidings.kernel.problems import Problem

MakeParcel = Callable[..., Parcel]
THIS_MACHINE = {
    "plainly": ["127.0.0.1", "127.9.9.9", "0.0.0.0", "localhost", "[::1]", "[::]"],
    "short, octal, hexadecimal, decimal": [
        "127.1", "127.0.1", "0177.0.0.1", "0x7f.1", "0x7f000001", "017700000001", "2130706433", "0", "0x", "00", "0x7F.0.0.0x1",
        "127.0.0.01", "0000177.0.0.1", "127.00000.1",
    ],
    "with dots, marks and letters that look the same": [
        "127.0.0.1.", "127。0。0。1", "127．0．0．1", "127｡0｡0｡1", "１２７.0.0.1", "①②⑦.⓪.⓪.①", "𝟏𝟐𝟕.0.0.1", "LocalHost", "localhost.",
        "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "loc\u00adalhost", "local\u200bhost", "ｌｏｃａｌｈｏｓｔ", "ʟocalhost.localhost",
    ],
    "percent-encoded": ["%31%32%37.0.0.1", "127%2e0%2e0%2e1", "%6c%6f%63%61%6c%68%6f%73%74", "127.0.0.1%2f", "127.0.0.1%00", "127.0.0.1%00.example.com"],
    "behind a user": ["ann@127.0.0.1", "example.com@127.0.0.1", "example.com:80@127.0.0.1", "@127.0.0.1", "127.0.0.1:80@localhost"],
    "as two parsers read it": [
        "127.0.0.1\\@example.com", "example.com\\@127.0.0.1", "127.0.0.1#@example.com", "127.0.0.1?@example.com", "127.0.0.1;example.com",
        "127.0.0.1/../@example.com", "\\127.0.0.1", "/127.0.0.1", "127.0.0.1\\.example.com",
    ],
    "with what parsers throw away": ["127.0.0.1\t", "12\n7.0.0.1", "\r127.0.0.1", "local\thost", " 127.0.0.1", "127.0.0.1 ", "127.0.0.1\x00"],
    "in IPv6": [
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::127.0.0.1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1]", "[fe80::1%25lo]", "[fe80::1%lo]", "[::1%251]",
        "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::0:1]", "[0::1]", "::1",
    ],
}  # fmt: skip
ELSEWHERE = {
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "0xa.1", "012.0.0.1", "167772161", "[fc00::1]", "[fd12:3456::1]", "[fec0::1]"],
    "metadata": [
        "169.254.169.254", "169.254.170.2", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.254.43518", "[fd00:ec2::254]", "[fd20:ce::254]",
        "100.100.100.200", "192.0.0.192", "168.63.129.16", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]",
    ],
    "nobody's": [
        "100.64.0.1", "0.0.0.1", "255.255.255.255", "224.0.0.1", "239.255.255.250", "240.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1",
        "203.0.113.1", "192.88.99.1", "[ff02::1]", "[100::1]", "[2001:db8::1]", "[2001:10::1]", "[2001:20::1]", "[2001:2::1]", "[3fff::1]", "[5f00::1]",
        "[4000::1]",
    ],
}  # fmt: skip
ROWS = {
    f"{kind}, {name}": hosts
    for kind, table in (("here", THIS_MACHINE), ("elsewhere", ELSEWHERE))
    for name, hosts in table.items()
}
OURS = ("127.0.0.1", "localhost")


def places(channel: Channel, vendor: Vendor, host: str) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """Every field that says where to, with this host in it instead."""
    for whose, fields, values in (
        ("settings", channel.settings, vendor.settings()),
        ("contact", channel.contact, vendor.contact()),
    ):
        for field in fields:
            value = values.get(field.name)
            if field.kind == "url" and isinstance(value, str):
                read = urlsplit(value)
                port = f":{read.port}" if read.port else ""
                rest = value[len(f"{read.scheme}://{read.netloc}") :]
                yield f"{whose}.{field.name}", {whose: {field.name: f"{read.scheme}://{host}{port}{rest}"}}
            elif value in OURS:
                yield f"{whose}.{field.name}", {whose: {field.name: host}}


def test_every_channel_names_a_place(code: str, channel: Channel, vendor: Vendor) -> None:
    """Or the table would prove nothing of it. A field of type url that the double leaves out is tried with it in place
    of its own address."""
    assert [name for name, _ in places(channel, vendor, "x")]


@pytest.mark.parametrize("spelled", list(ROWS))
async def test_no_spelling_of_any_address_leads_behind_the_installation(
    code: str, spelled: str, channel: Channel, vendor: Vendor, parcel: MakeParcel
) -> None:
    wire = Wire(AddressPolicy())
    got_through = []
    for host in ROWS[spelled]:
        for place, changes in places(channel, vendor, host):
            try:
                outcome: object = await channel.send(parcel(**changes), LocalMemory(wire))
            except (Problem, AddressRefused, Unresolvable) as refused:
                outcome = refused
            if isinstance(outcome, Sent) or (isinstance(outcome, TryLater) and not outcome.technical):
                got_through.append((place, host, outcome))
    await wire.aclose()
    assert got_through == []
    assert vendor.received() == []


async def test_a_name_with_one_bad_address_is_not_called(
    code: str, channel: Channel, vendor: Vendor, parcel: MakeParcel
) -> None:
    for answers in (["93.184.215.14", "127.0.0.1"], ["127.0.0.1", "93.184.215.14"], ["93.184.215.14", "fd00:ec2::254"]):
        wire = Wire(AddressPolicy(), resolver=lambda _, answers=answers: answers)  # type: ignore[misc]
        for _, changes in places(channel, vendor, "mixed.test"):
            try:
                outcome: object = await channel.send(parcel(**changes), LocalMemory(wire))
            except (Problem, AddressRefused):
                continue
            assert isinstance(outcome, Refused) or (isinstance(outcome, TryLater) and outcome.technical)
        await wire.aclose()
    assert vendor.received() == []


async def test_a_name_that_changes_its_mind_is_called_where_it_was_checked(
    code: str, channel: Channel, vendor: Vendor, parcel: MakeParcel
) -> None:
    """Nobody else knows these names: what arrives was connected to the address that was asked for first. At the second
    answer, the same name leads where it may not."""
    asked: list[str] = []

    def resolver(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    wire = Wire(AddressPolicy((ip_network("127.0.0.0/8"),)), resolver=resolver)
    rebound = next(changes for _, changes in places(channel, vendor, "rebind.test") if _leads_here(vendor, changes))
    try:
        outcome = await channel.send(parcel(**rebound), LocalMemory(wire))
        assert isinstance(outcome, Sent), outcome
        assert asked == ["rebind.test"]
        assert len(vendor.received()) == 1
    finally:
        await wire.aclose()


def _leads_here(vendor: Vendor, changes: dict[str, dict[str, Any]]) -> bool:
    """Whether the field that was changed names the double itself."""
    [(whose, fields)] = changes.items()
    values = vendor.settings() if whose == "settings" else vendor.contact()
    return any(ours in str(values[name]) for name in fields for ours in OURS)


async def test_mail_is_submitted_to_the_address_that_was_checked(parcel_to: Callable[[MailServer], Parcel]) -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    async with MailServer() as server:
        wire = Wire(AddressPolicy((ip_network("127.0.0.0/8"),)), resolver=lambda _: answers.pop(0))
        channel = EmailChannel()
        made = parcel_to(server)
        assert isinstance(await channel.send(made, LocalMemory(wire)), Sent)
        await channel.close()
        with pytest.raises(AddressRefused):
            await channel.send(made, LocalMemory(wire))
        await channel.close()
        assert len(server.taken) == 1
        await wire.aclose()


@pytest.fixture
def parcel_to(english: Any) -> Callable[[MailServer], Parcel]:
    def make(server: MailServer) -> Parcel:
        from datetime import UTC, datetime
        from uuid import UUID

        settings = {"host": "mail.test", "port": server.port, "security": "none", "from": "notices@example.com"}
        return Parcel(
            identity=UUID("019a9f5c-2f40-7c31-8a6e-3d5b00000001"),
            document=english,
            contact={"address": "bo@example.com"},
            settings=check_values(EmailChannel.settings, settings, {}),
            now=datetime.now(UTC),
        )

    return make
