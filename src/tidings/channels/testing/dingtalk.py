"""DingTalk's two hosts in one, for an app that writes to persons: as strict as they are, and as silent.

The old host answers everything with 200 and an errcode, a bad token within 88; the new one with a status and a code of
letters. A work notification beyond a limit, or with content its reader had that day, is taken like any other and does
not come; only its result tells.
"""

import json
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tidings.channels.testing.http_server import HttpServer, Reply, Request

DAY = 86_400.0
TOKEN_SECONDS = 7_200
GETTOKEN = "/gettoken"
ACCESS_TOKEN = "/v1.0/oauth2/accessToken"  # noqa: S105
BY_MOBILE = "/topapi/v2/user/getbymobile"
SEND = "/topapi/message/corpconversation/asyncsend_v2"
RESULT = "/topapi/message/corpconversation/getsendresult"
ROBOT_SEND = "/v1.0/robot/oToMessages/batchSend"
ROBOT_READ = "/v1.0/robot/oToMessages/readStatus"
MOST_BYTES = 2_048
# Members of each message type, as the page of the types has them; the length each may have.
MESSAGES: Mapping[str, Mapping[str, int]] = {
    "text": {"content": 5_000},
    "markdown": {"title": 64, "text": 5_000},
    "action_card": {"title": 64, "markdown": 5_000, "single_title": 20, "single_url": 500},
}
ROBOT_MESSAGES: Mapping[str, frozenset[str]] = {
    "sampleText": frozenset({"content"}),
    "sampleMarkdown": frozenset({"title", "text"}),
    "sampleActionCard": frozenset({"title", "text", "singleTitle", "singleURL"}),
}


@dataclass(frozen=True, slots=True)
class Told:
    """What one person can read now; `content` are the members of the message."""

    user: str
    kind: str
    content: Mapping[str, str]
    size: int
    task: str


@dataclass(slots=True)
class Task:
    agent: int
    at: float
    decided: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    forbidden: list[dict[str, Any]] = field(default_factory=list)


