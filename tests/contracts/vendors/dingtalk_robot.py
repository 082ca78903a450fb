"""DingTalk's group robots.

[DT-ROBOT] https://help.dingtalk.io/open/development/custom-robots-send-group-messages
[DT-SAFE] https://help.dingtalk.io/open/dingstart/customize-robot-security-settings
[DT-PROBE] measured at the real host by others, with tokens that do not exist (September 2026); quotes Alibaba's table
[DT-LIMIT] https://open.dingtalk.com/document/development/how-to-process-api-throttling-on-the-dingtalk-server
[DT-130101] https://blog.csdn.net/jialiuyang/article/details/118615052
[DT-IP] https://github.com/sansan0/TrendRadar/issues/70
[DT-CLOCK] https://github.com/jenkinsci/dingtalk-plugin/issues/116
[DT-SIZE] https://github.com/timonwong/prometheus-webhook-dingtalk/issues/30 and pull/222
[DT-SKILL] https://github.com/breath57/dingtalk-skills, references/api.md [DT-ASK] a third-party table
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tests.contracts.more_than_text import in_markdown

from tidings.channels.contract import Outcome, Parcel, Refused, Sent, TryLater, Value
from tidings.channels.dingtalk_robot.message import letter
from tidings.channels.testing.dingtalk import said
from tidings.channels.testing.dingtalk_robot import GroupRobots, Robot
from tidings.channels.testing.http_server import Reply
from tidings.channels.testing.vendor import Received, Row, Vendor

TOKEN = "canary5f3a9c1be20d774e6a8c9b0d1f2e3a4b5c6d7e8f90123456789abcdef0123456"
SECRET = "SECcanary7d1c4f0a9b8e7d6c5b4a39281706f5e4d3c2b1a0"
KEYWORD = "DMS"

NO_ROBOT = Refused("no_such_robot", "address")
REJECTED = Refused("rejected", "message")
CONTENT = Refused("content_refused", "message")
TOO_LARGE = Refused("too_large", "message")
PUNISHED = TryLater("throttled", after=timedelta(minutes=10))
USED_UP = TryLater("quota_used_up", after=timedelta(hours=1), technical=True)
WORDS = TryLater("keyword_missing", technical=True)
SIGN = Refused("wrong_secret", "address")
IP = TryLater("ip_not_allowed", technical=True)
CLOCK = TryLater("clock_wrong", technical=True)
SEE = "solution:请确认签名和生成签名的时间戳必须都放在调用的网址中，请确认机器人的密钥加密和填写正确;link:请参考本接口对应文档;"


def row(errcode: int, errmsg: str, outcome: Outcome, where: str, **more: Any) -> Row:
    return Row(f"{errcode} {errmsg}"[:60], said(errcode, errmsg, **more), outcome, where)


class Vendored(Vendor):
    rows = (
        Row("well, by itself", None, Sent(), "DT-ROBOT"),
        row(0, "ok", Sent(), "DT-ROBOT"),
        row(-1, "系统繁忙", TryLater("vendor_busy", after=timedelta(seconds=30)), "DT-PROBE"),
        row(310000, "keywords not in content", WORDS, "DT-PROBE"),
        row(310000, "keywords not in content, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]", WORDS, "DT-PROBE"),
        row(310000, "description:关键词不匹配;solution:请联系群管理员查看此机器人的关键词;", WORDS, "DT-SAFE"),
        row(310000, "sign not match", SIGN, "DT-PROBE"),
        row(310000, f"description:机器人发送签名不匹配;{SEE}", SIGN, "DT-SAFE"),
        row(310000, f"错误描述:机器人发送签名不匹配;解决方案:{SEE}", SIGN, "DT-SAFE"),
        row(310000, "ip 203.0.113.7 not in whitelist", IP, "DT-PROBE"),
        row(310000, "description:ip 不在白名单中;solution:请联系对应群的管理员，设置机器人安全ip地址段;", IP, "DT-IP"),
        row(310000, "invalid timestamp", CLOCK, "DT-CLOCK"),
        row(310000, "token is not exist", NO_ROBOT, "DT-PROBE"),
        row(310000, "description:安全设置;", TryLater("security_refused", technical=True), "no table"),
        row(300005, "token is not exist", NO_ROBOT, "DT-PROBE"),
        row(300001, "token is not exist", NO_ROBOT, "DT-PROBE"),
        row(300001, "frequency limit", PUNISHED, "DT-PROBE, an older reading"),
        row(400101, "access_token不存在", NO_ROBOT, "DT-PROBE"),
        row(400106, "机器人不存在", NO_ROBOT, "DT-PROBE"),
        row(400102, "机器人已停用", Refused("robot_stopped", "address"), "DT-PROBE"),
        row(400013, "群已被解散", Refused("group_dissolved", "address"), "DT-PROBE"),
        row(400105, "不支持的消息类型", REJECTED, "DT-PROBE"),
        row(40035, "缺少参数 access_token", NO_ROBOT, "DT-PROBE"),
        row(40035, "不合法的参数", REJECTED, "DT-PROBE"),
        row(43002, "需要POST请求", REJECTED, "DT-PROBE"),
        row(43004, "无效的HTTP HEADER Content-Type", REJECTED, "DT-PROBE"),
        row(130101, "send too fast, exceed 20 times per minute", PUNISHED, "DT-130101"),
        row(130101, "send too fast", PUNISHED, "DT-130101", status=1111, wait=5, source="x5", punish="deny", uuid="9ff0"),
        Row(
            "the punishment without a code",
            Reply(200, b'{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"24ce64f6"}'),
            TryLater("throttled", after=timedelta(minutes=5)),
            "DT-LIMIT",
        ),
        row(410100, "发送速度太快而限流", PUNISHED, "DT-PROBE"),
        row(302033, "send too fast", PUNISHED, "DT-SKILL"),
        row(660026, "sending too many messages per minute", PUNISHED, "DT-PROBE"),
        row(555555, "消息发送太快", PUNISHED, "no table, but its words"),
        row(90030, "webhook over limit", USED_UP, "DT-ASK"),
        row(90020, "您的企业本月api调用量已超过限制", USED_UP, "http://www.dingtalk.com/qidian/help-detail-1061621972.html"),
        row(460101, "message too long, exceed 20000 bytes", TOO_LARGE, "DT-SIZE"),
        row(460101, "description: body 大小不合法;solution:请保持大小在 20000bytes 以内;", TOO_LARGE, "DT-SIZE"),
        row(101002, "message is too long", TOO_LARGE, "DT-SIZE"),
        row(430101, "包含不安全的外链", CONTENT, "facts, not read at the source"),
        row(430102, "包含不合适的文本", CONTENT, "facts, not read at the source"),
        row(430103, "包含不合适的图片", CONTENT, "facts, not read at the source"),
        row(430104, "包含不合适的内容", CONTENT, "facts, not read at the source"),
        row(987654, "一个没人见过的错误", TryLater("unexpected_answer"), "no table"),
        row(400105, f"no {SECRET} of {TOKEN}", REJECTED, "what it might repeat"),
        Row("a page", Reply(200, b"<html></html>"), TryLater("unexpected_answer"), "DT-LIMIT"),
        Row("502", Reply(502, b"Bad Gateway"), TryLater("vendor_error"), "RFC9110"),
        Row("429", Reply(429, b""), PUNISHED, "RFC9110"),
    )  # fmt: skip
    secrets = (TOKEN, SECRET)
    most_bytes = 20_000
    longest_link = 800

    def __init__(self) -> None:
        self.group = GroupRobots({TOKEN: Robot(keywords=[KEYWORD], secret=SECRET)})

    async def __aenter__(self) -> "Vendored":
        await self.group.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self.group.__aexit__(*exc)

    def settings(self) -> dict[str, Value]:
        return {"keyword": KEYWORD, "endpoint": self.group.url("/")}

    def contact(self) -> dict[str, Value]:
        return {"url": f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}", "secret": SECRET}

    def answer(self, answer: Any) -> None:
        self.group.script[TOKEN] = [answer]

    def received(self) -> Sequence[Received]:
        assert self.group.complaints == []
        return [
            Received(
                identity=posted.uuid,
                to=posted.token,
                text="\n".join(posted.content.values()),
                names=posted.names,
                size=posted.size,
                live=[*in_markdown(posted.content["text"]), *(f"@{mobile}" for mobile in posted.mentioned)],
            )
            for posted in self.group.posted
        ]

    def payload(self, parcel: Parcel) -> str:
        return json.dumps(json.loads(letter([parcel], KEYWORD).body), ensure_ascii=False, indent=2)

    def nowhere(self) -> dict[str, dict[str, Value]]:
        return {"settings": {"endpoint": "http://127.0.0.1:1"}}
