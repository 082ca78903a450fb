"""One mail over one connection, and the few connections that are kept for the next mail.

Connections of the same settings are used again while they are fresh: TLS and AUTH cost more than the mail. They belong
to the event loop they were made in; nothing else of a channel outlives a call.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from weakref import WeakKeyDictionary

from aiosmtplib import SMTP, SMTPException, SMTPResponse, SMTPResponseException, SMTPServerDisconnected

from tidings.channels.contract import Checked, Wire
from tidings.channels.email.mime import Letter
from tidings.channels.email.verdict import Stage

CONNECT_SECONDS = 5
IDLE_SECONDS = 30
# Postfix takes 50 from one client, Exchange 20; other nodes want some too.
MAX_CONNECTIONS = 16
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
    """The library's error as ours. Its text may repeat what we said, so only the server's own words are kept."""
    match error.__cause__ or error:
        case SMTPResponseException() as answer:
            return Answered(stage, answer.code, answer.message)
        case ssl.SSLCertVerificationError() as untrusted:
            return Broken(stage, "tls_untrusted", untrusted.verify_message, technical=True)
        case ssl.SSLError() as failed:
            return Broken(stage, "tls_failed", failed.reason or "", technical=True)
        case SMTPServerDisconnected() | ConnectionResetError() | BrokenPipeError():
            return Broken(stage, "connection_lost")
        case TimeoutError():
            return Broken(stage, "connect_timeout")
        case OSError():
            return Broken(stage, "connect_failed" if stage == "connect" else "connection_lost")
        case _:
            # STARTTLS or AUTH is not offered: the settings ask for what this server does not do here.
            return Broken(stage, f"{stage}_not_offered", technical=True)


@cache
def trusted() -> ssl.SSLContext:
    """The system's authorities; SSL_CERT_FILE names another file of them."""
    return ssl.create_default_context()


@dataclass(slots=True)
class _Kept:
    """The connections of one server: at most so many at once, and those that wait for their next mail."""

    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONNECTIONS))
    idle: dict[Connection, asyncio.TimerHandle] = field(default_factory=dict)
    users: int = 0


_kept: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Server, _Kept]] = WeakKeyDictionary()


@asynccontextmanager
async def connection(server: Server, wire: Wire, progress: Progress, *, fresh: bool) -> AsyncIterator[Connection]:
    """A connection for one mail: one that is kept, unless it must be fresh. Kept again if the mail ended well."""
    servers = _kept.setdefault(asyncio.get_running_loop(), {})
    kept = servers.setdefault(server, _Kept())
    kept.users += 1
    try:
        async with kept.slots:
            found = None if fresh else _take(kept)
            progress.stage = "connect"
            current = found or await connect(server, wire, progress)
            try:
                yield current
            except Answered:
                _keep(servers, server, kept, current)
                raise
            except BaseException:
                current.close()
                raise
            _keep(servers, server, kept, current)
    finally:
        kept.users -= 1
        _forget(servers, server, kept)


def close_kept() -> None:
    """Close what waits in this loop; for a node that stops, and for tests."""
    for kept in _kept.pop(asyncio.get_running_loop(), {}).values():
        for waiting, timer in kept.idle.items():
            timer.cancel()
            waiting.close()


def _take(kept: _Kept) -> Connection | None:
    """The one that was used last: the others may go to their rest."""
    while kept.idle:
        found, timer = kept.idle.popitem()
        timer.cancel()
        if found.reusable:
            return found
        found.close()
    return None


def _keep(servers: dict[Server, _Kept], server: Server, kept: _Kept, current: Connection) -> None:
    def expire() -> None:
        if kept.idle.pop(current, None):
            current.close()
        _forget(servers, server, kept)

    if current.reusable:
        kept.idle[current] = asyncio.get_running_loop().call_later(IDLE_SECONDS, expire)
    else:
        current.close()


def _forget(servers: dict[Server, _Kept], server: Server, kept: _Kept) -> None:
    if not kept.users and not kept.idle and servers.get(server) is kept:
        del servers[server]
