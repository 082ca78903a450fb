"""A mail server that keeps what it gets and refuses, per address, in the words of real ones."""

import asyncio
import ssl
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Literal, Self

HANG_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Step:
    """What one mail meets. `at`: MAIL FROM (scripted for the sender's address), RCPT TO, or the final dot. drop: cut
    the connection there without an answer; hang: never answer. A 421 closes the connection, as RFC 5321 has it."""

    answer: str = "250 2.0.0 Ok: queued as 4XYZ"
    at: Literal["mail", "rcpt", "data"] = "rcpt"
    manner: Literal["answer", "drop", "hang"] = "answer"


OK = Step(at="data")
GREYLISTED = Step("450 4.2.0 Greylisted, see https://postgrey.schweikert.ch/help/example.com.html")


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail the server has taken, or read whole before it refused or dropped it (`taken` is False)."""

    sender: str
    recipient: str
    raw: bytes
    message: EmailMessage
    taken: bool


class MailServer:
    """`async with MailServer() as server:` then send to `server.host`, `server.port`.

    `script` maps an address to its steps in order, the last of which repeats. With `username` it wants AUTH first; with
    starttls or tls it has a certificate for `localhost`, trusted by who sets SSL_CERT_FILE to `server.authority`.
    """

    host = "localhost"

    def __init__(
        self,
        *,
        script: Mapping[str, Sequence[Step]] | None = None,
        security: Literal["none", "starttls", "tls"] = "none",
        username: str = "",
        password: str = "",
    ) -> None:
        self.mails: list[Mail] = []
        self.script: dict[str, Sequence[Step]] = dict(script or {})
        self._security, self._username, self._password = security, username, password
        self._asked: Counter[str] = Counter()
        self._open: set[Any] = set()
        self._peers: set[Any] = set()
        self._folder: TemporaryDirectory[str] | None = None
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        context = None if self._security == "none" else self._certified()
        self._server = await asyncio.get_running_loop().create_server(
            lambda: self._session(context),
            "127.0.0.1",
            0,
            ssl=context if self._security == "tls" else None,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        self.cut_connections()
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the mail server is not running: use `async with`")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def authority(self) -> Path:
        if self._folder is None:
            # AttributeError, because aiosmtpd looks at every attribute of its handler.
            raise AttributeError("the mail server has no certificate: use `async with`, and starttls or tls")
        return Path(self._folder.name) / "authority.pem"

    @property
    def taken(self) -> list[Mail]:
        return [mail for mail in self.mails if mail.taken]

    @property
    def connections(self) -> int:
        """How many there were; STARTTLS does not make another of one."""
        return len(self._peers)

    @property
    def open(self) -> int:
        return len(self._open)

    def cut_connections(self) -> None:
        """As a server does that restarts."""
        for transport in list(self._open):
            transport.abort()
        self._open.clear()

    # The names and signatures of aiosmtpd's handler hooks: https://aiosmtpd.aio-libs.org/en/latest/handlers.html

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return await self._answer(server, address, "mail") or "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        step = self._step(address)
        if step.at != "rcpt" or step.answer.startswith("2"):
            envelope.rcpt_tos.append(address)
            return "250 2.1.5 Ok"
        self._asked[address] += 1
        return await _said(server, step)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        [address] = envelope.rcpt_tos  # one person, one mail: nobody sees who else was told
        step = self._step(address)
        self._asked[address] += 1
        message = message_from_bytes(envelope.content, policy=policy.default)
        if not isinstance(message, EmailMessage):
            raise TypeError("the default policy makes EmailMessages")
        taken = step.manner == "answer" and step.answer.startswith("2")
        self.mails.append(Mail(envelope.mail_from, address, envelope.content, message, taken))
        return await _said(server, step)

    def _step(self, address: str) -> Step:
        steps = self.script.get(address, (OK,))
        return steps[min(self._asked[address], len(steps) - 1)]

    async def _answer(self, server: Any, address: str, at: str) -> str:
        step = self._step(address)
        if address not in self.script or step.at != at:
            return ""
        self._asked[address] += 1
        return await _said(server, step)

    def _session(self, context: ssl.SSLContext | None) -> asyncio.BaseProtocol:
        from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

        receiver = self

        class Session(SMTP):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                receiver._peers.add(transport.get_extra_info("peername"))
                receiver._open.add(transport)

            def connection_lost(self, error: Exception | None) -> None:
                super().connection_lost(error)
                receiver._open = {transport for transport in receiver._open if not transport.is_closing()}

        def authenticated(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
            given = (data.login, data.password) if isinstance(data, LoginPassword) else None
            right = given == (self._username.encode(), self._password.encode())
            return AuthResult(success=right, handled=right, message=None if right else "535 5.7.8 Wrong credentials")

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # AUTH without TLS: this server never leaves the machine
            return Session(
                self,
                hostname="mail.test",
                enable_SMTPUTF8=False,
                ident="test server",
                tls_context=context if self._security == "starttls" else None,
                require_starttls=self._security == "starttls",
                authenticator=authenticated if self._username else None,
                auth_required=bool(self._username),
                # With TLS asked for and not there, AUTH is not even offered.
                auth_require_tls=not self._username or self._security == "starttls",
            )

    def _certified(self) -> ssl.SSLContext:
        # Only here: whoever is killed leaves it behind.
        self._folder = TemporaryDirectory(prefix="tidings-smtp-")
        certificate, key = _self_signed()
        self.authority.write_bytes(certificate)
        private = self.authority.with_name("key.pem")
        private.write_bytes(key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.authority, private)
        return context


async def _said(server: Any, step: Step) -> str:
    if step.manner == "hang":
        await asyncio.sleep(HANG_SECONDS)
    if step.manner == "drop":
        server.transport.abort()
        raise ConnectionResetError("dropped as scripted")
    if step.answer.startswith("421"):
        asyncio.get_running_loop().call_later(0.05, server.transport.close)
    return step.answer


def _self_signed() -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
