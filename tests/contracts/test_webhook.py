"""What only a webhook promises: Standard Webhooks, to the letter."""

import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tidings.channels.answer import retry_after, said
from tidings.channels.check import MASK, check_values, checked_url
from tidings.channels.contract import InvalidField, Parcel, Sent, TryLater
from tidings.channels.registry import channel
from tidings.channels.testing.webhook_receiver import Reply, WebhookReceiver
from tidings.channels.webhook.payload import MAX_BYTES, payload
from tidings.channels.webhook.signature import checked_secret, new_secret, signed
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.http import Wire
from tidings.kernel.http_errors import Unreachable
from tidings.kernel.problems import Problem
from tidings.messages.document import Document, Fact

IDENTITY = UUID("019a9f5c-2f40-7c31-8a6e-3d5b00000001")
WEBHOOK = channel("webhook")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYq="


def parcel(document: Document, url: str, **contact: Any) -> Parcel:
    return Parcel(IDENTITY, document, {"url": url, "secret": SECRET} | contact, {}, datetime.now(UTC))


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver(SECRET) as receiver:
        yield receiver


# the signature


def test_the_reference_library_accepts_the_signature_and_nothing_else_does(english: Document) -> None:
    body = payload(english)
    headers = signed(IDENTITY, datetime.now(UTC), body, {"secret": SECRET})
    assert headers["webhook-id"] == "msg_019a9f5c2f407c318a6e3d5b00000001"
    assert Webhook(SECRET).verify(body, headers) == json.loads(body)
    for wrong in (body.replace(b"orders", b"orders "), b" " + body):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(wrong, headers)
    for changed in ({"webhook-id": "msg_0"}, {"webhook-timestamp": str(int(time.time()) + 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(body, headers | changed)


def test_the_signature_is_the_one_of_the_specification() -> None:
    # Worked out with openssl: printf '%s' 'msg_...3d5b00000001.1700000000.{}' | openssl dgst -sha256 -mac HMAC ...
    made = signed(IDENTITY, datetime.fromtimestamp(1_700_000_000.9, UTC), b"{}", {"secret": SECRET})
    assert made == {
        "webhook-id": "msg_019a9f5c2f407c318a6e3d5b00000001",
        "webhook-timestamp": "1700000000",
        "webhook-signature": "v1,DIdA8vm9ycjxQDyQf9ogNeOI/FIC5oIanBMztM1RarY=",
    }


def test_while_a_secret_is_replaced_receivers_with_either_are_satisfied(english: Document) -> None:
    old, new = new_secret(), new_secret()
    body = payload(english)
    headers = signed(IDENTITY, datetime.now(UTC), body, {"secret": new, "previous_secret": old})
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (old, new):
        Webhook(secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("my-secret-password", 'must be "whsec_" followed by'),
        ("whsec_my-secret!", "not base64"),
        ("whsec_c2hvcnQ=", "base64 of 5 bytes"),
        ("whsec_" + "QUJD" * 22, "base64 of 66 bytes"),
        ("whsec_", "base64 of 0 bytes"),
        ("WHSEC_" + "QUJD" * 10, 'must be "whsec_" followed by'),
    ],
)
def test_a_secret_that_others_would_read_differently_is_refused_with_what_to_do(secret: str, told: str) -> None:
    with pytest.raises(InvalidField, match=told) as raised:
        checked_secret(secret)
    assert secret.removeprefix("whsec_") not in str(raised.value).replace('"whsec_"', "") or not secret[6:]


def test_a_secret_is_made_where_none_is_given_and_kept_where_one_is() -> None:
    first = check_values(WEBHOOK.contact, {"url": "https://hooks.example.com/x"}, {})
    assert checked_secret(str(first["secret"])) == first["secret"]
    again = check_values(WEBHOOK.contact, {"url": "https://hooks.example.com/y", "secret": MASK}, first)
    assert again["secret"] == first["secret"]
    assert "previous_secret" not in again
    new = check_values(WEBHOOK.contact, {"url": "https://hooks.example.com/y", "secret": None}, first)
    assert new["secret"] != first["secret"]


async def test_nothing_leaves_unsigned(english: Document, receiver: WebhookReceiver, wire: Wire) -> None:
    for contact in ({"secret": None}, {"secret": "plain text"}, {"secret": "whsec_c2hvcnQ="}):
        outcome = await WEBHOOK.send(parcel(english, receiver.url(), **contact), wire)
        assert outcome == TryLater("secret_unusable", technical=True)
    assert not receiver.arrivals
    assert not receiver.complaints


async def test_a_receiver_with_another_secret_refuses(english: Document, wire: Wire) -> None:
    async with WebhookReceiver(new_secret()) as other:
        outcome = await WEBHOOK.send(parcel(english, other.url()), wire)
    assert isinstance(outcome, TryLater)
    assert outcome.reason == "receiver_denied"
    assert other.complaints == ["signature: No matching signature found"]


# the address


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "javascript:alert(1)", "//example.com/", "example.com", "", "https://",
        "https://user@example.com/", "https://user:pass@example.com/", "https://:p@example.com/", "http://example.com:0/",
        "http://127.0.0.1\\@example.com/", "https://example.com/a b", "https://example.com/\r\nX: y", "http://exa\x00mple.com/",
        "https://example.com/" + "a" * 2_000, "http://[::1/", "http://example.com:99999/", 5, True, ["https://example.com"],
    ],
)  # fmt: skip
def test_an_unusable_url_is_refused_with_what_to_do(url: Any) -> None:
    with pytest.raises(Problem) as raised:
        check_values(WEBHOOK.contact, {"url": url}, {})
    [problem] = raised.value.errors
    assert problem["field"] == "url"
    assert "pass" not in problem["problem"].replace("user name or password", "")