class DingTalk(HttpServer):
    """`async with DingTalk(...) as vendor:`, then `vendor.url("")` is the endpoint.

    `people` maps a mobile, as DingTalk writes it, to a user id. `script` maps a path to its answers in order, the last
    of which repeats; None is the answer it would give by itself. What a client must not do is in `complaints`. `clock`
    is in seconds; what happens to a message is known `decides_after` seconds.
    """

    def __init__(
        self,
        *,
        app_key: str,
        app_secret: str,
        agent_id: int,
        robot_code: str = "",
        people: Mapping[str, str],
        script: Mapping[str, Sequence[Reply | None]] | None = None,
        clock: Callable[[], float] = time.time,
        decides_after: float = 0.0,
    ) -> None:
        super().__init__()
        self.told: list[Told] = []
        self.complaints: list[str] = []
        self.calls: Counter[str] = Counter()
        self.script: dict[str, Sequence[Reply | None]] = dict(script or {})
        self.people = dict(people)
        self.flow_controlled: set[str] = set()
        self.filtered: set[str] = set()
        self.most_a_day, self.most_a_minute = 500, 5_000
        self._key, self._secret, self._agent = app_key, app_secret, agent_id
        self._robot, self._clock, self._decides_after = robot_code or app_key, clock, decides_after
        self._token, self._valid_until = "", 0.0
        self._tasks: dict[str, Task] = {}
        self._had: set[tuple[str, int, bytes]] = set()
        self._today: Counter[tuple[str, int]] = Counter()
        self._minute: list[float] = []

    def expire_token(self) -> None:
        self._valid_until = 0.0

    def reply(self, request: Request) -> Reply:
        path, _, query = request.target.partition("?")
        asked, self.calls[path] = self.calls[path], self.calls[path] + 1
        if script := self.script.get(path):
            scripted = script[min(asked, len(script) - 1)]
            if scripted is not None:
                return scripted
        return self._new(request, path, query) if path.startswith("/v1.0/") else self._old(request, path, query)

    # the old host

    def _old(self, request: Request, path: str, query: str) -> Reply:
        given = dict(parse_qsl(query))
        if path == GETTOKEN:
            return self._gettoken(request, given)
        act = {BY_MOBILE: self._by_mobile, SEND: self._send, RESULT: self._result}.get(path)
        if act is None:
            return said(22, "ding talk error", sub_msg=f"不合法ApiName，ApiName = {path}")
        if request.method != "POST":
            return said(43002, "需要POST请求")
        if (refused := self._refused_token(given.get("access_token", ""))) is not None:
            return refused
        body = _object(request)
        return said(40035, "不合法的参数") if body is None else act(body)

    def _gettoken(self, request: Request, given: Mapping[str, str]) -> Reply:
        if request.method != "GET":
            return said(43001, "需要GET请求")
        if "appkey" not in given:
            return said(40035, "缺少参数 corpid or appkey")
        if (given["appkey"], given.get("appsecret")) != (self._key, self._secret):
            return said(40096, "不合法的appKey或appSecret")
        return said(0, "ok", access_token=self._issue(), expires_in=TOKEN_SECONDS)

    def _issue(self) -> str:
        """The same one while it is valid, and valid for longer then."""
        if self._valid_until <= self._clock():
            self._token = secrets.token_hex(16)
        self._valid_until = self._clock() + TOKEN_SECONDS
        return self._token

    def _refused_token(self, token: str) -> Reply | None:
        if not token:
            return said(88, "ding talk error", sub_code="40000", sub_msg="access_token is blank")
        if token != self._token:
            return said(88, "ding talk error", sub_code="40014", sub_msg="不合法的access_token")
        if self._valid_until <= self._clock():
            return said(88, "ding talk error", sub_code="42001", sub_msg="access_token超时")
        return None

    def _by_mobile(self, body: Mapping[str, Any]) -> Reply:
        mobile = body.get("mobile")
        if not isinstance(mobile, str) or not mobile:
            return said(400002, "无效的参数")
        user = self.people.get(mobile)
        return said(0, "ok", result={"userid": user}) if user else said(60121, "找不到该用户")

    def _send(self, body: Mapping[str, Any]) -> Reply:
        users = [user for user in str(body.get("userid_list", "")).split(",") if user]
        problem, raw = self._problem(body, users)
        if problem:
            self.complaints.append(problem)
            return said(34016 if "long" in problem else 40035, problem)
        now, message = self._clock(), body["msg"]
        number = str(256_271_667_000 + len(self._tasks))
        task = self._tasks[number] = Task(self._agent, now)
        for user in dict.fromkeys(users):
            self._decide(task, number, user, message, raw)
        return said(0, "ok", task_id=int(number), request_id=secrets.token_hex(6))

    def _problem(self, body: Mapping[str, Any], users: Sequence[str]) -> tuple[str, bytes]:
        message = body.get("msg")
        if body.get("agent_id") != self._agent or not isinstance(message, dict):
            return "agent_id or msg: not those of this app", b""
        raw = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        if not 0 < len(users) <= 100 or len(set(users)) != len(users):
            return f"userid_list: {len(users)} users, each once and 100 at most", raw
        if len(raw) > MOST_BYTES:
            return f"msg: too long, {len(raw)} bytes", raw
        kind = str(message.get("msgtype"))
        wanted, members = MESSAGES.get(kind), message.get(kind)
        if wanted is None or not isinstance(members, dict) or set(message) != {"msgtype", kind}:
            return f"msg: no message of the type {kind}", raw
        if set(members) != set(wanted) or not all(isinstance(text, str) and text for text in members.values()):
            return f"msg: {kind} with {sorted(members)}", raw
        if long := [name for name, most in wanted.items() if len(members[name]) > most]:
            return f"msg: too long, {long}", raw
        return "", raw

    def _decide(self, task: Task, number: str, user: str, message: Mapping[str, Any], raw: bytes) -> None:
        today = int(task.at // DAY)
        self._minute = [at for at in self._minute if at > task.at - 60]
        if user not in self.people.values():
            task.decided["invalid_user_id_list"].append(user)
        elif (user, today, raw) in self._had:
            _forbid(task, user, "143106", 1)
        elif self._today[user, today] >= self.most_a_day:
            _forbid(task, user, "143105", self.most_a_day)
        elif len(self._minute) >= self.most_a_minute:
            _forbid(task, user, "143103", self.most_a_minute)
        else:
            self._had.add((user, today, raw))
            self._today[user, today] += 1
            self._minute.append(task.at)
            task.decided["unread_user_id_list"].append(user)
            self.told.append(Told(user, message["msgtype"], message[message["msgtype"]], len(raw), number))

    def _result(self, body: Mapping[str, Any]) -> Reply:
        task = self._tasks.get(str(body.get("task_id")))
        if task is None or body.get("agent_id") != task.agent or not isinstance(body.get("task_id"), int):
            return said(400002, "无效的参数")
        if self._clock() > task.at + DAY:
            return said(400002, "仅支持查询24小时内的任务")
        known = self._clock() >= task.at + self._decides_after
        names = ("invalid", "forbidden", "failed", "read", "unread")
        lists = {f"{name}_user_id_list": task.decided[f"{name}_user_id_list"] if known else [] for name in names}
        forbidden = task.forbidden if known else []
        return said(0, "ok", send_result={**lists, "invalid_dept_id_list": [], "forbidden_list": forbidden})

    # the new host

    def _new(self, request: Request, path: str, query: str) -> Reply:
        if path == ACCESS_TOKEN:
            return self._access_token(request)
        token = request.headers.get("x-acs-dingtalk-access-token", "")
        if not token:
            return refused("AuthenticationFailed.MissingParameter", "缺少参数：x-acs-dingtalk-access-token")
        if token != self._token or self._valid_until <= self._clock():
            return refused("InvalidAuthentication", "不合法的access_token")
        if (path, request.method) == (ROBOT_SEND, "POST"):
            return self._robot_send(_object(request))
        if (path, request.method) == (ROBOT_READ, "GET"):
            return self._robot_read(dict(parse_qsl(query)))
        return refused("InvalidAction.NotFound", "Specified api is not found", 404)

    def _access_token(self, request: Request) -> Reply:
        body = _object(request)
        if request.method != "POST" or body is None:
            return refused("Missingbody", "body is mandatory for this action")
        if (body.get("appKey"), body.get("appSecret")) != (self._key, self._secret):
            return refused("invalidClientIdOrSecret", "无效的clientId或者clientSecret")
        return _json(200, {"accessToken": self._issue(), "expireIn": TOKEN_SECONDS})

    def _robot_send(self, body: Mapping[str, Any] | None) -> Reply:
        if code := self._robot_problem(body or {}):
            self.complaints.append(code)
            return refused(code, code)
        assert body is not None
        content, key = json.loads(body["msgParam"]), f"{secrets.token_hex(8)}/+=="
        users = body["userIds"]
        lists = {
            "invalidStaffIdList": [user for user in users if user not in self.people.values()],
            "flowControlledStaffIdList": [user for user in users if user in self.flow_controlled],
            "filteredStaffIdList": [user for user in users if user in self.filtered],
        }
        reached = [user for user in users if not any(user in named for named in lists.values())]
        task = self._tasks[key] = Task(self._agent, self._clock())
        task.decided["unread_user_id_list"] += reached
        size = len(body["msgParam"].encode())
        self.told += [Told(user, body["msgKey"], content, size, key) for user in reached]
        return _json(200, {"processQueryKey": key, **lists})

    def _robot_problem(self, body: Mapping[str, Any]) -> str:
        users, key, parameters = body.get("userIds"), str(body.get("msgKey") or ""), str(body.get("msgParam"))
        if body.get("robotCode") != self._robot:
            return (
                "invalidParameter.robotCode.notExsit" if body.get("robotCode") else "invalidParameter.robotCode.empty"
            )
        if not isinstance(users, list) or not users:
            return "invalidParameter.userIds.empty"
        if len(users) > 20:
            return "invalidParameter.userIds.overMax"
        if key not in ROBOT_MESSAGES:
            return "invalidParameter.msgKey.invalid" if key else "invalidParameter.msgKey.empty"
        try:
            content = json.loads(parameters)
        except ValueError:
            return "invalidParameter.msgParam.invalid"
        if len(parameters.encode()) > 15_000:
            return "invalidParameter.msgParam.tooLong"
        if not isinstance(content, dict) or set(content) != ROBOT_MESSAGES[key] or not all(content.values()):
            return "invalidParameter.param.invalid"
        return ""

    def _robot_read(self, given: Mapping[str, str]) -> Reply:
        task = self._tasks.get(given.get("processQueryKey", ""))
        if task is None or given.get("robotCode") != self._robot:
            return refused("invalid.processQueryKey", "无效的processQueryKey")
        if self._clock() < task.at + self._decides_after:
            return _json(200, {"sendStatus": "PROCESSING", "messageReadInfoList": []})
        read = [
            {"name": user, "userId": user, "readStatus": "UNREAD", "readTimestamp": 0}
            for user in task.decided["unread_user_id_list"]
        ]
        return _json(200, {"sendStatus": "SUCCESS", "messageReadInfoList": read})


def said(errcode: int, errmsg: str, **more: Any) -> Reply:
    """As the old host answers, whatever it is: with 200."""
    return _json(200, {"errcode": errcode, "errmsg": errmsg, **more})


def refused(code: str, message: str, status: int = 400) -> Reply:
    """As the new host does."""
    return _json(status, {"code": code, "message": message, "requestid": "5373616E-A1FB-750A-A30B-53495AC82560"})


def _json(status: int, content: Mapping[str, Any]) -> Reply:
    body = json.dumps(content, ensure_ascii=False).encode()
    return Reply(status, body, {"content-type": "application/json"})


def _object(request: Request) -> dict[str, Any] | None:
    try:
        body = json.loads(request.body)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _forbid(task: Task, user: str, code: str, most: int) -> None:
    task.decided["forbidden_user_id_list"].append(user)
    task.forbidden.append({"code": code, "count": most, "userid": user})
