"""DingTalk to a person, by a work notification or by a message of the app's robot."""

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, ClassVar

from tidings.channels.contract import (
    Budget,
    Channel,
    Code,
    Ended,
    Example,
    Field,
    InvalidField,
    Outcome,
    Parcel,
    Receipt,
    Shown,
    TryLater,
    Values,
    Wire,
)
from tidings.channels.dingtalk import robot_message, work_notification
from tidings.channels.dingtalk.app import App, app_of, digest, find_user
from tidings.channels.field_words import words_beside
from tidings.channels.mobiles import checked_mobile, shown_mobile
from tidings.kernel.http_errors import HttpError
from tidings.kernel.urls import read_url
from tidings.messages.document import Document
from tidings.messages.wording import wording


@dataclass(frozen=True, slots=True)
class Provider:
    """One way to write to persons of an app's company: `most` at a time."""

    most: int
    message: Callable[[Document], bytes]
    preview: Callable[[Document], Shown]
    text: Callable[[str], bytes]
    send: Callable[[App, Sequence[str], bytes, Wire], Coroutine[Any, Any, Mapping[str, Outcome]]]
    results: Callable[[App, str, Sequence[str], Wire], Coroutine[Any, Any, list[Receipt]]]


WORK_NOTIFICATION = Provider(
    work_notification.MOST,
    work_notification.message,
    work_notification.preview,
    work_notification.text,
    work_notification.send,
    work_notification.results,
)
ROBOT = Provider(
    robot_message.MOST,
    robot_message.message,
    robot_message.preview,
    robot_message.text,
    robot_message.send,
    robot_message.results,
)
PROVIDERS: Mapping[str, Provider] = {"work_notification": WORK_NOTIFICATION, "robot": ROBOT}
WORDS = words_beside(__file__)
# As DingTalk makes them, and without the comma that separates them in a list.
_USER_ID = re.compile(r"[A-Za-z0-9_@.$=+/-]{1,64}")


def checked_user_id(text: str) -> str:
    if not _USER_ID.fullmatch(text) or text == "@all":
        raise InvalidField("must be a user ID as the DingTalk address book shows it, without spaces or commas")
    return text


def checked_agent_id(text: str) -> str:
    if int(text) < 1:
        raise InvalidField("must be the AgentId of the app")
    return text


