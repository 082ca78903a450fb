"""From where a request comes: a table of what proxies and liars write."""

from ipaddress import ip_network

import pytest

from tidings.kernel.origin import address_of_caller, coming_from, joined, origin, scheme_of

TRUSTED = tuple(map(ip_network, ("10.0.0.0/8", "fd00::/8", "127.0.0.1/32")))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # not a proxy of ours: what it says is its own affair
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),  # made up by the sender, who is 198.51.100.1
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),  # through two of ours
        ("10.0.0.1", "10.9.9.9", "10.9.9.9"),  # somebody inside
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, <script>", "10.0.0.1"),
        ("10.0.0.1", " , ,", "10.0.0.1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_who_is_believed(peer: str, forwarded: str, expected: str) -> None:
    assert origin(peer, forwarded, TRUSTED) == expected


def test_nobody_is_believed_unless_the_operator_says_so() -> None:
    assert origin("127.0.0.1", "198.51.100.1", ()) == "127.0.0.1"


def test_headers_that_are_repeated_are_one() -> None:
    headers = [(b"x-forwarded-for", b"1.1.1.1"), (b"host", b"x"), (b"x-forwarded-for", b"2.2.2.2, 3.3.3.3")]
    assert joined(headers, (b"x-forwarded-for",)) == {b"x-forwarded-for": "1.1.1.1,2.2.2.2, 3.3.3.3"}


def test_a_scheme_is_one_of_two() -> None:
    assert [scheme_of(each) for each in ("https", "HTTPS", "http, https", "javascript", "")] == [
        "https", "https", "https", None, None,
    ]  # fmt: skip


def test_what_is_done_for_nobody_outside_comes_from_nowhere() -> None:
    with coming_from("198.51.100.1"):
        assert address_of_caller() == "198.51.100.1"
    assert address_of_caller() == ""
