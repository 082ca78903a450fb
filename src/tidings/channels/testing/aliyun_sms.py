"""Alibaba Cloud SMS on this machine: checks both kinds of signature, templates and limits as the vendor documents them,
answers in its words, and reports what became of each message, twice.

https://help.aliyun.com/en/sms/developer-reference/api-error-codes
"""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Literal
from zoneinfo import ZoneInfo

from tidings.channels.testing.aliyun_signatures import NO_SUCH_API, Refused, Signatures
from tidings.channels.testing.http_server import HttpServer, Reply, Request
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.http import Wire
from tidings.kernel.http_errors import HttpError

SHANGHAI = ZoneInfo("Asia/Shanghai")
LONGEST_TEXT = 500
_NUMBER = re.compile(r"(\+|\+86|0086|86)?(1\d{10})|[1-9]\d{6,14}")
_URL = re.compile(r"(?i)https?://|\bwww\.|\b[a-z0-9-]+\.(com|cn|net|org|io|example)\b|\b\d{1,3}(\.\d{1,3}){3}\b")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """An approved one. A code's has one variable, of 4 to 6 characters; a notice's take 1 to 35."""

    text: str
    kind: Literal["notice", "code"] = "notice"


@dataclass(frozen=True, slots=True)
class Text:
    """A message that was taken. `text` is what the phone shows."""

    number: str
    sign_name: str
    template_code: str
    values: Mapping[str, str]
    text: str
    out_id: str
    biz_id: str
    at: datetime


