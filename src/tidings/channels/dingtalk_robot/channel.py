"""A robot in a DingTalk group. Its members see one message for all whom an event concerns, and one for several events
when there are more than it may send."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

import msgspec

from tidings.channels.contract import (
    Budget,
    Channel,
    Example,
    Field,
    Outcome,
    Parcel,
    Refused,
    Sent,
    Shown,
    TryLater,
    Values,
    Wire,
)
from tidings.channels.dingtalk.answer import read, words_of
from tidings.channels.dingtalk.app import JSON, digest
from tidings.channels.dingtalk_robot.message import letter
from tidings.channels.dingtalk_robot.robot import checked_robot_url, robot_of, shown_robot
from tidings.channels.dingtalk_robot.verdict import judge
from tidings.channels.field_words import words_beside
from tidings.kernel.urls import read_url

WORDS = words_beside(__file__)
# DingTalk takes 20 and punishes the 21st with ten minutes of silence. A call is counted here when it leaves and there
# when it arrives, so two may come closer together than they left.
MOST_A_MINUTE = 18


class DingTalkRobotChannel(Channel):
    code = "dingtalk_robot"
    label: ClassVar[Mapping[str, str]] = {"en": "DingTalk chatbot", "zh-hans": "钉钉机器人"}
    settings = (
        Field("keyword", "text", WORDS["keyword"], default="DMS"),
        Field("endpoint", "url", WORDS["endpoint"]),
    )
    contact = (
        Field(
            "url",
            "url",
            WORDS["url"],
            required=True,
            check=checked_robot_url,
            shown=shown_robot,
        ),
        Field("secret", "secret", WORDS["secret"], known_at="url"),
    )
    verified_by = "test"
    most_together = 50
    examples: ClassVar[Mapping[str, Example]] = {
        "": Example({}, {"url": "https://oapi.dingtalk.com/robot/send?access_token=example"})
    }

    def destination(self, contact: Values, settings: Values) -> str:
        target = read_url(robot_of(contact, settings).url)
        return f"{target.bracketed}:{target.port}"

    def address(self, contact: Values) -> str:
        return shown_robot(str(contact["url"]))

    def account(self, contact: Values, settings: Values) -> str:
        return robot_of(contact, settings).key

    def together(self, parcel: Parcel) -> str:
        """Who uses the same robot in the same way: with another secret or keyword it may listen to one and not to the
        other. The budget is the robot's, whoever uses it."""
        robot = robot_of(parcel.contact, parcel.settings)
        return f"{robot.key}:{digest(robot.url, robot.secret, _keyword(parcel))}"

    def budgets(self, parcels: Sequence[Parcel]) -> Sequence[Budget]:
        key = robot_of(parcels[0].contact, parcels[0].settings).key
        return (Budget(key, MOST_A_MINUTE, timedelta(minutes=1), "dingtalk_robot_rate"),)

    def preview(self, parcel: Parcel) -> Shown:
        shown = msgspec.json.decode(letter([parcel], _keyword(parcel)).body)["markdown"]
        return Shown(shown["text"], markup="markdown", title=shown["title"])

    async def send(self, parcel: Parcel, wire: Wire) -> Outcome:
        [outcome] = await self.send_together([parcel], wire)
        return outcome

    async def send_together(self, parcels: Sequence[Parcel], wire: Wire) -> Sequence[Outcome]:
        first = parcels[0]
        robot = robot_of(first.contact, first.settings)
        if not robot.allowed:
            # A token that was meant for DingTalk is told to nobody else.
            return [Refused("not_a_dingtalk_url", of="address")] * len(parcels)
        made = letter(parcels, _keyword(first))
        answer = await wire.request("POST", robot.signed(first.now), headers=JSON, body=made.body)
        heard = read(answer)
        outcome = Sent(said=words_of(heard, ())) if heard.fine else judge(answer, robot, first.now)
        # Those the message only counts come with the next one.
        later: Outcome = TryLater("no_room") if heard.fine else outcome
        return [later if place in made.left_out else outcome for place in range(len(parcels))]


def _keyword(parcel: Parcel) -> str:
    return str(parcel.settings.get("keyword") or "")