class DingTalkChannel(Channel):
    code = "dingtalk"
    label: ClassVar[Mapping[str, str]] = {"en": "DingTalk", "zh-hans": "钉钉"}
    settings = (
        Field("app_key", "text", WORDS["app_key"], required=True),
        Field("app_secret", "secret", WORDS["app_secret"], required=True, goes_to=("endpoint",)),
        Field(
            "provider",
            "choice",
            WORDS["provider"],
            default="work_notification",
            choices=tuple(PROVIDERS),
        ),
        Field(
            "agent_id",
            "number",
            WORDS["agent_id"],
            required=True,
            check=checked_agent_id,
            when=("provider", "work_notification"),
        ),
        Field("robot_code", "text", WORDS["robot_code"], when=("provider", "robot")),
        Field("endpoint", "url", WORDS["endpoint"]),
    )
    contact = (
        Field(
            "mobile",
            "text",
            WORDS["mobile"],
            check=checked_mobile,
        ),
        Field(
            "user_id",
            "text",
            WORDS["user_id"],
            check=checked_user_id,
        ),
    )
    # DingTalk itself carries the code: who reads it there has that account, whatever number it is bound to.
    verified_by = "code"
    most_together = work_notification.MOST
    # Most results are there within a minute; the last look is before DingTalk forgets, after 24 hours.
    asks_after: ClassVar[Sequence[timedelta]] = (
        timedelta(minutes=1),
        timedelta(minutes=15),
        timedelta(hours=3),
        timedelta(hours=20),
    )

    examples: ClassVar[Mapping[str, Example]] = {
        # The app's robot says it in the same words.
        "": Example({"app_key": "example", "app_secret": "example", "agent_id": 1}, {"user_id": "reader"})
    }

    def destination(self, contact: Values, settings: Values) -> str:
        app, provider = app_of(settings), _provider(settings)
        target = read_url(app.oapi if provider is WORK_NOTIFICATION else app.api)
        return f"{target.bracketed}:{target.port}"

    def address(self, contact: Values) -> str:
        if user_id := contact.get("user_id"):
            return f"{str(user_id)[:2]}***"
        return shown_mobile(str(contact.get("mobile") or ""))

    def account(self, contact: Values, settings: Values) -> str:
        return f"dingtalk:{app_of(settings).key}"

    def together(self, parcel: Parcel) -> str:
        """Who is told the very same, in the same words and for the same reason, can be told at once."""
        message = _provider(parcel.settings).message(parcel.document)
        return digest(app_of(parcel.settings).key, str(parcel.settings.get("provider")), message.decode())

    def budgets(self, parcels: Sequence[Parcel]) -> Sequence[Budget]:
        """https://help.dingtalk.io/open/development/asynchronous-sending-of-enterprise-session-messages: what goes
        beyond is answered as sent and never comes. Of the robot no numbers are known; it says when it is enough."""
        if _provider(parcels[0].settings) is not WORK_NOTIFICATION:
            return ()
        app = app_of(parcels[0].settings)
        people = dict.fromkeys(digest(app.key, *map(str, parcel.contact.values())) for parcel in parcels)
        return (
            Budget(
                f"dingtalk:{app.key}", 5_000, timedelta(minutes=1), "dingtalk_rate", amount=len(people), of="account"
            ),
            *(Budget(f"dingtalk:{one}", 500, timedelta(days=1), "dingtalk_daily_limit") for one in people),
        )

    def preview(self, parcel: Parcel) -> Shown:
        return _provider(parcel.settings).preview(parcel.document)

    async def send(self, parcel: Parcel, wire: Wire) -> Outcome:
        [outcome] = await self.send_together([parcel], wire)
        return outcome

    async def send_together(self, parcels: Sequence[Parcel], wire: Wire) -> Sequence[Outcome]:
        app, provider = app_of(parcels[0].settings), _provider(parcels[0].settings)
        outcomes: dict[int, Outcome] = {}
        places: dict[str, list[int]] = {}
        # One after the other: an app may call 20 times a second, and most of them are remembered.
        for place, parcel in enumerate(parcels):
            try:
                user = await find_user(app, parcel.contact, wire)
            except Ended as error:
                outcomes[place] = error.outcome
            else:
                places.setdefault(user, []).append(place)
        if places:
            message = provider.message(parcels[0].document)
            heard = await _to_all(provider, app, list(places), message, wire)
            outcomes |= {place: heard[user] for user, those in places.items() for place in those}
        return [outcomes[place] for place in range(len(parcels))]

    async def ask(self, provider_ids: Sequence[str], settings: Values, wire: Wire) -> Sequence[Receipt]:
        app = app_of(settings)
        tasks: dict[str, list[str]] = {}
        for provider_id in provider_ids:
            task, _, user = provider_id.partition(":")
            tasks.setdefault(task, []).append(user)
        receipts: list[Receipt] = []
        for task, users in tasks.items():
            # Of before and after a change of provider: the one counts its messages, the other names them by letters.
            provider = WORK_NOTIFICATION if task.isascii() and task.isdigit() else ROBOT
            try:
                receipts += await provider.results(app, task, users, wire)
            except Ended:
                break  # no token: there will be another look
        return receipts

    async def send_code(self, code: Code, wire: Wire) -> Outcome:
        app, provider = app_of(code.settings), _provider(code.settings)
        words = wording(code.language)
        text = f"{words.code_text(code.digits, code.minutes)}\n\n{words.label('code_why')}"
        user = await find_user(app, code.contact, wire, afresh=True)
        return (await provider.send(app, [user], provider.text(text), wire))[user]


def _provider(settings: Values) -> Provider:
    return PROVIDERS[str(settings.get("provider") or "work_notification")]


async def _to_all(provider: Provider, app: App, users: list[str], message: bytes, wire: Wire) -> dict[str, Outcome]:
    """In as many calls as it takes. When a later one cannot be made, the earlier ones have been."""
    heard: dict[str, Outcome] = {}
    waiting = iter(users)
    while some := list(islice(waiting, provider.most)):
        try:
            heard |= await provider.send(app, some, message, wire)
        except Ended as error:
            heard |= dict.fromkeys(some, error.outcome)
        except HttpError as error:
            if not heard:
                raise
            heard |= dict.fromkeys(some, TryLater(error.reason, said=str(error)))
    return heard
