"""The receivers on this machine: a mail server, a webhook receiver that verifies, DingTalk, its groups and a provider
of text messages. As strict as real ones, and some of them misbehave as the organisation's file says."""

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote

from tidings.channels.sms.aliyun_template import TEXTS
from tidings.channels.testing.aliyun_sms import AliyunSms, Template
from tidings.channels.testing.dingtalk import DingTalk
from tidings.channels.testing.dingtalk_robot import GroupRobots, Robot
from tidings.channels.testing.smtp_server import Mail, MailServer, Step
from tidings.channels.testing.webhook_receiver import Arrival, Reply, WebhookReceiver
from tidings.channels.webhook.signature import new_secret
from tidings.demo.arrived import (
    Arrived,
    delivery_of,
    digits,
    group_message_arrived,
    mail_arrived,
    notification_arrived,
    text_arrived,
    webhook_arrived,
)
from tidings.demo.read import Answer, Organisation, Person

_APP_KEY, _AGENT, _KEY_ID = "dingqinghe", 3_456_789_012, "LTAI5tQingheDemo"
_SIGNATURE, _SIGNATURE_EN = "青禾数据", "Qinghe"
_TEMPLATES = {
    "SMS_460001": Template(TEXTS["zh-hans"]),
    "SMS_460002": Template(TEXTS["en"]),
    "SMS_460003": Template("您的验证码为：${code}，请勿泄露。", kind="code"),
    "SMS_460004": Template("Your code is ${code}. Tell nobody.", kind="code"),
}
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Receivers:
    webhooks: WebhookReceiver
    mails: MailServer
    dingtalk: DingTalk
    groups: GroupRobots
    texts: AliyunSms
    organisation: Organisation
    app_secret: str
    keys: Mapping[str, str]
    """What each path of the webhook receiver is signed with."""

    @property
    def mail_port(self) -> int:
        return self.mails.port

    def contact(self, path: str) -> dict[str, str]:
        """What somebody enters to be told there."""
        return {"url": self.webhooks.url(path), "secret": self.keys[path]}

    def robot(self, group: str) -> dict[str, str]:
        """As the group's settings show it, to be copied; all who are in it enter the same."""
        token = _token(group)
        url = f"https://oapi.dingtalk.com/robot/send?access_token={quote(token)}"
        return {"url": url, "secret": self.groups.robots[token].secret}

    @property
    def dingtalk_app(self) -> dict[str, object]:
        account = {"app_key": _APP_KEY, "app_secret": self.app_secret, "agent_id": _AGENT}
        return account | {"endpoint": self.dingtalk.url("")}

    @property
    def dingtalk_groups(self) -> dict[str, object]:
        return {"endpoint": self.groups.url("")}

    @property
    def sms_account(self) -> dict[str, object]:
        return {
            "provider": "aliyun",
            "access_key_id": _KEY_ID,
            "access_key_secret": self.texts.access_key_secret,
            "sign_name": _SIGNATURE,
            "template_code": "SMS_460001",
            "sign_name_en": _SIGNATURE_EN,
            "template_code_en": "SMS_460002",
            "code_template_code": "SMS_460003",
            "code_template_code_en": "SMS_460004",
            "endpoint": self.texts.url(""),
        }

    @property
    def count(self) -> int:
        vendors = len(self.dingtalk.told) + len(self.groups.posted) + len(self.texts.texts)
        return len(self.mails.mails) + len(self.webhooks.arrivals) + vendors

    def arrived(self) -> list[Arrived]:
        """In the order in which they came, channel by channel."""
        return [*self._mails(), *self._webhooks(), *self._dingtalk(), *self._groups(), *self._texts()]

    @property
    def complaints(self) -> Sequence[str]:
        """What receivers would not have taken from anybody: bad signatures, malformed payloads, too much at once."""
        punished = [token for token, robot in self.groups.robots.items() if robot.punished_until]
        return [
            *self.webhooks.complaints,
            *self.dingtalk.complaints,
            *self.groups.complaints,
            *self.texts.wrong,
            *(f"the robot {token} was silenced for saying more than 20 things a minute" for token in punished),
        ]

    @property
    def most_a_minute(self) -> int:
        """How much one robot said at most in any minute."""
        said: dict[str, list[float]] = {}
        for posted in self.groups.posted:
            said.setdefault(posted.token, []).append(posted.at)
        spans = (sum(start <= at < start + _MINUTE for at in times) for times in said.values() for start in times)
        return max(spans, default=0)

    def _mails(self) -> list[Arrived]:
        came: dict[str, list[Mail]] = {}
        for mail in self.mails.taken:
            came.setdefault(delivery_of(str(mail.message["Message-ID"]).strip("<>").partition("@")[0]), []).append(mail)
        logins = {self.organisation.email_of(person): person.login for person in self.organisation.people}
        return [mail_arrived(delivery, mails, logins) for delivery, mails in came.items()]

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
        return [webhook_arrived(call, answers[identity]) for identity, call in last.items()]

    def _dingtalk(self) -> Iterator[Arrived]:
        for told in self.dingtalk.told:
            yield notification_arrived(told)

    def _groups(self) -> Iterator[Arrived]:
        logins = {digits(person.mobile): person.login for person in self.organisation.people if person.mobile}
        names = {_token(group): group for group in self.organisation.robots}
        for posted in self.groups.posted:
            yield group_message_arrived(posted, names[posted.token], logins)

    def _texts(self) -> Iterator[Arrived]:
        logins = {person.mobile.removeprefix("+"): person.login for person in self.organisation.people}
        for text in self.texts.texts:
            yield text_arrived(text, logins.get(text.number, text.number))


