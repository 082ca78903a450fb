"""What DingTalk's codes mean for a group robot: all of them in a 200.

Sources beside those of `dingtalk/answer.py`:
[DT-ROBOT] https://help.dingtalk.io/open/development/custom-robots-send-group-messages
[DT-PROBE] measured at the real host by others, with tokens that do not exist, in September 2026; they quote Alibaba's
table of error codes and a mirror of the official page
[DT-SIZE] https://github.com/timonwong/prometheus-webhook-dingtalk/issues/30 and pull/222
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from tidings.channels.contract import Answer, Outcome, Refused, TryLater
from tidings.channels.dingtalk.answer import USED_UP, Said, read, verdict
from tidings.channels.dingtalk_robot.robot import Robot

SECURITY = "310000"
# Whoever sends a 21st message in a minute is not heard for ten. [DT-ROBOT]
PUNISHMENT = TryLater("throttled", after=timedelta(minutes=10))
_NO_ROBOT = Refused("no_such_robot", of="address")
_REJECTED = Refused("rejected", of="message")
_CONTENT = Refused("content_refused", of="message")
_TOO_LARGE = Refused("too_large", of="message")

VERDICTS: Mapping[str, Outcome] = {
    # Of the robot, which its owner gave us.
    "300001": _NO_ROBOT,
    "300005": _NO_ROBOT,
    "400101": _NO_ROBOT,
    "400106": _NO_ROBOT,
    "400102": Refused("robot_stopped", of="address"),
    "400013": Refused("group_dissolved", of="address"),
    # Of the message.
    "40035": _REJECTED,
    "43002": _REJECTED,
    "43004": _REJECTED,
    "400105": _REJECTED,
    "430101": _CONTENT,
    "430102": _CONTENT,
    "430103": _CONTENT,
    "430104": _CONTENT,
    "101002": _TOO_LARGE,
    "460101": _TOO_LARGE,
    # Not now.
    "130101": PUNISHMENT,
    "302033": PUNISHMENT,
    "410100": PUNISHMENT,
    "660026": PUNISHMENT,
    "90030": USED_UP,
}
# One code for all that a robot's security may object to; the first whose words are there. Of "description:...;
# solution:...;" only the description is read: the solution of one names the words of another.
#   description:机器人发送签名不匹配;solution:请确认签名和生成签名的时间戳必须都放在调用的网址中...
#   description:关键词不匹配;solution:请联系群管理员查看此机器人的关键词，并在发送的信息中包含此关键词;
#   description:ip 不在白名单中;solution:请联系对应群的管理员，设置机器人安全ip地址段;
# The words are in the tenant's settings and the address is ours: an administrator's business. The secret is a part of
# the address, and its owner's.
_SECURITY: tuple[tuple[re.Pattern[str], Outcome], ...] = (
    (re.compile(r"keyword|关键词", re.IGNORECASE), TryLater("keyword_missing", technical=True)),
    (re.compile(r"timestamp|时间戳", re.IGNORECASE), TryLater("clock_wrong", technical=True)),
    (re.compile(r"sign|签名", re.IGNORECASE), Refused("wrong_secret", of="address")),
    (re.compile(r"whitelist|白名单|\bip\b", re.IGNORECASE), TryLater("ip_not_allowed", technical=True)),
    (re.compile(r"token is not exist", re.IGNORECASE), _NO_ROBOT),
)
_OBJECTED = TryLater("security_refused", technical=True)
# "The difference from the request invocation time must not exceed 1 hour"; a little less, for whoever's clock drifts.
CLOCKS_APART = timedelta(minutes=55)
_TOO_OFTEN = re.compile(r"too fast|frequency|频", re.IGNORECASE)


def judge(answer: Answer, robot: Robot, now: datetime) -> Outcome:
    """Of what is not fine."""
    heard = read(answer)
    table = {**VERDICTS, SECURITY: _security(heard, answer, now)} if heard.code == SECURITY else VERDICTS
    if heard.code == "300001" and _TOO_OFTEN.search(heard.words):
        # In Alibaba's table it is a token that does not exist; older descriptions had it for what came too often.
        table = {**VERDICTS, "300001": PUNISHMENT}
    if heard.code == "40035" and "access_token" in heard.words:
        table = {**VERDICTS, "40035": _NO_ROBOT}
    return verdict(heard, table, hide=robot.hidden, too_often=PUNISHMENT)


def _security(heard: Said, answer: Answer, now: datetime) -> Outcome:
    description = heard.words.partition(";")[0]
    outcome = next((outcome for words, outcome in _SECURITY if words.search(description)), _OBJECTED)
    # Before a secret is called wrong: a signature is of a time, and every robot would be refused if our clock were off.
    return (
        TryLater("clock_wrong", technical=True) if isinstance(outcome, Refused) and _clock_off(answer, now) else outcome
    )


def _clock_off(answer: Answer, now: datetime) -> bool:
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        return False
    return abs((theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)) - now) > CLOCKS_APART
