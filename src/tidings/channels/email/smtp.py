"""One mail over one SMTP connection, and how far it came when it did not arrive."""

import asyncio
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import cast

from aiosmtplib import SMTP, SMTPException, SMTPResponse, SMTPResponseException, SMTPServerDisconnected

from tidings.channels.contract import Checked, Wire
from tidings.channels.email.mime import Letter
from tidings.channels.email.verdict import Stage
from tidings.kernel.http_errors import detail_of

CONNECT_SECONDS = 5
AT: Mapping[Stage, str] = {
    "connect": "before its greeting",
    "tls": "at STARTTLS",
    "auth": "at the sign-in",
    "sender": "at MAIL FROM",
    "recipient": "at RCPT TO",
    "data": "at DATA",
    "content": "after the mail",
}
# Some servers count mails per session; none of the usual ones stops before 100.
MAILS_PER_CONNECTION = 100
_LINE_START_DOT = re.compile(rb"(?m)^\.")


@dataclass(frozen=True, slots=True)
class Server:
    """Where and as whom: mails with the same may share a connection."""

    host: str
    port: int
    security: str
    hello: str
    username: str = ""
    password: str = field(default="", repr=False)


class Answered(Exception):
    """The server said no; what that means depends on how far it came."""

    def __init__(self, stage: Stage, code: int, words: str) -> None:
        super().__init__(code)
        self.stage, self.code, self.words = stage, code, words


class Broken(Exception):
    """No answer: the connection failed. After the final dot nobody knows whether the mail was taken."""

    def __init__(self, stage: Stage, reason: str, words: str = "", *, technical: bool = False) -> None:
        super().__init__(reason)
        self.stage, self.reason, self.words, self.technical = stage, reason, words, technical


@dataclass(slots=True)
class Progress:
    """How far the mail in hand came; read after a timeout, when nobody is there to say."""

    stage: Stage = "connect"


class Connection:
    def __init__(self, smtp: SMTP) -> None:
        self._smtp, self._mails, self._clean = smtp, 0, True

    @property
    def reusable(self) -> bool:
        return self._smtp.is_connected and self._mails < MAILS_PER_CONNECTION

    @property
    def kept(self) -> bool:
        """Whether it had waited before it got the mail in hand."""
        return self._mails > 1

    async def submit(self, letter: Letter, progress: Progress) -> str:
        """The server's words when it took the mail. Raises `Answered` or `Broken`."""
        self._mails += 1
        smtp = self._smtp
        with _failures(progress):
            if not self._clean:  # the last mail ended half-way
                await smtp.rset()
            self._clean = False
            progress.stage = "sender"
            await smtp.mail(letter.sender)
            progress.stage = "recipient"
            await smtp.rcpt(letter.recipient)
            progress.stage = "data"
            _expect(354, await smtp.execute_command(b"DATA"))
            # Not `smtp.data()`: whether the final dot was written decides if another try may repeat the mail.
            if (protocol := smtp.protocol) is None:
                raise SMTPServerDisconnected("")
            protocol.write(_LINE_START_DOT.sub(b"..", letter.content) + b".\r\n")
            progress.stage = "content"
            taken = await protocol.read_response()
            _expect(250, taken)
            self._clean = True
            return taken.message

    def close(self) -> None:
        """QUIT, so that the server's log does not read "lost connection", without waiting for its goodbye."""
        if self._smtp.is_connected and self._smtp.protocol is not None:
            self._smtp.protocol.write(b"QUIT\r\n")
        self._smtp.close()

    def drop(self) -> None:
        """At once, with what is still unsent: a silent peer would hold the socket as long as there is any."""
        if self._smtp.transport is not None:
            cast(asyncio.WriteTransport, self._smtp.transport).abort()
        self._smtp.close()


async def connect(server: Server, wire: Wire, progress: Progress) -> Connection:
    checked = await wire.resolve(server.host, server.port)
    with _failures(progress):
        smtp = SMTP(
            # Connected to the address that was checked; the name is only what the certificate must be for.
            hostname=checked.host,
            sock=await _reached(checked),
            local_hostname=server.hello,
            use_tls=server.security == "tls",
            start_tls=False,
            tls_context=trusted() if server.security != "none" else None,
            timeout=None,
        )
        try:
            await smtp.connect()
            if server.security == "starttls":
                progress.stage = "tls"
                await smtp.starttls()
            if server.username:
                progress.stage = "auth"
                await smtp.login(server.username, server.password)
        except BaseException:
            smtp.close()
            raise
    return Connection(smtp)


async def _reached(checked: Checked) -> socket.socket:
    plain = socket.socket(socket.AF_INET6 if ":" in checked.address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        plain.setblocking(False)
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(plain, (checked.address, checked.port))
    except BaseException:
        plain.close()
        raise
    return plain


def _expect(code: int, answer: SMTPResponse) -> None:
    if answer.code != code:
        raise SMTPResponseException(answer.code, answer.message)


@contextmanager
def _failures(progress: Progress) -> Iterator[None]:
    try:
        yield
    except (SMTPException, OSError) as error:
        failure = _failure(progress.stage, error)
    else:
        return
    raise failure


def _failure(stage: Stage, error: Exception) -> Answered | Broken:
    """The library's error as ours. Its text may repeat what we said, so only the server's own words are kept, or ours
    where it said nothing."""
    match error if isinstance(error, SMTPResponseException) else error.__cause__ or error:
        case SMTPResponseException() as answer:
            return Answered(stage, answer.code, answer.message)
        case ssl.SSLCertVerificationError() as untrusted:
            return Broken(stage, "tls_untrusted", untrusted.verify_message, technical=True)
        case ssl.SSLError() as failed:
            return Broken(stage, "tls_failed", failed.reason or "", technical=True)
        case SMTPServerDisconnected() | ConnectionResetError() | BrokenPipeError():
            return Broken(stage, "connection_lost", f"The server ended the connection {AT[stage]}")
        case TimeoutError():
            return Broken(stage, "connect_timeout", f"No connection within {CONNECT_SECONDS} seconds")
        case OSError() as why if stage == "connect":
            return Broken(stage, "connect_failed", f"No connection{detail_of(why)}")
        case OSError() as why:
            return Broken(stage, "connection_lost", f"The connection broke {AT[stage]}{detail_of(why)}")
        case _:
            # The settings ask for what this server does not do here.
            offered = "STARTTLS" if stage == "tls" else "a sign-in, or none without TLS"
            return Broken(stage, f"{stage}_not_offered", f"The server does not offer {offered}", technical=True)


@cache
def trusted() -> ssl.SSLContext:
    """The system's authorities; SSL_CERT_FILE names another file of them."""
    return ssl.create_default_context()
