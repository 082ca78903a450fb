"""DingTalk's group robots: every answer is a 200, each robot has the security its owner chose, and the 21st message of
a minute is punished with ten minutes of silence."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

from tidings.channels.testing.dingtalk import said
from tidings.channels.testing.http_server import HttpServer, Reply, Request

PATH = "/robot/send"
MOST_BYTES = 20_000
MOST_A_MINUTE = 20
PUNISHED_SECONDS = 600.0
HOUR_MS = 3_600_000
MESSAGES: Mapping[str, frozenset[str]] = {
    "text": frozenset({"content"}),
    "markdown": frozenset({"title", "text"}),
    "actionCard": frozenset({"title", "text", "singleTitle", "singleURL"}),
}


@dataclass(slots=True)
class Robot:
    """`state` of the robot: gone as it is when its group removed it."""

    keywords: Sequence[str] = ()
    secret: str = ""
    addresses: Sequence[str] = ()
    """Allowed callers; they all call from 127.0.0.1 here. Empty: whoever calls."""
    state: str = "well"
    sent: list[float] = field(default_factory=list)
    punished_until: float = 0.0
    uuids: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Posted:
    """What a group sees. `mentioned` are the mobiles that became mentions: in `at`, and in the text. `at` is in seconds
    of the clock."""

    token: str
    kind: str
    content: Mapping[str, str]
    mentioned: Sequence[str]
    uuid: str
    size: int
    names: Sequence[str]
    at: float


class GroupRobots(HttpServer):
    """`async with GroupRobots({"token": Robot(...)}) as vendor:`, then POST to `vendor.webhook("token")`.

    `script` maps a token to its answers in order, the last of which repeats; None is the answer it would give by
    itself. What a client must not do is in `complaints`.
    """

    def __init__(
        self,
        robots: Mapping[str, Robot],
        *,
        script: Mapping[str, Sequence[Reply | None]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self.posted: list[Posted] = []
        self.complaints: list[str] = []
        self.robots = dict(robots)
        self.script: dict[str, Sequence[Reply | None]] = dict(script or {})
        self._asked: dict[str, int] = {}
        self._clock = clock

    def webhook(self, token: str) -> str:
        return self.url(f"{PATH}?access_token={token}")

    def reply(self, request: Request) -> Reply:
        reply = self._answer(request)
        # As every host of theirs does; a client can tell by it whose clock is wrong.
        return Reply(reply.status, reply.body, {**reply.headers, "date": formatdate(self._clock(), usegmt=True)})

    def _answer(self, request: Request) -> Reply:
        path, _, query = request.target.partition("?")
        given = dict(parse_qsl(query))
        token = given.get("access_token", "")
        asked, self._asked[token] = self._asked.get(token, 0), self._asked.get(token, 0) + 1
        if script := self.script.get(token):
            scripted = script[min(asked, len(script) - 1)]
            if scripted is not None:
                return scripted
        if path != PATH:
            return said(404, "请求的URI地址不存在")
        if request.method != "POST":
            return said(43002, "需要POST请求")
        if not token:
            return said(40035, "缺少参数 access_token")
        return self._spoken(token, given, request)

    def _spoken(self, token: str, given: Mapping[str, str], request: Request) -> Reply:
        robot = self.robots.get(token)
        if robot is None or robot.state == "gone":
            return said(300005, "token is not exist")
        if robot.state != "well":
            return said(*{"stopped": (400102, "机器人已停用"), "dissolved": (400013, "群已被解散")}[robot.state])
        if not request.headers.get("content-type", "").startswith("application/json"):
            return said(43004, "无效的HTTP HEADER Content-Type")
        now = self._clock()
        if now < robot.punished_until:
            return _too_fast()
        if len(request.body) > MOST_BYTES:
            self.complaints.append(f"{len(request.body)} bytes")
            return said(460101, "description: body 大小不合法;solution:请保持大小在 20000bytes 以内;")
        try:
            body = json.loads(request.body)
        except ValueError:
            return said(40035, "不合法的参数")
        return self._objection(robot, given, body, now) or self._post(token, robot, body, request, now)

    def _objection(self, robot: Robot, given: Mapping[str, str], body: Any, now: float) -> Reply | None:
        kind = str(body.get("msgtype")) if isinstance(body, dict) else ""
        content = body.get(kind) if isinstance(body, dict) else None
        if kind not in MESSAGES or not isinstance(content, dict):
            return said(400105, "description:不支持的消息类型;")
        if set(content) != MESSAGES[kind] or not all(isinstance(text, str) and text for text in content.values()):
            self.complaints.append(f"{kind} with {sorted(content)}")
            return said(40035, "不合法的参数")
        if robot.secret and (objection := _unsigned(robot.secret, given, now)):
            return said(310000, objection)
        text = " ".join(content.values())
        if robot.keywords and not any(word in text for word in robot.keywords):
            return said(
                310000,
                "description:关键词不匹配;solution:请联系群管理员查看此机器人的关键词，并在发送的信息中包含此关键词;",
            )
        if robot.addresses and "127.0.0.1" not in robot.addresses:
            return said(310000, "description:ip 不在白名单中;solution:请联系对应群的管理员，设置机器人安全ip地址段;")
        return None

    def _post(self, token: str, robot: Robot, body: dict[str, Any], request: Request, now: float) -> Reply:
        uuid = str(body.get("msgUuid", ""))
        if uuid and uuid in robot.uuids:
            return said(0, "ok")
        robot.sent = [*[at for at in robot.sent if at > now - 60], now]
        if len(robot.sent) > MOST_A_MINUTE:
            robot.punished_until = now + PUNISHED_SECONDS
            return _too_fast()
        robot.uuids.add(uuid)
        content, at = body[body["msgtype"]], body.get("at") or {}
        text = " ".join(content.values())
        mobiles = [str(mobile) for mobile in at.get("atMobiles") or ()]
        written = set(re.findall(r"@(\+?[\d-]+)", text))
        if silent := [mobile for mobile in mobiles if mobile not in written]:
            self.complaints.append(f"mentions that do not show: {silent}")
        self.posted.append(
            Posted(
                token=token,
                kind=body["msgtype"],
                content=content,
                mentioned=[mobile for mobile in mobiles if mobile in written],
                uuid=uuid,
                size=len(request.body),
                names=[*sorted(body), *sorted(content), *sorted(at)],
                at=now,
            )
        )
        return said(0, "ok")


def _too_fast() -> Reply:
    captured = {"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "9ff0e7e2346aabb5a8bcbb7c93c71636"}
    return said(130101, "send too fast, exceed 20 times per minute", **captured)


def _unsigned(secret: str, given: Mapping[str, str], now: float) -> str:
    timestamp = given.get("timestamp", "")
    content = f"{timestamp}\n{secret}".encode()
    right = base64.b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()
    if not timestamp.isdigit() or given.get("sign") != right:
        return (
            "description:机器人发送签名不匹配;solution:请确认签名和生成签名的时间戳必须都放在调用的网址中，"
            "请确认机器人的密钥加密和填写正确;link:请参考本接口对应文档获得具体要求;"
        )
    return "" if abs(int(timestamp) - now * 1000) <= HOUR_MS else "invalid timestamp"
