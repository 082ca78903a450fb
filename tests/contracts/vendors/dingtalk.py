"""DingTalk, for an app that writes to persons.

[DT-ERR] https://open.dingtalk.com/document/development/server-api-error-codes-1
[DT-LIMIT] https://open.dingtalk.com/document/development/how-to-process-api-throttling-on-the-dingtalk-server
[DT-QUOTA] http://www.dingtalk.com/qidian/help-detail-1061621972.html
[DT-WORK] https://help.dingtalk.io/open/development/asynchronous-sending-of-enterprise-session-messages
[DT-RESULT] https://zidingyi.apifox.cn/api-37157310
[DT-MOBILE] https://help.dingtalk.io/open/development/query-users-by-phone-number
[DT-OTO] https://help.dingtalk.io/open/development/chatbots-send-one-on-one-chat-messages-in-batches
[DT-P2P] https://help.dingtalk.io/open/development/the-robot-sends-ordinary-messages-in-a-person-to-person-conversation
[DT-ASK2] https://developer.aliyun.com/ask/532743 [DT-ASK3] https://developer.aliyun.com/ask/588455
[DT-SKILL] https://github.com/breath57/dingtalk-skills, references/api.md
[BB-DT] https://github.com/bytebase/bytebase, backend/plugin/webhook/dingtalk/app.go
[PROBED] measured at the real hosts by others, with credentials that do not exist (September 2026)
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tests.contracts.more_than_text import in_markdown

from tidings.channels.contract import Outcome, Parcel, Refused, Sent, TryLater, Value
from tidings.channels.dingtalk import robot_message, work_notification
from tidings.channels.dingtalk.markdown import mark
from tidings.channels.testing.dingtalk import ACCESS_TOKEN, BY_MOBILE, ROBOT_SEND, SEND, DingTalk, refused, said
from tidings.channels.testing.http_server import Reply
from tidings.channels.testing.vendor import Received, Row, Vendor

APP_KEY, APP_SECRET, AGENT = "dingcanary5588app", "canary-app-secret-4471", 3_456_789_012
MOBILE, AS_WRITTEN, USER = "+8613800138000", "13800138000", "bo-0917"
HTML = Reply(200, b"<html><body>busy</body></html>", {"content-type": "text/html"})
X5 = Reply(200, b'{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"24ce64f6"}')

ADDRESS_DEAD = Refused("no_such_user", "address")
NO_ACCOUNT = Refused("no_dingtalk_account", "address")
REJECTED = Refused("rejected", "message")
TOO_LARGE = Refused("too_large", "message")
CONTENT = Refused("content_refused", "message")
CREDENTIALS = TryLater("wrong_app_secret", technical=True)
TOKEN = TryLater("token_refused", technical=True)
PERMISSION = TryLater("permission_missing", technical=True)
IP = TryLater("ip_not_allowed", technical=True)
ROBOT = TryLater("wrong_robot", technical=True)
BUSY = TryLater("vendor_busy", after=timedelta(seconds=30))
SECOND = TryLater("throttled", after=timedelta(seconds=2))
MINUTE = TryLater("throttled", after=timedelta(minutes=1))
PUNISHED = TryLater("throttled", after=timedelta(minutes=5))
USED_UP = TryLater("quota_used_up", after=timedelta(hours=1), technical=True)
DAILY = TryLater("daily_limit", after=timedelta(hours=6))


def at(path: str, name: str, replies: Sequence[Reply | None], outcome: Outcome, source: str) -> Row:
    return Row(f"{path.rpartition('/')[2]}: {name}", (path, replies), outcome, source)


def sending(errcode: int, errmsg: str, outcome: Outcome, source: str, **more: Any) -> Row:
    return at(
        SEND, f"{errcode} {more.get('sub_code', '')} {errmsg}"[:60], [said(errcode, errmsg, **more)], outcome, source
    )


def by_robot(code: str, outcome: Outcome, source: str, status: int = 400) -> Row:
    return at(ROBOT_SEND, f"{status} {code}", [refused(code, "机器人消息发送失败", status)], outcome, source)


class Vendored(Vendor):
    rows: Sequence[Row] = (
        # Sending.
        sending(0, "ok", Sent(), "DT-WORK", task_id=256271667526, request_id="4kzllmte0wau"),
        sending(0, "ok", TryLater("unexpected_answer"), "DT-WORK, without its task"),
        sending(-1, "系统繁忙", BUSY, "DT-ERR"),
        # The token is renewed once; if it is no better, it is not the token.
        *(
            at(SEND, f"{code} {name}, then well", [said(code, name, **more), None], Sent(), source)
            for code, name, more, source in (
                (33, "token expired", {}, "DT-SKILL"),
                (40014, "不合法的access_token", {}, "DT-ERR"),
                (42001, "access_token超时", {}, "DT-ERR"),
                (88, "ding talk error", {}, "BB-DT"),
                (88, "ding talk error 40014", {"sub_code": "40014", "sub_msg": "不合法的access_token"}, "PROBED"),
            )
        ),
        sending(88, "ding talk error", TOKEN, "PROBED", sub_code="40014", sub_msg="不合法的access_token"),
        sending(33, "token expired", TOKEN, "DT-SKILL"),
        sending(88, "ding talk error", PERMISSION, "DT-ERR", sub_code="60011", sub_msg="没有调用该接口的权限"),
        sending(88, "ding talk error", IP, "DT-ERR", sub_code="60020", sub_msg="访问ip不在白名单之中"),
        sending(50002, "企业员工不在授权范围", TryLater("person_not_in_scope", technical=True), "DT-ERR"),
        sending(33012, "无效的USERID", ADDRESS_DEAD, "DT-ERR"),
        sending(40003, "不合法的UserID", ADDRESS_DEAD, "DT-ERR"),
        sending(40035, "不合法的参数", REJECTED, "DT-SKILL"),
        sending(400002, "无效的参数", REJECTED, "DT-ERR"),
        sending(34014, "会话消息的json结构无效或不完整", REJECTED, "DT-ERR"),
        sending(34016, "消息内容长度超过限制", TOO_LARGE, "DT-ERR"),
        # DT-SKILL has 90018 for a list over 100, which is never sent; to DingTalk it is a limit of calls.
        sending(90018, "您的服务器调用钉钉开放平台接口过于频繁", SECOND, "DT-LIMIT"),
        sending(90002, "您的服务器调用钉钉开放平台当前接口的所有请求都被暂时禁用了", SECOND, "DT-LIMIT"),
        sending(90020, "您的企业本月api调用量已超过限制", USED_UP, "DT-QUOTA"),
        sending(143103, "企业单应用消息发送人次QPM超限", MINUTE, "DT-RESULT"),
        sending(143104, "企业每分钟发送人次QPM超限", MINUTE, "DT-RESULT"),
        sending(143105, "单应用给单人每日推送量超限", DAILY, "DT-RESULT"),
        sending(143106, "单应用给单人推送重复消息超限", Refused("duplicate_content", "message"), "DT-RESULT"),
        sending(143203, "ISV单应用发送给单企业人次QPM超限", MINUTE, "DT-RESULT"),
        sending(143204, "ISV单应用发送给所有企业人次QPM超限", MINUTE, "DT-RESULT"),
        sending(143205, "单应用给单人每日推送量超限", DAILY, "DT-RESULT"),
        sending(143206, "单应用给单人推送重复消息超限", Refused("duplicate_content", "message"), "DT-RESULT"),
        sending(1430000, "接受者为空", REJECTED, "DT-RESULT"),
        sending(1430001, "未识别的grantType", REJECTED, "DT-RESULT"),
        sending(1430002, "包含违禁内容", CONTENT, "DT-RESULT"),
        sending(1430003, "触发OAPI系统保护", BUSY, "DT-RESULT"),
        sending(1430004, "超级高管保护", Refused("person_protected", "message"), "DT-RESULT"),
        sending(660026, "sending too many messages per minute", MINUTE, "PROBED"),
        sending(987654, "一个没人见过的错误", TryLater("unexpected_answer"), "no table"),
        sending(400002, f"no {USER} of {APP_SECRET}", REJECTED, "what it might repeat"),
        at(SEND, "punished address", [X5], PUNISHED, "DT-LIMIT"),
        at(SEND, "a page", [HTML], TryLater("unexpected_answer"), "DT-LIMIT"),
        at(SEND, "502", [Reply(502, b"Bad Gateway")], TryLater("vendor_error"), "RFC9110"),
        at(SEND, "429", [Reply(429, b"")], MINUTE, "RFC9110"),
        at(SEND, "nonsense", [Reply(200, b"\xff\x00[")], TryLater("unexpected_answer"), "RFC9110"),
        # Finding the person.
        at(BY_MOBILE, "60121", [said(60121, "找不到该用户")], NO_ACCOUNT, "DT-MOBILE"),
        at(BY_MOBILE, "40104", [said(40104, "无效的手机号")], NO_ACCOUNT, "DT-MOBILE"),
        at(BY_MOBILE, "400002", [said(400002, "无效的参数")], REJECTED, "DT-MOBILE"),
        at(BY_MOBILE, "400002 repeated", [said(400002, f"no {AS_WRITTEN}, {MOBILE}")], REJECTED, "what it might repeat"),
        at(BY_MOBILE, "-1", [said(-1, "系统繁忙")], BUSY, "DT-MOBILE"),
        at(
            BY_MOBILE,
            "88 60011",
            [said(88, "ding talk error", sub_code="60011", sub_msg="没有调用该接口的权限")],
            PERMISSION,
            "DT-ERR",
        ),
        at(BY_MOBILE, "88, then well", [said(88, "ding talk error"), None], Sent(), "BB-DT"),
        # Getting the token.
        at(
            ACCESS_TOKEN,
            "invalidClientIdOrSecret",
            [refused("invalidClientIdOrSecret", "无效的clientId或者clientSecret")],
            CREDENTIALS,
            "PROBED",
        ),
        at(ACCESS_TOKEN, "40089", [said(40089, "不合法的corpid或corpsecret")], CREDENTIALS, "DT-ERR"),
        at(ACCESS_TOKEN, "40096", [said(40096, "不合法的appKey或appSecret")], CREDENTIALS, "PROBED"),
        at(ACCESS_TOKEN, "unknownError", [refused("unknownError", "未知错误", 500)], TryLater("vendor_error"), "PROBED"),
        at(ACCESS_TOKEN, "no token in it", [Reply(200, b"{}")], TryLater("unexpected_answer"), "PROBED"),
    )  # fmt: skip
    secrets = (APP_SECRET, MOBILE, AS_WRITTEN)
    most_bytes = 2_048
    longest_link = 800

    def __init__(self) -> None:
        self.dingtalk = DingTalk(app_key=APP_KEY, app_secret=APP_SECRET, agent_id=AGENT, people={AS_WRITTEN: USER})

    async def __aenter__(self) -> "Vendored":
        await self.dingtalk.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self.dingtalk.__aexit__(*exc)

    def settings(self) -> dict[str, Value]:
        return {
            "app_key": APP_KEY,
            "app_secret": APP_SECRET,
            "agent_id": AGENT,
            "endpoint": self.dingtalk.url("/"),
        }

    def contact(self) -> dict[str, Value]:
        return {"mobile": "+86 138 0013 8000"}

    def answer(self, answer: Any) -> None:
        path, replies = answer
        self.dingtalk.script[path] = replies

    def received(self) -> Sequence[Received]:
        assert self.dingtalk.complaints == []
        return [
            Received(
                identity="\n".join(told.content.values()).rpartition("·")[2],
                to=told.user,
                text="\n".join(told.content.values()),
                names=[told.kind, *sorted(told.content)],
                size=told.size,
                live=[
                    *in_markdown(told.content.get("text") or told.content.get("markdown", "")),
                    f"button to {told.content.get('singleURL') or told.content.get('single_url')}",
                ],
            )
            for told in self.dingtalk.told
        ]

    def identity_of(self, parcel: Parcel) -> str:
        """An event is told to a person once, and to all in the same words."""
        return mark(parcel.document)

    def payload(self, parcel: Parcel) -> str:
        return json.dumps(json.loads(work_notification.message(parcel.document)), ensure_ascii=False, indent=2)

    def nowhere(self) -> dict[str, dict[str, Value]]:
        return {"settings": {"endpoint": "http://127.0.0.1:1"}}


class OfTheRobot(Vendored):
    rows = (
        at(ROBOT_SEND, "well", [None], Sent(), "DT-OTO"),
        at(ROBOT_SEND, "no key", [Reply(200, b"{}")], TryLater("unexpected_answer"), "DT-OTO"),
        at(
            ROBOT_SEND,
            "not this person",
            [Reply(200, json.dumps({"processQueryKey": "k", "invalidStaffIdList": [USER]}).encode())],
            ADDRESS_DEAD,
            "DT-OTO",
        ),
        at(
            ROBOT_SEND,
            "not now",
            [Reply(200, json.dumps({"processQueryKey": "k", "flowControlledStaffIdList": [USER]}).encode())],
            MINUTE,
            "DT-OTO",
        ),
        at(
            ROBOT_SEND,
            "kept from this person",
            [Reply(200, json.dumps({"processQueryKey": "k", "filteredStaffIdList": [USER]}).encode())],
            Refused("filtered", "message"),
            "DT-OTO",
        ),
        at(
            ROBOT_SEND,
            "InvalidAuthentication, then well",
            [refused("InvalidAuthentication", "不合法的access_token"), None],
            Sent(),
            "BB-DT, PROBED",
        ),
        by_robot("InvalidAuthentication", TOKEN, "PROBED"),
        by_robot("invalidParameter.robotCode.empty", ROBOT, "DT-P2P"),
        by_robot("invalidParameter.robotCode.auth", ROBOT, "DT-P2P"),
        by_robot("invalidParameter.robotCode.coolApp", ROBOT, "DT-P2P"),
        by_robot("invalidParameter.robotCode.notExsit", ROBOT, "DT-ASK2"),
        by_robot("invalidParameter.robotCode.missing", ROBOT, "DT-ASK2"),
        by_robot("invalidParameter.robotCode.invalid", ROBOT, "DT-ASK2"),
        by_robot("bot.stopped", ROBOT, "DT-ASK2"),
        by_robot("staffId.notExisted", ADDRESS_DEAD, "DT-ASK3"),
        by_robot("invalidParameter.userIds.empty", REJECTED, "DT-P2P"),
        by_robot("invalidParameter.userIds.overMax", REJECTED, "DT-P2P"),
        by_robot("invalidParameter.msgKey.empty", REJECTED, "DT-P2P"),
        by_robot("invalidParameter.msgKey.invalid", REJECTED, "DT-P2P"),
        by_robot("invalidParameter.msgParam.invalid", REJECTED, "DT-P2P"),
        by_robot("invalidParameter.param.invalid", REJECTED, "DT-P2P"),
        by_robot("invalidParameter.msg.unsupport", REJECTED, "DT-P2P"),
        by_robot("invalidParameter.msgParam.tooLong", TOO_LARGE, "DT-ASK2"),
        by_robot("unknown.send.result", TryLater("result_unknown"), "DT-ASK2"),
        by_robot("send.too.fast", MINUTE, "DT-CONST"),
        by_robot("too.many.group", MINUTE, "DT-CONST"),
        by_robot("too.many.people", MINUTE, "DT-CONST"),
        by_robot("send.byToken.tooFast", MINUTE, "DT-CONST"),
        by_robot("qps.exceed.limit", MINUTE, "DT-ERR"),
        by_robot("request.overlimit", MINUTE, "DT-ERR"),
        by_robot("apiPermissionDenied", PERMISSION, "DT-ERR"),
        by_robot("Forbidden.AccessDenied.AccessTokenPermissionDenied", PERMISSION, "DT-ERR", 403),
        by_robot("Forbidden.AccessDenied.IpNotInWhiteList", IP, "DT-ERR", 403),
        by_robot("Forbidden.AccessDenied.QpsLimitForApi", SECOND, "DT-LIMIT", 403),
        by_robot("Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", SECOND, "DT-LIMIT", 403),
        by_robot("Forbidden.AccessDenied.QpmLimitForAppkeyAndApi", MINUTE, "DT-ERR", 403),
        by_robot("Forbidden.AccessDenied.ApiCountLimitForOrg", USED_UP, "DT-LIMIT", 403),
        by_robot("system.error", TryLater("vendor_error"), "DT-ERR", 500),
        by_robot("something.new", TryLater("unexpected_answer"), "no table"),
        at(ROBOT_SEND, "punished address", [X5], PUNISHED, "DT-LIMIT"),
        at(ROBOT_SEND, "503", [Reply(503, b"")], TryLater("vendor_error"), "RFC9110"),
    )
    most_bytes = 15_000

    def settings(self) -> dict[str, Value]:
        settings = super().settings() | {"provider": "robot"}
        return {name: value for name, value in settings.items() if name != "agent_id"}

    def payload(self, parcel: Parcel) -> str:
        made = json.loads(robot_message.message(parcel.document))
        return json.dumps(made | {"msgParam": json.loads(made["msgParam"])}, ensure_ascii=False, indent=2)


Vendored.forms = {"one_to_one": OfTheRobot}
