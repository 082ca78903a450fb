"""The receivers on this machine: a mail server and a webhook receiver that verifies, as strict as real ones, some of
them misbehaving as the organisation's file says."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tidings.channels.testing.smtp_server import Mail, MailServer, Step
from tidings.channels.testing.webhook_receiver import Arrival, Reply, WebhookReceiver
from tidings.channels.webhook.signature import new_secret
from tidings.demo.read import Answer, Organisation


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message at a receiver. `delivery` is the id it carries; `answers` are what it met, try after try; of a mail
    only the try that came through has content."""

    delivery: str
    channel: str
    login: str
    headline: str
    subject: str
    content: bytes
    answers: tuple[str, ...]
    page: str = ""
    """The HTML of a mail."""

    @property
    def taken(self) -> int:
        """How often it was taken: once, or more where a try was repeated although it had arrived."""
        return sum(1 for answer in self.answers if answer.startswith("2"))


@dataclass(frozen=True, slots=True)
class Receivers:
    webhooks: WebhookReceiver
    mails: MailServer
    secrets: Mapping[str, str]
    logins: Mapping[str, str]
    """By mail address."""

    @property
    def mail_port(self) -> int:
        return self.mails.port

    def contact(self, path: str) -> dict[str, str]:
        """What somebody enters to be told there."""
        return {"url": self.webhooks.url(path), "secret": self.secrets[path]}

    @property
    def count(self) -> int:
        return len(self.mails.mails) + len(self.webhooks.arrivals)

    def arrived(self) -> list[Arrived]:
        """In the order in which they came, mails first."""
        return [*self._mails(), *self._webhooks()]

    @property
    def complaints(self) -> Sequence[str]:
        """What the receivers would not have taken from anybody: bad signatures, malformed payloads."""
        return self.webhooks.complaints

    def _mails(self) -> list[Arrived]:
        came: dict[str, list[Mail]] = {}
        for mail in self.mails.taken:
            came.setdefault(_delivery(str(mail.message["Message-ID"]).strip("<>").partition("@")[0]), []).append(mail)
        return [self._mail(delivery, mails) for delivery, mails in came.items()]

    def _mail(self, delivery: str, mails: Sequence[Mail]) -> Arrived:
        mail = mails[-1]
        text, page = mail.message.get_body(("plain",)), mail.message.get_body(("html",))
        first = next((line for line in text.get_content().splitlines() if line.strip()), "") if text else ""
        return Arrived(
            delivery=delivery,
            channel="email",
            login=self.logins.get(mail.recipient, mail.recipient),
            headline=first,
            subject=str(mail.message["Subject"]),
            content=mail.raw,
            answers=("250",) * len(mails),
            page=page.get_content() if page else "",
        )

    def _webhooks(self) -> list[Arrived]:
        """The receiver answers the calls of each path in the order of its script, so what each of them met is known."""
        asked: Counter[str] = Counter()
        answers: dict[str, list[str]] = {}
        last: dict[str, Arrival] = {}
        for call in self.webhooks.arrivals:
            script = self.webhooks.script.get(call.path, (Reply(),))
            answers.setdefault(call.identity, []).append(str(script[min(asked[call.path], len(script) - 1)].status))
            asked[call.path] += 1
            last[call.identity] = call
        return [_webhook(call, answers[identity]) for identity, call in last.items()]


@asynccontextmanager
async def receivers(organisation: Organisation) -> AsyncIterator[Receivers]:
    """Running while entered."""
    paths = [path for person in organisation.people for path in (person.webhook, person.own_webhook) if path]
    secrets = {path: new_secret() for path in paths}
    trouble = organisation.trouble
    calls = {path: [_reply(answer) for answer in answers] for path, answers in trouble.webhook.items()}
    mails = {
        f"{login}@{organisation.domain}": [_step(answer) for answer in all_] for login, all_ in trouble.mail.items()
    }
    logins = {organisation.email_of(person): person.login for person in organisation.people}
    async with (
        WebhookReceiver(new_secret(), secrets=secrets, script=calls) as receiver,
        MailServer(script=mails) as server,
    ):
        yield Receivers(receiver, server, secrets, logins)


def _webhook(call: Arrival, answers: Sequence[str]) -> Arrived:
    data = call.payload["data"]
    return Arrived(
        delivery=_delivery(call.identity.removeprefix("msg_")),
        channel="webhook",
        login=data["recipient"],
        headline=data["headline"],
        subject=data["subject"]["title"],
        content=call.body,
        answers=tuple(answers),
    )


def _delivery(hexadecimal: str) -> str:
    """As the API writes it."""
    h = hexadecimal
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def _reply(answer: Answer) -> Reply:
    headers = {"retry-after": str(answer.retry_after)} if answer.retry_after else {}
    return Reply(answer.status, answer.says.encode(), headers, after=answer.after)


def _step(answer: str) -> Step:
    return Step(answer, at="data" if answer.startswith("2") else "rcpt")
