"""Mail. What the server answers is the verdict; a table says of what."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar

from msgspec.structs import replace

from tidings.channels.answer import said
from tidings.channels.contract import (
    Channel,
    Code,
    Example,
    Field,
    Outcome,
    Parcel,
    Sent,
    Shown,
    TryLater,
    Values,
    Wire,
)
from tidings.channels.email.addresses import (
    Sender,
    checked_address,
    checked_host,
    checked_port,
    checked_sender,
    sender_of,
)
from tidings.channels.email.code import code_letter
from tidings.channels.email.kept import close_kept, connection
from tidings.channels.email.mime import Letter, as_html, as_text, letter, subject_of, who_says
from tidings.channels.email.smtp import AT, Answered, Broken, Progress, Server
from tidings.channels.email.verdict import verdict
from tidings.channels.field_words import words_beside

WORDS = words_beside(__file__)
# A little less than the engine's 15 s for a whole call: who gives up first knows how far the mail came.
SECONDS = 14.0


class EmailChannel(Channel):
    code = "email"
    label: ClassVar[Mapping[str, str]] = {"en": "E-mail", "zh-hans": "邮件"}
    settings = (
        Field("host", "text", WORDS["host"], required=True, check=checked_host),
        Field("port", "number", WORDS["port"], default=587, check=checked_port),
        Field(
            "security",
            "choice",
            WORDS["security"],
            default="starttls",
            choices=("none", "starttls", "tls"),
        ),
        Field("username", "text", WORDS["username"]),
        Field("password", "secret", WORDS["password"], goes_to=("host", "port", "security")),
        Field(
            "from",
            "text",
            WORDS["from"],
            required=True,
            check=checked_sender,
        ),
    )
    contact = (Field("address", "text", WORDS["address"], required=True, check=checked_address),)
    verified_by = "code"
    unsubscribes = True
    gives_up_after = timedelta(hours=4)
    examples: ClassVar[Mapping[str, Example]] = {
        "": Example(
            settings={"host": "smtp.example.com", "from": "Tidings <tidings@example.com>"},
            contact={"address": "reader@example.com"},
        )
    }

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds

    def destination(self, contact: Values, settings: Values) -> str:
        return f"{settings['host']}:{settings['port']}"

    def address(self, contact: Values) -> str:
        local, _, domain = str(contact["address"]).rpartition("@")
        return f"{local[:1]}***@{domain}"

    def preview(self, parcel: Parcel) -> Shown:
        document, sender = parcel.document, sender_of(str(parcel.settings["from"]))
        page = as_html(document, parcel.unsubscribe_url)
        return Shown(
            text=as_text(document, parcel.unsubscribe_url),
            sender=who_says(document, sender),
            title=subject_of(document),
            files={"eml": letter(parcel, sender).content, "html": page.encode()},
        )

    async def send(self, parcel: Parcel, wire: Wire) -> Outcome:
        sender = sender_of(str(parcel.settings["from"]))
        return await self._deliver(letter(parcel, sender), sender, parcel.settings, wire)

    async def send_code(self, code: Code, wire: Wire) -> Outcome:
        sender = sender_of(str(code.settings["from"]))
        return await self._deliver(code_letter(code, sender), sender, code.settings, wire, code.digits)

    async def _deliver(self, mail: Letter, sender: Sender, settings: Values, wire: Wire, *hide: str) -> Outcome:
        hidden, progress = _hidden(mail.recipient, settings, *hide), Progress()
        try:
            async with asyncio.timeout(self._seconds):
                words = await _submit(_server(settings, sender.domain), mail, wire, progress)
            return Sent(provider_id=mail.message_id, said=said(250, words, **hidden))
        except Answered as answer:
            outcome = verdict(answer.stage, answer.code, answer.words)
            return replace(outcome, said=said(answer.code, answer.words, **hidden))
        except (Broken, TimeoutError) as error:
            # After the final dot the mail may have been taken. The next try has the same Message-ID, by which the
            # receiving side can tell a repeat.
            if progress.stage == "content":
                return TryLater("result_unknown")
            if isinstance(error, Broken):
                return TryLater(error.reason, error.words, technical=error.technical)
            return TryLater("timeout", f"No answer in time {AT[progress.stage]}")

    async def close(self) -> None:
        close_kept()


async def _submit(server: Server, mail: Letter, wire: Wire, progress: Progress) -> str:
    current = None
    try:
        async with connection(server, wire, progress, fresh=False) as current:
            return await current.submit(mail, progress)
    except (Broken, Answered) as failure:
        # A kept connection may have ended while it waited. What broke before the final dot was not sent.
        ended = isinstance(failure, Broken) or failure.code == 421
        if current is None or not current.kept or not ended or progress.stage == "content":
            raise
    async with connection(server, wire, progress, fresh=True) as current:
        return await current.submit(mail, progress)


def _server(settings: Values, hello: str) -> Server:
    return Server(
        host=str(settings["host"]),
        port=int(settings["port"] or 0),
        security=str(settings["security"]),
        hello=hello,
        username=str(settings.get("username") or ""),
        password=str(settings.get("password") or ""),
    )


def _hidden(address: str, settings: Values, *more: str) -> dict[str, list[str]]:
    """What a server may repeat: "<bo@example.com>: no such user", "unknown command AGFubgBzZWNyZXQ="."""
    username, password = str(settings.get("username") or ""), str(settings.get("password") or "")
    spoken = [username, password, f"\0{username}\0{password}"]
    encoded = [b64encode(words.encode()).decode() for words in spoken] if username else []
    return {"hide": [password, *encoded, *more], "whole": [address, username]}
