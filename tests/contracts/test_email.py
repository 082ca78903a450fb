"""What only mail promises: headers, threads, TLS, kept connections, and what is known when one breaks."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.contracts.conftest import ENGLISH
from tests.contracts.hostile import HOSTILE

from tidings.channels.contract import InvalidField, Parcel, Sent, TryLater
from tidings.channels.email import kept, smtp
from tidings.channels.email.addresses import Sender, checked_address, checked_host, checked_sender, sender_of
from tidings.channels.email.channel import EmailChannel
from tidings.channels.email.mime import letter, subject_of
from tidings.channels.email.verdict import verdict
from tidings.channels.testing.smtp_server import OK, MailServer, Step
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.http import Wire
from tidings.messages.document import Document, Fact

IDENTITY = UUID("019a9f5c-2f40-7c31-8a6e-3d5b00000001")
PAGE = "https://tidings.example.com/unsubscribe/abc"
BO = "bo@example.com"
FROM = "notices@example.com"
UNKNOWN = TryLater("result_unknown")


@pytest.fixture
async def mail() -> AsyncIterator[EmailChannel]:
    channel = EmailChannel()
    yield channel
    await channel.close()


def parcel(document: Document, server: MailServer | None = None, **changes: Any) -> Parcel:
    settings = {"host": "localhost", "port": server.port if server else 25, "security": "none", "from": FROM}
    return Parcel(
        identity=changes.get("identity", IDENTITY),
        document=document,
        contact={"address": changes.get("to", BO)},
        settings=settings | changes.get("settings", {}),
        now=changes.get("now", datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)),
        unsubscribe_url=changes.get("unsubscribe_url", PAGE),
        extra=changes.get("extra", {}),
    )


def made(document: Document, **changes: Any) -> EmailMessage:
    sender = changes.pop("sender", Sender("Tidings", FROM))
    message = message_from_bytes(letter(parcel(document, **changes), sender).content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    return message


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


# headers


def test_the_headers_are_those_of_a_notice_to_one_person(english: Document) -> None:
    message = made(english)
    assert dict(message.items()) == {
        "Date": "Mon, 23 Nov 2026 10:00:05 +0000",
        "From": '"Pending approval (Tidings)" <notices@example.com>',
        "To": BO,
        "Subject": "Add index on orders (Data change 88123)",
        "Message-ID": "<019a9f5c2f407c318a6e3d5b00000001@example.com>",
        "In-Reply-To": message["References"],
        "References": message["References"],
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "List-Unsubscribe": f"<{PAGE}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "MIME-Version": "1.0",
        "Content-Type": message["Content-Type"],
    }
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]


def test_mails_about_one_subject_stand_in_one_thread(english: Document, documents: Any) -> None:
    approved = replace(
        english,
        occasion=replace(english.occasion, event_type="data_change.approved", event_id="x", tone="info"),
        headline="Data change approved",
    )
    first, later = made(english), made(approved, identity=uuid4())
    for name in ("References", "In-Reply-To", "Subject"):
        assert first[name] == later[name]
    assert first["Message-ID"] != later["Message-ID"]
    assert first["References"] not in (first["Message-ID"], later["Message-ID"])
    # Whoever reads it in another language has a thread of their own in their own mailbox; the root is the same.
    assert made(documents["zh-hans"])["References"] == first["References"]
    other = replace(english, occasion=replace(english.occasion, subject_id="88124"))
    assert made(other)["References"] != first["References"]
    assert made(english, sender=Sender("", "notices@example.org"))["References"] != first["References"]


@pytest.mark.parametrize(
    ("title", "subject"),
    [
        ("Add index", "Add index (Data change 88123)"),
        ("", "Data change 88123"),
        ("88123", "Data change 88123"),
        ("  \r\n ", "Data change 88123"),
        ("x\r\nBcc: eve@example.com", "x Bcc: eve@example.com (Data change 88123)"),
        ("工" * 300, "工" * 119 + "… (Data change 88123)"),
        ("=?utf-8?q?hi?=", "=?utf-8?q?hi?= (Data change 88123)"),
        ("a\u202eb\u200bc", "abc (Data change 88123)"),
        ("\ud800", "\ufffd (Data change 88123)"),
    ],
)
def test_the_subject_names_the_subject_and_not_the_status(english: Document, title: str, subject: str) -> None:
    document = replace(english, occasion=replace(english.occasion, title=title))
    assert subject_of(document) == subject
    assert made(document)["Subject"] == subject
    assert "Pending" not in subject


def test_the_senders_name_says_what_happened_and_its_address_never_changes(english: Document, documents: Any) -> None:
    failed = replace(english, occasion=replace(english.occasion, event_labels={"en": "Failed", "zh-hans": "执行失败"}))
    chinese = replace(documents["zh-hans"], occasion=replace(failed.occasion, title="索引"))
    for document, named, said in (
        (failed, "Tidings", "Failed (Tidings)"),
        (failed, "", "Failed"),
        (chinese, "Tidings 通知", "执行失败 (Tidings 通知)"),
        (replace(english, occasion=replace(english.occasion, event_labels={})), "Tidings", "Tidings"),
        (replace(failed, occasion=replace(failed.occasion, event_labels={"en": 'x\r\nBcc: "a" <b@c>'})), "T",
         'x Bcc: "a" <b@c> (T)'),
        (replace(failed, occasion=replace(failed.occasion, event_labels={"en": "x" * 500})), "T", "x" * 39 + "… (T)"),
    ):  # fmt: skip
        [address] = made(document, sender=Sender(named, FROM))["From"].addresses
        assert (address.display_name, address.addr_spec) == (said, FROM)
    assert made(failed)["Subject"] == made(english)["Subject"]
    assert made(failed)["References"] == made(english)["References"]


def test_only_an_https_address_unsubscribes_with_one_click(english: Document) -> None:
    assert made(english)["List-Unsubscribe"] == f"<{PAGE}>"
    assert made(english)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    plain = made(english, unsubscribe_url="http://tidings.internal/unsubscribe/abc")
    assert plain["List-Unsubscribe"] == "<http://tidings.internal/unsubscribe/abc>"
    assert plain["List-Unsubscribe-Post"] is None
    hostile = (
        "https://x/>\r\nBcc: eve@example.com",
        "https://x/> <mailto:eve@example.com",
        "javascript:x",
        "https://x/é",
        "",
    )
    for url in hostile:
        message = made(english, unsubscribe_url=url)
        assert message["List-Unsubscribe"] is message["List-Unsubscribe-Post"] is message["Bcc"] is None


def test_a_date_a_name_and_a_long_domain_survive_the_journey(english: Document) -> None:
    domain = "a-rather-long-subdomain-of-a-department.of-a-rather-long-company-name.example.com"
    name = '通知 <script>, "Tidings"; ops@x'
    message = made(english, sender=sender_of(f"通知 Tidings, ops; x <notices@{domain}>"))
    assert message["Message-ID"] == f"<{IDENTITY.hex}@{domain}>"
    assert message["References"].endswith(f"@{domain}>")
    assert message["From"].addresses[0].display_name == "Pending approval (通知 Tidings, ops; x)"
    assert message["From"].addresses[0].addr_spec == f"notices@{domain}"
    message = made(english, sender=Sender(name, FROM))
    assert [address.addr_spec for address in message["From"].addresses] == [FROM]
    # Python's parser leaves the white space between two encoded words, which RFC 2047, 6.2 takes away.
    assert " ".join(message["From"].addresses[0].display_name.split()) == f"Pending approval ({name})"


@examples(deadline=None)
@given(
    st.text(max_size=200)
    | st.sampled_from([*HOSTILE.values(), "\r\n\r\n", "\n.\n", "a\r\n b", "=?utf-8?q?=0A?=", "x" * 2_000])
)
def test_whatever_is_written_the_headers_are_those_that_were_meant(text: str) -> None:
    """By Python's parser of mails, in both of its ways, which says what it had to forgive."""
    plain = made(ENGLISH)
    occasion = replace(
        ENGLISH.occasion,
        title=text,
        subject_id=text[:200] or "1",
        submitter=text,
        actor=text,
        feature_labels={"en": text},
        event_labels={"en": text},
    )
    everywhere = replace(
        ENGLISH,
        occasion=occasion,
        reader=replace(ENGLISH.reader, name=text, login=text),
        headline=text,
        todo=text,
        why=text,
        link_label=text,
        facts=(Fact(text, text, text),),
    )
    content = letter(parcel(everywhere), Sender("Tidings 通知", FROM)).content
    message = message_from_bytes(content, _class=EmailMessage, policy=policy.default)
    assert message.keys() == plain.keys() == message_from_bytes(content).keys()
    assert [each for part in message.walk() for each in part.defects] == []
    assert [each for header in message.values() for each in getattr(header, "defects", ())] == []
    assert [address.addr_spec for address in message["From"].addresses] == [FROM]
    assert [address.addr_spec for address in message["To"].addresses] == [
        address.addr_spec for address in plain["To"].addresses
    ]
    assert message["Message-ID"] == plain["Message-ID"]
    assert [part.get_content_type() for part in message.walk()] == [part.get_content_type() for part in plain.walk()]
    assert not any(each in value for value in message.values() for each in "\r\n\0")


