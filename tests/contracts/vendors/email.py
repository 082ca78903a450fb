"""The mail channel's vendor is a mail server; the words are those of real ones.

[RFC5321] https://www.rfc-editor.org/rfc/rfc5321 [RFC3463] https://www.rfc-editor.org/rfc/rfc3463
[RFC4954] https://www.rfc-editor.org/rfc/rfc4954
[GMAIL] https://support.google.com/a/answer/3726730
[EXO] https://learn.microsoft.com/troubleshoot/exchange/email-delivery/ndr/non-delivery-reports-in-exchange-online
[POSTFIX] https://www.postfix.org/SMTPD_ACCESS_README.html
"""

from collections.abc import Sequence
from email import message_from_bytes, policy
from typing import Any

from tests.contracts.more_than_text import in_html

from tidings.channels.contract import Parcel, Refused, Sent, TryLater, Value
from tidings.channels.email.addresses import sender_of
from tidings.channels.email.mime import letter
from tidings.channels.testing.smtp_server import GREYLISTED, OK, MailServer, Step
from tidings.channels.testing.vendor import Received, Row, Vendor

ADDRESS = "bo.canary-7731@example.com"
FROM = "notices@example.com"
USERNAME, PASSWORD = "canary-user-52", "canary-password-9917"

ADDRESS_DEAD = Refused("no_such_address", "address")
POLICY = Refused("policy", "message")
FULL = Refused("mailbox_full", "message")
LARGE = Refused("too_large", "message")
UNKNOWN = TryLater("result_unknown")


def rcpt(answer: str, outcome: Any, source: str) -> Row:
    return Row(f"RCPT {answer}"[:70], Step(answer), outcome, source)


def data(answer: str, outcome: Any, source: str) -> Row:
    return Row(f"DATA {answer}"[:70], Step(answer, at="data"), outcome, source)


def mail(answer: str, outcome: Any, source: str) -> Row:
    return Row(f"MAIL {answer}"[:70], Step(answer, at="mail"), outcome, source)


