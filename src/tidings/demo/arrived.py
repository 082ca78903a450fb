"""Messages as they arrived: what each receiver kept, read as one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidings.channels.testing.aliyun_sms import Text
from tidings.channels.testing.dingtalk import Told
from tidings.channels.testing.dingtalk_robot import Posted
from tidings.channels.testing.smtp_server import Mail
from tidings.channels.testing.webhook_receiver import Arrival

# How Tidings marks a message of DingTalk: what it is about, and which event.
_MARK = re.compile(r" · ([0-9a-f]{10})$", re.MULTILINE)
_ABOUT = re.compile(r"· ([^\n·]+)$", re.MULTILINE)
_MENTION = re.compile(r"@(\+?[\d-]+)")
_RULER = "\n\n---\n\n"


@dataclass(frozen=True, slots=True)
class Named:
    """A part of a message to a group: what it is about, and the logins it mentions."""

    subject: str
    logins: frozenset[str]


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message at a receiver. `delivery` is the id it carries, or what it carries instead; `answers` are what it
    met, try after try; of a mail only the try that came through has content. `login` is a group's name where a group
    reads it, and `parts` are what it says there. `form` is whose format it has, where not our own."""

    delivery: str
    channel: str
    login: str
    headline: str
    subject: str
    content: bytes
    answers: tuple[str, ...]
    page: str = ""
    """The HTML of a mail."""
    parts: tuple[Named, ...] = ()
    form: str = ""

    @property
    def subjects(self) -> list[str]:
        """What a group's message is about."""
        return list(dict.fromkeys(part.subject for part in self.parts))

    @property
    def taken(self) -> int:
        """How often it was taken: once, or more where a try was repeated although it had arrived."""
        return sum(1 for answer in self.answers if answer.startswith("2"))


def mail_arrived(delivery: str, mails: Sequence[Mail], logins: Mapping[str, str]) -> Arrived:
    mail = mails[-1]
    text, page = mail.message.get_body(("plain",)), mail.message.get_body(("html",))
    first = next((line for line in text.get_content().splitlines() if line.strip()), "") if text else ""
    return Arrived(
        delivery=delivery,
        channel="email",
        login=logins.get(mail.recipient, mail.recipient),
        headline=first,
        subject=str(mail.message["Subject"]),
        content=mail.raw,
        answers=("250",) * len(mails),
        page=page.get_content() if page else "",
    )


def webhook_arrived(call: Arrival, answers: Sequence[str]) -> Arrived:
    if is_dms := "messageEvent" in call.payload:
        event = call.payload["messageEvent"]
        login, subject = event["targetUsers"][0]["uid"], event["taskName"]
        headline = event["message"].partition("\n")[0]
    else:
        data = call.payload["data"]
        login, headline, subject = data["recipient"], data["headline"], data["subject"]["title"]
    return Arrived(
        delivery=delivery_of(call.identity.removeprefix("msg_")),
        channel="webhook",
        login=login,
        headline=headline,
        subject=subject,
        content=call.body,
        answers=tuple(answers),
        form="DMS" if is_dms else "",
    )


def notification_arrived(told: Told) -> Arrived:
    content = told.content
    text = content.get("markdown") or content["text"]
    marks = _MARK.findall(text)
    button = f"\n\n[{content['single_title']}]({content['single_url']})" if "single_url" in content else ""
    return Arrived(
        delivery=f"{marks[-1] if marks else told.task} to {told.user}",
        channel="dingtalk",
        login=told.user,
        headline=content["title"],
        subject="",
        content=f"{text}{button}\n".encode(),
        answers=("200",),
    )


def group_message_arrived(posted: Posted, group: str, logins: Mapping[str, str]) -> Arrived:
    text = posted.content["text"]
    parts = [_named(part, logins) for part in text.split(_RULER)]
    subjects = dict.fromkeys(part.subject for part in parts)
    return Arrived(
        delivery=posted.uuid,
        channel="dingtalk_robot",
        login=group,
        headline=posted.content["title"],
        subject=", ".join(subjects),
        content=f"{text}\n".encode(),
        answers=("200",),
        parts=tuple(parts),
    )


def _named(part: str, logins: Mapping[str, str]) -> Named:
    about = _ABOUT.findall(part)
    mentioned = {digits(mobile) for mobile in _MENTION.findall(part)}
    return Named(about[-1].strip() if about else "", frozenset(logins.get(mobile, mobile) for mobile in mentioned))


def text_arrived(text: Text, login: str) -> Arrived:
    return Arrived(
        delivery=delivery_of(text.out_id),
        channel="sms",
        login=login,
        headline=text.text,
        subject="",
        content=f"{text.text}\n".encode(),
        answers=("200",),
    )


def digits(mobile: str) -> str:
    """However DingTalk or we write it."""
    return "".join(letter for letter in mobile if letter.isdigit()).removeprefix("86")


def delivery_of(hexadecimal: str) -> str:
    """As the API writes it."""
    h = hexadecimal
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