def test_what_goes_out_is_plain_ascii_in_short_lines(english: Document) -> None:
    giant = replace(english, todo="工" * 9_000, why="x" * 9_000, facts=(Fact("x", "é" * 100, "y z" * 900),) * 99)
    for document in (english, giant):
        content = letter(parcel(document), Sender("é" * 100, FROM)).content
        assert content.isascii()
        assert b"\r" not in content.replace(b"\r\n", b"")
        assert b"\n" not in content.replace(b"\r\n", b"")
        assert max(len(line) for line in content.split(b"\r\n")) <= 998


# what the reader sees


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_both_texts_say_what_where_what_to_do_and_why(documents: Any) -> None:
    for name, button, settings in (
        ("en-earlier", "View details", "No more notifications by e-mail"),
        ("zh-hans-earlier", "查看详情", "不再通过邮件通知我"),
    ):
        document: Document = documents[name]
        message = made(document)
        page = Page(text_of(message, "html"))
        assert page.links == [document.url, PAGE]
        assert page.tags.count("td") == 2 * len(document.facts) + 3  # the ground, the card, the button
        assert "<" not in page.text
        for text in (text_of(message), page.text):
            for part in (document.earlier, document.headline, document.todo, document.why, button, settings):
                assert part in text
            for fact in document.facts:
                assert fact.label in text
                assert fact.value in text
        # Lists of mails show how the text begins.
        assert text_of(message).startswith(document.earlier)
        assert document.url in text_of(message)
        assert PAGE in text_of(message)