def test_a_usable_url_is_stored_as_the_client_reads_it() -> None:
    assert checked_url("HTTPS://Hooks.Example.com:443/a/../b?c=d#e") == "https://hooks.example.com/b?c=d"
    assert checked_url("http://例子.测试/工单") == "http://xn--fsqu00a.xn--0zwm56d/%E5%B7%A5%E5%8D%95"
    assert checked_url("http://[::1]:8080/") == "http://[::1]:8080/"


def test_the_lane_is_host_and_port_and_the_path_is_not_shown() -> None:
    for url, destination, shown in (
        ("https://hooks.example.com/secret-path?x=1", "hooks.example.com:443", "https://hooks.example.com/…"),
        ("http://10.0.0.7:9000/", "10.0.0.7:9000", "http://10.0.0.7:9000/"),
        ("http://[::1]:9000/x", "[::1]:9000", "http://[::1]:9000/…"),
    ):
        assert WEBHOOK.destination({"url": url}, {}) == destination
        assert WEBHOOK.address({"url": url}) == shown


# the payload


def test_the_payload_is_small_valid_and_has_no_more_members_than_it_says(english: Document) -> None:
    body = payload(english)
    decoded = json.loads(body)
    assert len(body) < 2_000
    assert list(decoded) == ["type", "timestamp", "data"]
    assert decoded["timestamp"] == "2026-11-23T10:00:00Z"
    assert list(decoded["data"]) == [
        "event_id", "recipient", "language", "feature", "event", "subject", "headline", "todo", "why", "because",
        "facts", "resources",
    ]  # fmt: skip
    assert decoded["data"]["because"] == [
        {"role": "approver", "of": None},
        {"role": "instance_dba", "of": "rm-orders"},
    ]


@pytest.mark.parametrize("character", ["a", "工", "\x01", "🚀", '"', "\\"])
def test_no_event_is_too_large(english: Document, character: str) -> None:
    for length in (10, 100, 1_000, 10_000, 100_000):
        text = character * length
        occasion = replace(english.occasion, title=text, resources=(text,) * 100, subject_id="8" * 200)
        occasion = replace(occasion, url="https://dms.example.com/" + "a" * 3_000, event_labels={"en": text})
        reader = replace(english.reader, login="x" * 100, because=[("dba", text)] * 100)
        body = payload(
            replace(
                english,
                occasion=occasion,
                reader=reader,
                headline=text,
                todo=text,
                why=text,
                earlier=text,
                facts=(Fact(text, text, text),) * 100,
            )
        )
        assert len(body) < MAX_BYTES
        data = json.loads(body)["data"]
        assert data["subject"]["id"] == "8" * 200
        assert data.get("cut", False) == ("…" in body.decode())


async def test_building_and_signing_costs_little(english: Document) -> None:
    """The aim is 25 us (measured 11 us on a quiet 2-core machine); the bound leaves room for a busy one."""
    now, contact = datetime.now(UTC), {"secret": SECRET}
    rounds = []
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(100):
            signed(IDENTITY, now, payload(english), contact)
        rounds.append((time.perf_counter() - started) / 100)
    assert min(rounds) < 100e-6


# the answer


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None), ("", None), ("0", 0), (" 30 ", 30), ("99999999999999999999", 21600), ("-1", None), ("1.5", None),
        ("1e3", None), ("٣", None), ("Mon, 23 Nov 2026 10:05:00 GMT", 300), ("Mon, 23 Nov 2026 10:05:00", 300),
        ("Mon, 23 Nov 2026 09:00:00 GMT", None), ("Mon, 23 Nov 2099 09:00:00 GMT", 21600), ("garbage", None),
        ("Mon, 99 Nov 2026 09:00:00 GMT", None), ("Mon, 23 Nov 99999999 09:00:00 GMT", None), ("\x00", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date_or_nothing(value: str | None, seconds: int | None) -> None:
    now = datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert retry_after(value, now) == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("words", "hide", "shown"),
    [
        (b"", (), "500"),
        (b"  no\r\n\x00\x1b[31mroom ", (), "500 no [31mroom"),
        (b"\xff\xfe", (), "500 \ufffd\ufffd"),
        ("key ABCdef123 is Abcdef123", ("abcDEF123",), "500 key … is …"),
        ("a.b.c", ("a.b",), "500 a.b.c"),
        ("x" * 300, (), "500 " + "x" * 199 + "…"),
        ("y" * 195 + " secret-9", ("secret-9",), "500 " + "y" * 195 + " …"),
        ("pre-secret-post secret", ("secret", "pre-secret-post"), "500 … …"),
        ("unknown token S3CRETTOKENabcdefghi", ("/in/S3CRETTOKENabcdefghijkl",), "500 unknown token …"),
        ("token S3CRETTO…, CRETTOK", ("S3CRETTOKENabcdefghijkl",), "500 token ……, CRETTOK"),
        ("/in?token=abc&amp;key=def1234567 ?", ("/in?token=abc&key=def1234567",), "500 … ?"),
        (r"{'path':'\/in\/abcdefgh1234'}", ("/in/abcdefgh1234",), r"500 {'path':'\/in\…'}"),
        ("İstanbul, SECRET-SECRET", ("secret-secret",), "500 İstanbul, …"),
        ("x" * 5_000 + "secret-secret", ("secret-secret",), "500 " + "x" * 199 + "…"),
        ("&lt;b&gt;", (), "500 <b>"),
    ],
)
def test_a_vendors_words_are_one_short_clean_line_without_ours(words: Any, hide: Any, shown: str) -> None:
    assert said(500, words, hide=hide) == shown