class Vendored(Vendor):
    rows = (
        Row("250", OK, Sent(), "RFC5321"),
        # Not now.
        Row("greylisted", GREYLISTED, TryLater("greylisted"), "POSTFIX"),
        rcpt("450 4.7.1 Greylisting in action, please come back later", TryLater("greylisted"), "POSTFIX"),
        rcpt("451 4.7.1 Try again later", TryLater("try_again_later"), "RFC5321"),
        rcpt("450 4.2.1 The user is receiving mail too quickly.", TryLater("throttled"), "GMAIL"),
        rcpt("452 4.2.2 The recipient's inbox is out of storage space.", TryLater("mailbox_full"), "GMAIL"),
        rcpt("452 Requested action not taken: insufficient system storage", TryLater("try_again_later"), "RFC5321"),
        rcpt("421 4.7.0 Try again later, closing connection.", TryLater("server_busy"), "GMAIL"),
        data("421 4.3.0 Temporary System Problem. Try again later", TryLater("server_busy"), "GMAIL"),
        data("451 4.3.0 Mail server temporarily rejected message.", TryLater("try_again_later"), "GMAIL"),
        mail("451 4.3.2 Please try again later", TryLater("server_unavailable"), "RFC3463"),
        # Ours.
        mail("530 5.7.0 Authentication Required.", TryLater("auth_failed", technical=True), "GMAIL"),
        mail("530 5.7.57 Client not authenticated to send mail", TryLater("auth_failed", technical=True), "EXO"),
        mail("553 5.7.1 <notices@example.com>: Sender address rejected: not owned by user",
             TryLater("sender_refused", technical=True), "POSTFIX"),
        mail("552 5.3.4 Message size exceeds fixed limit", LARGE, "RFC3463"),
        rcpt("554 5.7.1 <bo@example.com>: Relay access denied", TryLater("relay_denied", technical=True), "POSTFIX"),
        rcpt("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
             TryLater("relay_denied", technical=True), "qmail-smtpd(8)"),
        rcpt("550 5.7.1 Unable to relay", TryLater("relay_denied", technical=True), "EXO"),
        rcpt("550 5.1.8 Access denied, bad outbound sender", TryLater("sender_refused", technical=True), "EXO"),
        # Of the address.
        rcpt("550 5.1.1 <bo@example.com>: Recipient address rejected: User unknown in local recipient table",
             ADDRESS_DEAD, "POSTFIX"),
        rcpt("550 5.1.1 The email account that you tried to reach does not exist.", ADDRESS_DEAD, "GMAIL"),
        rcpt("550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found by SMTP address lookup", ADDRESS_DEAD, "EXO"),
        rcpt("550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", ADDRESS_DEAD, "EXO"),
        rcpt("550 5.1.1 User unknown in relay recipient table", ADDRESS_DEAD, "POSTFIX"),
        rcpt("550 5.2.1 The email account that you tried to reach is inactive.", ADDRESS_DEAD, "GMAIL"),
        rcpt("550 No such user here", ADDRESS_DEAD, "RFC5321"),
        rcpt("550 5.5.0 Requested action not taken: mailbox unavailable", ADDRESS_DEAD, "EXO"),
        rcpt("551 User not local; please try another server", ADDRESS_DEAD, "RFC5321"),
        rcpt("553 Requested action not taken: mailbox name not allowed", ADDRESS_DEAD, "RFC5321"),
        rcpt("556 5.1.10 Recipient address has null MX", ADDRESS_DEAD, "RFC7505"),
        data("550 5.1.1 No such recipient", ADDRESS_DEAD, "RFC3463"),
        # Of the message.
        rcpt("552 5.2.2 The email account that you tried to reach is over quota.", FULL, "GMAIL"),
        rcpt("550 User account is overquota", FULL, "RFC5321"),
        rcpt("552 Requested mail action aborted: exceeded storage allocation", LARGE, "RFC5321"),
        rcpt("550 5.2.1 The user is receiving mail at a rate that prevents additional messages",
             Refused("throttled", "message"), "GMAIL"),
        rcpt("554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org", POLICY, "POSTFIX"),
        rcpt("550 Blocked by our policy, see https://example.com/why", POLICY, "RFC5321"),
        rcpt("550 5.7.1 This message violates example.com email policy.", POLICY, "GMAIL"),
        data("550 5.7.26 This mail has been blocked because the sender is unauthenticated.", POLICY, "GMAIL"),
        data("552 5.2.3 Your message exceeded size limits.", LARGE, "GMAIL"),
        data("554 5.6.0 Message is malformed", POLICY, "RFC3463"),
        data("554 Transaction failed", POLICY, "RFC5321"),
        data("550 Requested action not taken", Refused("rejected", "message"), "RFC5321"),
        rcpt("501 Syntax error in parameters", Refused("rejected", "message"), "RFC5321"),
        # No sense at all.
        rcpt("299 Hm", TryLater("unexpected_answer"), "RFC5321"),
        data("354 More?", TryLater("unexpected_answer"), "RFC5321"),
        # What it was told, said back.
        rcpt(f"550 5.1.1 <{ADDRESS}>: unknown; {PASSWORD} AGNhbmFyeS11c2VyLTUyAGNhbmFyeS1wYXNzd29yZC05OTE3",
             ADDRESS_DEAD, "POSTFIX"),
        # The connection.
        Row("dropped at RCPT", Step(manner="drop", at="rcpt", answer="550"), TryLater("connection_lost"), "RFC5321"),
        Row("dropped after the final dot", Step(manner="drop", at="data"), UNKNOWN, "RFC5321, 4.5.3.2"),
    )  # fmt: skip
    secrets = (ADDRESS, USERNAME, PASSWORD, "AGNhbmFyeS11c2VyLTUyAGNhbmFyeS1wYXNzd29yZC05OTE3")
    most_bytes = 200_000

    def __init__(self) -> None:
        self.server = MailServer(username=USERNAME, password=PASSWORD)

    async def __aenter__(self) -> "Vendored":
        await self.server.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self.server.__aexit__(*exc)

    def settings(self) -> dict[str, Value]:
        return {
            "host": self.server.host,
            "port": self.server.port,
            "security": "none",
            "username": USERNAME,
            "password": PASSWORD,
            "from": f"Tidings 通知 <{FROM}>",
        }

    def contact(self) -> dict[str, Value]:
        return {"address": ADDRESS}

    def answer(self, answer: Step) -> None:
        self.server.script = {FROM if answer.at == "mail" else ADDRESS: [answer]}

    def received(self) -> Sequence[Received]:
        return [
            Received(
                identity=str(mail.message["Message-ID"]),
                to=mail.recipient,
                text=_text(mail.message),
                names=[*mail.message.keys(), *(part.get_content_type() for part in mail.message.walk())],
                size=len(mail.raw),
                live=in_html(mail.message.get_body(("html",)).get_content()),
            )
            for mail in self.server.taken
        ]

    def payload(self, parcel: Parcel) -> str:
        content = letter(parcel, sender_of(f"Tidings 通知 <{FROM}>")).content
        head, _, _ = content.decode("ascii").partition("\r\n\r\n")
        message = message_from_bytes(content, policy=policy.default)
        bodies = [part.get_content() for part in message.walk() if not part.is_multipart()]
        return "\n\n".join([head.replace("\r\n", "\n"), *(body.replace("\r\n", "\n").rstrip("\n") for body in bodies)])

    def nowhere(self) -> dict[str, dict[str, Value]]:
        return {"settings": {"port": 1}}


def _text(message: Any) -> str:
    plain, page = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))
    return f"{message['Subject']}\n{plain}\n{page}"