def test_no_text_becomes_markup(english: Document) -> None:
    hostile = '"><script>alert(1)</script><a href="https://evil.example" onclick=x>\'${url}<!-- part: page -->'
    harmless = Page(text_of(made(english), "html"))
    document = replace(
        english,
        headline=hostile,
        todo=hostile,
        why=hostile,
        earlier="",
        link_label=hostile,
        language='en" onload="x',
        facts=tuple(Fact(hostile, hostile, hostile) for _ in english.facts),
    )
    page = Page(text_of(made(document), "html"))
    assert page.tags == harmless.tags
    assert page.links == harmless.links
    assert page.attributes == harmless.attributes
    assert hostile in page.text


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", 'https://x/"onclick="y', "https://x/ y", "//evil.example", "", "x"],
)
def test_only_web_links_become_links(english: Document, url: str) -> None:
    message = made(replace(english, occasion=replace(english.occasion, url=url)))
    assert Page(text_of(message, "html")).links == [PAGE]
    assert "View details" not in text_of(message)


def test_a_mail_loads_nothing_from_anywhere(english: Document) -> None:
    page = text_of(made(english), "html")
    assert "src=" not in page
    assert "url(" not in page
    assert "@import" not in page


# addresses


@pytest.mark.parametrize(
    ("given", "kept_as"),
    [
        ("Bo.Approver@Example.COM", "Bo.Approver@example.com"),
        (" bo@例子.测试 ".strip(), "bo@xn--fsqu00a.xn--0zwm56d"),
        ("bo+dms@corp.local", "bo+dms@corp.local"),
    ],
)
def test_addresses_are_kept_in_one_form(given: str, kept_as: str) -> None:
    assert checked_address(given) == kept_as