def test_an_address_is_hidden_where_it_stands_whole_and_its_domain_is_not() -> None:
    words = "<Bo@example.com>: no such user at mx.example.com, bo@example.co"
    assert said(550, words, whole=["bo@example.com"]) == "550 <…>: no such user at mx.example.com, bo@example.co"


async def test_what_a_receiver_echoes_of_its_own_address_is_in_no_record(
    english: Document, receiver: WebhookReceiver, wire: Wire
) -> None:
    path = "/in?token=S3CRETTOKENabcdefghijkl&key=def1234567"
    receiver.script[path] = [
        Reply(401, b"<p>Cannot POST /in?token=S3CRETTOKENabcdefghijkl&amp;key=def1234567</p>"),
        Reply(401, b"unknown token S3CRETTOKENabcdefghi"),
        Reply(401, b"unknown key def1234567"),
    ]
    words = [(await WEBHOOK.send(parcel(english, receiver.url(path)), wire)).said for _ in range(3)]
    assert words == ["401 <p>Cannot POST …</p>", "401 unknown token …", "401 unknown key …"]


@dataclass
class Trouble:
    reply: Reply
    kind: str


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(Reply(manner="reset"), "reset"),
        Trouble(Reply(manner="garbage"), "protocol"),
        Trouble(Reply(manner="half"), "reset"),
        Trouble(Reply(manner="endless_head"), "protocol"),
        Trouble(Reply(manner="drip_body", body=b"x" * 1000), "timeout"),
        Trouble(Reply(manner="hang"), "timeout"),
        Trouble(Reply(manner="drip", body=b"x" * 1000), "timeout"),
    ],
    ids=lambda trouble: trouble.reply.manner,
)
async def test_what_is_no_answer_is_left_to_the_engine(
    trouble: Trouble, english: Document, receiver: WebhookReceiver, wire: Wire
) -> None:
    """The engine turns these into outcomes, once for all channels."""
    receiver.script["/"] = [trouble.reply]

    class Hasty(Wire):
        async def request(self, *args: Any, **more: Any) -> Any:
            return await super().request(*args, **more, timeout=timedelta(seconds=0.7))

    hasty = Hasty(AddressPolicy((ip_network("127.0.0.0/8"),)))
    with pytest.raises(Unreachable) as raised:
        await WEBHOOK.send(parcel(english, receiver.url()), hasty)
    assert (raised.value.kind, raised.value.sent) == (trouble.kind, "unknown")
    await hasty.aclose()
    assert len(receiver.arrivals) == 1


async def test_the_receiver_follows_its_script_and_counts_attempts(
    english: Document, receiver: WebhookReceiver, wire: Wire
) -> None:
    receiver.script["/bo"] = [Reply(503), Reply(429, headers={"retry-after": "1"}), Reply(200)]
    outcomes = [await WEBHOOK.send(parcel(english, receiver.url("/bo")), wire) for _ in range(4)]
    assert [type(outcome) for outcome in outcomes] == [TryLater, TryLater, Sent, Sent]
    assert [arrival.attempt for arrival in await receiver.arrived(4)] == [1, 2, 3, 4]
    assert len({arrival.identity for arrival in receiver.arrivals}) == 1


async def test_it_works_on_uvloop_too(english: Document) -> None:
    """Nodes run on uvloop."""
    assert await _on_uvloop(_one_message, english) == "200 ok"


async def _one_message(english: Document) -> str:
    from ipaddress import ip_network

    wire = Wire(AddressPolicy((ip_network("127.0.0.0/8"),)))
    async with WebhookReceiver(SECRET) as receiver:
        outcome = await WEBHOOK.send(parcel(english, receiver.url()), wire)
    await wire.aclose()
    return outcome.said


async def _on_uvloop(act: Callable[..., Any], *arguments: Any) -> Any:
    import asyncio

    import uvloop

    return await asyncio.to_thread(lambda: uvloop.run(act(*arguments)))