@dataclass(slots=True)
class AliyunSms(HttpServer):
    """`async with AliyunSms(...) as sms:` and `sms.url()` is the endpoint.

    `script` answers the calls to a number, digits only, in order, the last of which repeats; None takes the message.
    `reports_to` is where reports are pushed, each of them twice, as can happen; `fates` are the codes they carry for a
    number, DELIVERED where it says nothing. `wrong` keeps the code of every call that a strict vendor refuses.
    """

    access_key_id: str
    access_key_secret: str
    signatures: Sequence[str]
    templates: Mapping[str, Template]
    reports_to: str = ""
    script: dict[str, Sequence[Reply | None]] = field(default_factory=dict)
    fates: dict[str, str] = field(default_factory=dict)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    texts: list[Text] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    pushed: list[int] = field(default_factory=list)
    """The statuses with which reports were received."""
    _signatures: Signatures = field(init=False)
    _asked: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        HttpServer.__init__(self)
        self._signatures = Signatures(self.access_key_id, self.access_key_secret, self.now)

    def reply(self, request: Request) -> Reply:
        try:
            text = self._taken(request)
        except Refused as refused:
            self.wrong.append(refused.code)
            return _answer(refused.status, Code=refused.code, Message=refused.message)
        if text.number in self.script:
            replies, asked = self.script[text.number], self._asked.get(text.number, 0)
            self._asked[text.number] = asked + 1
            if reply := replies[min(asked, len(replies) - 1)]:
                return reply
        self.texts.append(text)
        if self.reports_to:
            self.report(self._report(text))
        return _answer(200, Code="OK", Message="OK", BizId=text.biz_id)

    def _taken(self, request: Request) -> Text:
        action, values = self._signatures.checked(request)
        if action != "SendSms":
            raise Refused("InvalidAction.NotFound", NO_SUCH_API, 404)
        return self._checked_text(values)

    def _checked_text(self, values: Mapping[str, str]) -> Text:
        for name in ("PhoneNumbers", "SignName", "TemplateCode"):
            if not values.get(name):
                raise Refused(f"Missing{name}", f"{name} is mandatory for this action.", 400)
        number, sign_name, code = values["PhoneNumbers"], values["SignName"], values["TemplateCode"]
        if not (found := _NUMBER.fullmatch(number)):
            raise Refused("isv.MOBILE_NUMBER_ILLEGAL", "手机号码格式错误")
        digits = f"86{found[2]}" if found[2] else number
        if sign_name not in self.signatures:
            raise Refused("isv.SMS_SIGNATURE_ILLEGAL", "该账号下找不到对应签名")
        if code not in self.templates:
            raise Refused("isv.SMS_TEMPLATE_ILLEGAL", "该账号下找不到对应模板")
        if len(values.get("OutId", "")) > 255:
            raise Refused("isv.INVALID_PARAMETERS", "参数格式不正确")
        template, given = self.templates[code], _parameters(values.get("TemplateParam", ""))
        _fit(template, given)
        text = f"【{sign_name}】{_VARIABLE.sub(lambda name: given[name[1]], template.text)}"
        if len(text) > LONGEST_TEXT:
            raise Refused("isv.PARAM_LENGTH_LIMIT", "参数超过长度限制")
        if digits.startswith("86"):
            self._within_limits(digits, sign_name, code)
        now = self.now()
        biz_id = f"{int(now.timestamp() * 1000)}{len(self.texts):05}^0"
        return Text(digits, sign_name, code, given, text, values.get("OutId", ""), biz_id, now)

    def _within_limits(self, number: str, sign_name: str, code: str) -> None:
        """https://help.aliyun.com/document_detail/44335.htm: minutes and hours by the clock, days of 24 hours."""
        now = self.now()
        here = [text for text in self.texts if text.number == number and now - text.at < timedelta(days=1)]
        if self.templates[code].kind == "notice":
            same = [text for text in here if (text.sign_name, text.template_code) == (sign_name, code)]
            return _at_most(len(same), 50, "天级")
        codes = [text for text in here if self.templates[text.template_code].kind == "code"]
        mine = [text for text in codes if text.sign_name == sign_name]
        for count, most, span in (
            (sum(_clock(text.at, "minute") == _clock(now, "minute") for text in mine), 1, "分钟级"),
            (sum(_clock(text.at, "hour") == _clock(now, "hour") for text in mine), 5, "小时级"),
            (len(mine), 10, "天级"),
            (len(codes), 40, "天级"),
        ):
            _at_most(count, most, span)
        return None

    async def _report(self, text: Text) -> None:
        fate = self.fates.get(text.number, "DELIVERED")
        when = text.at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
        report = {
            "phone_number": text.number.removeprefix("86"),
            "send_time": when,
            "report_time": when,
            "success": fate == "DELIVERED",
            "err_code": fate,
            "err_msg": "用户接收成功" if fate == "DELIVERED" else "用户接收失败",
            "sms_size": str(1 if len(text.text) <= 70 else -(-len(text.text) // 67)),
            "biz_id": text.biz_id,
            "out_id": text.out_id,
        }
        wire = Wire(AddressPolicy((ip_network("127.0.0.0/8"),)))
        body, headers = json.dumps([report], ensure_ascii=False).encode(), {"content-type": "application/json"}
        for _ in range(2):
            try:
                answer = await wire.request("POST", self.reports_to, headers=headers, body=body)
            except HttpError:
                self.pushed.append(0)
                continue
            # Only whether `code` is a number is looked at.
            heard = answer.status == 200 and isinstance(json.loads(answer.body).get("code"), int)
            self.pushed.append(answer.status if heard else 0)
        await wire.aclose()


def refusal(code: str, message: str, status: int = 200) -> Reply:
    """For a script: the vendor's own way to say no."""
    return _answer(status, Code=code, Message=message)


def _answer(status: int, **members: str) -> Reply:
    body = {"RequestId": "F655A8D5-B967-440B-8683-DAD6FF8DE990"} | members
    if status != 200:
        help_page = f"https://api.aliyun.com/troubleshoot?q={body['Code']}"
        body |= {"HostId": "dysmsapi.aliyuncs.com", "Recommend": help_page}
    headers = {"content-type": "application/json;charset=utf-8"}
    return Reply(status, json.dumps(body, ensure_ascii=False).encode(), headers)


def _parameters(text: str) -> dict[str, str]:
    try:
        given = json.loads(text or "{}")
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise Refused("isv.INVALID_JSON_PARAM", "参数格式错误，请修改为字符串值")
    return given


def _fit(template: Template, given: Mapping[str, str]) -> None:
    names = set(_VARIABLE.findall(template.text))
    if not all(given.get(name) for name in names):
        raise Refused("isv.TEMPLATE_MISSING_PARAMETERS", "模板变量中存在未赋值变量")
    if set(given) != names:
        raise Refused("isv.SMS_TEMPLATE_ILLEGAL", "模板参数个数不匹配")
    for value in given.values():
        if not (4 <= len(value) <= 6 if template.kind == "code" else len(value) <= 35):
            raise Refused("isv.PARAM_LENGTH_LIMIT", "参数超过长度限制")
        if _URL.search(value):
            raise Refused("isv.PARAM_NOT_SUPPORT_URL", "变量不支持传入URL")
        if any(_unsupported(letter) for letter in value):
            raise Refused("isv.UNSUPPORTED_CONTENT", "不支持的短信内容")


def _unsupported(letter: str) -> bool:
    """https://help.aliyun.com/document_detail/463270.htm: 【】 anywhere, emoji, symbols such as m² • ①★※→."""
    kinds = ("So", "Sm", "No", "Cc", "Cf", "Cs", "Co", "Zl")
    return letter in "【】〖〗『』「」•※" or (not letter.isascii() and unicodedata.category(letter) in kinds)


def _at_most(count: int, most: int, span: str) -> None:
    if count >= most:
        raise Refused("isv.BUSINESS_LIMIT_CONTROL", f"触发{span}流控Permits:{most}")


def _clock(moment: datetime, to: Literal["minute", "hour"]) -> str:
    return moment.astimezone(SHANGHAI).strftime("%Y%m%d%H%M" if to == "minute" else "%Y%m%d%H")