@pytest.mark.parametrize(
    "given",
    [
        "bo", "bo@", "@example.com", "bo@example.com, eve@example.com", "bo@example.com\r\nBcc: eve@example.com",
        "Bo <bo@example.com>", "bo@[127.0.0.1]", "陈@example.com", "bo@exa mple.com", '"b o"@example.com',
        "bo@@example.com", "bo>@example.com", "bo@example.com>", "bo@example.com SIZE=1", "x" * 65 + "@example.com",
        "bo@localhost",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(InvalidField, match="cannot be written to"):
        checked_address(given)


def test_a_sender_has_a_name_if_it_has_one() -> None:
    assert sender_of("notices@example.com") == Sender("", FROM)
    assert sender_of("Tidings 通知 <notices@Example.com>") == Sender("Tidings 通知", FROM)
    assert checked_sender('"Tidings, \\"ops\\"" <notices@example.com>') == "Tidings, ops <notices@example.com>"
    assert sender_of(checked_sender("a\u202e b <notices@example.com>")) == Sender("a b", FROM)
    for wrong in ("Tidings", "Tidings <>", "<a@example.com> <b@example.com>", "a@example.com, b@example.com"):
        with pytest.raises(InvalidField):
            checked_sender(wrong)


def test_a_host_is_a_name_or_an_address() -> None:
    for host in ("smtp.example.com", "SMTP.example.com", "127.0.0.1", "::1", "2001:DB8::25", "mail", "邮件.例子"):
        assert checked_host(host).isascii()
    for wrong in (
        "smtp.example.com:587",
        "http://smtp.example.com",
        "a b",
        "a/b",
        "user@host",
        "127.0.0.1:25",
        "[::1]:25",
        "fe80::1%eth0",
        "::1::25",
        "",
        "-",
        "a" * 300,
        "x\r\n",
    ):
        with pytest.raises(InvalidField):
            checked_host(wrong)


# over the wire


async def test_a_mail_arrives_as_it_was_made(english: Document, mail: EmailChannel, wire: Wire) -> None:
    tricky = replace(
        english, todo="first\n.\n..\n.hidden\r\n.\r\nQUIT\r\nend", facts=(Fact("x", "From", "From here\n."),)
    )
    async with MailServer() as server:
        outcome = await mail.send(parcel(tricky, server), wire)
        [arrived] = server.taken
    assert outcome == Sent(f"<{IDENTITY.hex}@example.com>", "250 2.0.0 Ok: queued as 4XYZ")
    assert (arrived.sender, arrived.recipient) == (FROM, BO)
    assert arrived.raw == letter(parcel(tricky), Sender("", FROM)).content
    assert "first\n.\n..\n.hidden\n.\nQUIT\nend" in text_of(arrived.message).replace("\r\n", "\n")


async def test_each_person_gets_a_mail_of_their_own(english: Document, mail: EmailChannel, wire: Wire) -> None:
    async with MailServer(script={"dan@example.com": [Step("550 5.1.1 No such user")]}) as server:
        people = ("bo@example.com", "dan@example.com", "eve@example.com")
        outcomes = [await mail.send(parcel(english, server, to=to, identity=uuid4()), wire) for to in people]
        assert [type(outcome).__name__ for outcome in outcomes] == ["Sent", "Refused", "Sent"]
        assert [mail.message["To"] for mail in server.taken] == ["bo@example.com", "eve@example.com"]


async def test_greylisting_lets_the_same_mail_in_later(english: Document, mail: EmailChannel, wire: Wire) -> None:
    async with MailServer(script={BO: [Step("450 4.2.0 Greylisted"), OK]}) as server:
        first, second = [await mail.send(parcel(english, server), wire) for _ in range(2)]
        assert isinstance(first, TryLater)
        assert first.reason == "greylisted"
        assert isinstance(second, Sent)
        assert server.connections == 1


@pytest.mark.parametrize(
    ("stage", "answer", "reason", "technical"),
    [
        ("connect", "421 4.3.2 Service not available", "server_busy", False),
        ("connect", "450 Come back later", "server_unavailable", False),
        ("connect", "554 5.7.1 Access denied, you are on a list", "server_refuses_us", True),
        ("tls", "454 4.7.0 TLS not available due to temporary reason", "server_unavailable", False),
        ("tls", "502 5.5.1 Command not implemented", "tls_failed", True),
        ("auth", "454 4.7.0 Temporary authentication failure", "auth_unavailable", False),
        ("auth", "535 5.7.8 Username and Password not accepted", "auth_failed", True),
        ("auth", "534 5.7.9 Application-specific password required", "auth_failed", True),
        ("auth", "504 5.7.4 Unrecognized authentication type", "auth_failed", True),
        ("auth", "538 5.7.11 Encryption required", "auth_failed", True),
        ("sender", "550 5.7.60 Client does not have permissions to send as this sender", "sender_refused", True),
        ("recipient", "530 5.7.0 Must issue a STARTTLS command first", "auth_failed", True),
        ("content", "-1 Malformed", "unexpected_answer", False),
    ],
)
def test_what_ends_a_try_before_the_recipient_is_never_held_against_them(
    stage: Any, answer: str, reason: str, technical: bool
) -> None:
    """https://www.rfc-editor.org/rfc/rfc4954#section-6, https://www.rfc-editor.org/rfc/rfc3207#section-4"""
    code, _, words = answer.partition(" ")
    assert verdict(stage, int(code), words) == TryLater(reason, technical=technical)


# kept connections


async def test_mails_of_the_same_settings_share_a_connection(english: Document, mail: EmailChannel, wire: Wire) -> None:
    async with MailServer() as server:
        for _ in range(5):
            assert isinstance(await mail.send(parcel(english, server), wire), Sent)
        assert server.connections == 1
        await mail.send(parcel(english, server, settings={"from": "other@example.org"}), wire)
        assert server.connections == 2


async def test_no_more_than_so_many_connections_at_once(english: Document, mail: EmailChannel, wire: Wire) -> None:
    async with MailServer() as server:
        sends = [mail.send(parcel(english, server, identity=uuid4()), wire) for _ in range(60)]
        assert {type(outcome) for outcome in await asyncio.gather(*sends)} == {Sent}
        assert len(server.taken) == 60
        assert 1 < server.connections <= kept.MAX_CONNECTIONS


async def test_a_connection_is_not_used_for_ever(english: Document, mail: EmailChannel, wire: Wire) -> None:
    async with MailServer() as server:
        for _ in range(smtp.MAILS_PER_CONNECTION + 1):
            await mail.send(parcel(english, server), wire)
        assert server.connections == 2


async def test_a_kept_connection_that_ended_is_replaced(english: Document, mail: EmailChannel, wire: Wire) -> None:
    async with MailServer() as server:
        await mail.send(parcel(english, server), wire)
        server.cut_connections()
        assert isinstance(await mail.send(parcel(english, server), wire), Sent)
        await asyncio.sleep(0.05)
        server.cut_connections()
        await asyncio.sleep(0.05)
        assert isinstance(await mail.send(parcel(english, server), wire), Sent)
        assert len(server.taken) == 3


async def test_a_kept_connection_that_says_421_is_replaced_and_a_fresh_one_is_not(
    english: Document, mail: EmailChannel, wire: Wire
) -> None:
    busy = Step("421 4.4.2 Idle too long", at="mail")
    async with MailServer() as server:
        await mail.send(parcel(english, server), wire)
        server.script[FROM] = [busy, OK]
        assert isinstance(await mail.send(parcel(english, server), wire), Sent)
        assert server.connections == 2
        server.script[FROM] = [busy]
        outcome = await mail.send(parcel(english, server), wire)
        assert isinstance(outcome, TryLater)
        assert outcome.reason == "server_busy"
        assert len(server.taken) == 2


async def test_what_broke_after_the_final_dot_is_not_sent_again_at_once(
    english: Document, mail: EmailChannel, wire: Wire
) -> None:
    async with MailServer(script={BO: [OK, Step(at="data", manner="drop"), OK]}) as server:
        assert isinstance(await mail.send(parcel(english, server), wire), Sent)
        assert await mail.send(parcel(english, server), wire) == UNKNOWN
        assert len(server.mails) == 2
        assert isinstance(await mail.send(parcel(english, server), wire), Sent)
        assert len({str(mail.message["Message-ID"]) for mail in server.mails}) == 1


async def test_a_silent_server_is_left_in_time_and_it_is_known_how_far_it_came(english: Document, wire: Wire) -> None:
    hasty = EmailChannel(seconds=0.5)
    async with MailServer() as server:
        for step, expected in (
            (Step(at="mail", manner="hang"), TryLater("timeout", "No answer in time at MAIL FROM")),
            (Step("x", at="rcpt", manner="hang"), TryLater("timeout", "No answer in time at RCPT TO")),
            (Step(at="data", manner="hang"), UNKNOWN),
        ):
            server.script = {FROM if step.at == "mail" else BO: [step]}
            assert await hasty.send(parcel(english, server), wire) == expected
        server.script = {}
        assert isinstance(await hasty.send(parcel(english, server), wire), Sent)
        assert server.connections == 4
    await hasty.close()


async def test_an_idle_connection_is_closed_politely(english: Document, mail: EmailChannel, wire: Wire) -> None:
    async with MailServer() as server:
        await mail.send(parcel(english, server), wire)
        assert server.open == 1
        await mail.close()
        await asyncio.sleep(0.1)
        assert server.open == 0
        assert isinstance(await mail.send(parcel(english, server), wire), Sent)


# credentials and TLS


async def test_wrong_credentials_are_our_fault(english: Document, mail: EmailChannel, wire: Wire) -> None:
    async with MailServer(username="tidings", password="right-password") as server:
        for credentials, reason in (
            ({"username": "tidings", "password": "wrong-password"}, "auth_failed"),
            ({"username": "someone-else", "password": "right-password"}, "auth_failed"),
            ({}, "auth_failed"),
        ):
            outcome = await mail.send(parcel(english, server, settings=credentials), wire)
            assert isinstance(outcome, TryLater)
            assert (outcome.reason, outcome.technical) == (reason, True)
            assert "password" not in repr(outcome)
        right = {"username": "tidings", "password": "right-password"}
        assert isinstance(await mail.send(parcel(english, server, settings=right), wire), Sent)
    async with MailServer() as server:
        outcome = await mail.send(parcel(english, server, settings=right), wire)
        said = "The server does not offer a sign-in, or none without TLS"
        assert outcome == TryLater("auth_not_offered", said, technical=True)


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Trust only this file of authorities, as SSL_CERT_FILE does for a whole installation."""

    def trust(authority: Path) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        smtp.trusted.cache_clear()

    yield trust
    smtp.trusted.cache_clear()


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_tls_is_verified_by_the_servers_name(
    security: Any, english: Document, mail: EmailChannel, wire: Wire, trusting: Callable[[Path], None]
) -> None:
    credentials = {"security": security, "username": "tidings", "password": "pässword"}
    async with MailServer(security=security, username="tidings", password="pässword") as server:
        outcome = await mail.send(parcel(english, server, settings=credentials), wire)
        assert isinstance(outcome, TryLater)
        assert (outcome.reason, outcome.technical) == ("tls_untrusted", True)
        trusting(server.authority)
        assert isinstance(await mail.send(parcel(english, server, settings=credentials), wire), Sent)
        by_address = credentials | {"host": "127.0.0.2"}
        outcome = await mail.send(parcel(english, server, settings=by_address), wire)
        assert isinstance(outcome, TryLater)
        assert outcome.reason in ("tls_untrusted", "connect_failed")


async def test_a_name_the_certificate_is_not_for_is_refused(
    english: Document, mail: EmailChannel, trusting: Callable[[Path], None]
) -> None:
    wire = Wire(AddressPolicy((ip_network("127.0.0.0/8"),)), resolver=lambda host: ["127.0.0.1"])
    async with MailServer(security="tls") as server:
        trusting(server.authority)
        for host, expected in (("localhost", "Sent"), ("mail.example.com", "tls_untrusted")):
            outcome = await mail.send(parcel(english, server, settings={"host": host, "security": "tls"}), wire)
            assert (outcome.reason if isinstance(outcome, TryLater) else "Sent") == expected
    await wire.aclose()


async def test_a_server_without_the_tls_that_is_set_gets_nothing(english: Document, wire: Wire) -> None:
    channel = EmailChannel(seconds=2)
    async with MailServer() as server:
        secret = {"username": "tidings", "password": "secret-password"}
        outcome = await channel.send(parcel(english, server, settings=secret | {"security": "starttls"}), wire)
        assert outcome == TryLater("tls_not_offered", "The server does not offer STARTTLS", technical=True)
        outcome = await channel.send(parcel(english, server, settings=secret | {"security": "tls"}), wire)
        assert isinstance(outcome, TryLater)
        assert outcome.reason in ("tls_failed", "connection_lost", "timeout")
        assert server.mails == []
    await channel.close()


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_it_works_on_uvloop_too(security: Any, english: Document, trusting: Callable[[Path], None]) -> None:
    """Nodes run on uvloop; the server stays on asyncio's loop, which aiosmtpd's STARTTLS needs."""
    import uvloop

    async def act(server: MailServer) -> list[str]:
        wire = Wire(AddressPolicy((ip_network("127.0.0.0/8"),)))
        channel = EmailChannel()
        settings = {"security": security, "username": "tidings", "password": "secret"}
        said = [(await channel.send(parcel(english, server, settings=settings), wire)).said for _ in range(3)]
        server.script[BO] = [Step(at="data", manner="drop")]
        outcome = await channel.send(parcel(english, server, settings=settings), wire)
        await channel.close()
        await wire.aclose()
        return [*said, repr(outcome)]

    async with MailServer(security=security, username="tidings", password="secret") as server:
        if security != "none":
            trusting(server.authority)
        said = await asyncio.to_thread(lambda: uvloop.run(act(server)))
        assert said == [*["250 2.0.0 Ok: queued as 4XYZ"] * 3, repr(UNKNOWN)]
        assert server.connections == 1


# the server of these tests


MAIL_SERVER = """
import asyncio
import os
import subprocess
import sys
from tidings.channels.testing.smtp_server import MailServer
async def main():
    async with MailServer() as server:
        print(server.port, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


def test_a_mail_server_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", MAIL_SERVER], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and int(process.stdout.readline())
        process.kill()
    assert list(tmp_path.iterdir()) == []