@asynccontextmanager
async def receivers(organisation: Organisation) -> AsyncIterator[Receivers]:
    """Running while entered."""
    people, trouble = organisation.people, organisation.trouble
    paths = [path for person in people for path in (person.webhook, person.own_webhook) if path]
    keys = {path: new_secret() for path in paths} | {
        # What DMS takes as a key is any text.
        person.webhook: secrets.token_urlsafe(12)
        for person in people
        if person.webhook_format == "dms"
    }
    calls = {path: [_reply(answer) for answer in answers] for path, answers in trouble.webhook.items()}
    mails = {
        f"{login}@{organisation.domain}": [_step(answer) for answer in all_] for login, all_ in trouble.mail.items()
    }
    staff = {digits(one.mobile): one.login for one in people if one.mobile and one.login not in trouble.no_dingtalk}
    robots = {_token(group): Robot(["DMS"], f"SEC{secrets.token_hex(32)}") for group in organisation.robots}
    fates = {_number(people, login): fate for login, fate in trouble.sms.items()}
    app_secret = secrets.token_urlsafe(24)
    async with (
        WebhookReceiver(new_secret(), secrets=keys, script=calls) as receiver,
        MailServer(script=mails) as server,
        DingTalk(app_key=_APP_KEY, app_secret=app_secret, agent_id=_AGENT, people=staff) as dingtalk,
        GroupRobots(robots) as groups,
        AliyunSms(_KEY_ID, secrets.token_urlsafe(24), (_SIGNATURE, _SIGNATURE_EN), _TEMPLATES, fates=fates) as texts,
    ):
        yield Receivers(receiver, server, dingtalk, groups, texts, organisation, app_secret, keys)


def _token(group: str) -> str:
    """A made-up one, the same in every demo."""
    return f"qinghe-demo-{group}-robot-token"


def _number(people: Sequence[Person], login: str) -> str:
    """As the provider writes it."""
    return next(person.mobile for person in people if person.login == login).removeprefix("+")


def _reply(answer: Answer) -> Reply:
    headers = {"retry-after": str(answer.retry_after)} if answer.retry_after else {}
    return Reply(answer.status, answer.says.encode(), headers, after=answer.after)


def _step(answer: str) -> Step:
    return Step(answer, at="data" if answer.startswith("2") else "rcpt")
