"""Alibaba Cloud SMS, and what its codes mean.

[SMS-API] https://help.aliyun.com/en/sms/developer-reference/api-error-codes (domestic SMS)
[SMS-INTL] https://www.alibabacloud.com/help/en/sms/developer-reference/error-codes
[SMS-FREQ] https://help.aliyun.com/document_detail/44335.htm
[SMS-LIMIT] the reply's words in the wild: 触发小时级流控Permits:5
[GATEWAY] https://help.aliyun.com/document_detail/51132.html
[GATEWAY-ASK] https://developer.aliyun.com/ask/278265
[SDK] PyPI alibabacloud-dysmsapi20170525
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from tidings.channels.contract import Outcome, Parcel, Refused, Sent, TryLater, Value
from tidings.channels.sms.aliyun import send_sms
from tidings.channels.sms.aliyun_template import TEXTS, notice_template, values_for
from tidings.channels.testing.aliyun_sms import AliyunSms, Template, refusal
from tidings.channels.testing.http_server import Reply
from tidings.channels.testing.vendor import Received, Row, Vendor

KEY_ID, KEY_SECRET = "LTAI5tCanaryKeyId7731", "canary-access-key-secret-9917"
NUMBER, DIGITS = "+8613812345678", "8613812345678"
RECEIPT_KEY = "canary-receipt-key-5f3a9c"

NUMBER_INVALID = Refused("number_invalid", "address")
OPTED_OUT = Refused("opted_out", "address")
CONTENT = Refused("content_refused", "message")
AWAY = TryLater("vendor_unavailable")
THROTTLED = TryLater("throttled")
UNEXPECTED = TryLater("unexpected_answer")


def ours(reason: str) -> TryLater:
    return TryLater(reason, technical=True)


def row(code: str, message: str, outcome: Outcome, source: str = "SMS-API", status: int = 200, name: str = "") -> Row:
    return Row(name or code, refusal(code, message, status), outcome, source)


def waits(words: str, after: timedelta | None) -> Row:
    outcome = TryLater("throttled", after=after)
    return row("isv.BUSINESS_LIMIT_CONTROL", words, outcome, "SMS-LIMIT", name=f"limit: {words}")


def page(status: int, outcome: Outcome) -> Row:
    return Row(f"a page with {status}", Reply(status, b"<html>proxy</html>"), outcome, "RFC9110")


class Vendored(Vendor):
    rows = (
        Row("OK", None, Sent(), "SDK"),
        # Of the number.
        row("isv.MOBILE_NUMBER_ILLEGAL", "手机号码格式错误", NUMBER_INVALID),
        row("isv.BLACK_KEY_CONTROL_LIMIT", "黑名单管控", OPTED_OUT),
        row("isv.CUSTOMER_REFUSED", "用户已退订推广短信", OPTED_OUT),
        # Of the message.
        row("isv.SMS_CONTENT_ILLEGAL", "短信内容包含禁止发送内容", CONTENT),
        row("isv.PARAM_LENGTH_LIMIT", "参数超过长度限制", CONTENT),
        row("isv.PARAM_NOT_SUPPORT_URL", "变量不支持传入URL", CONTENT),
        row("isv.UNSUPPORTED_CONTENT", "不支持的短信内容", CONTENT),
        row("isv.SMS_CONTENT_MISMATCH_TEMPLATE_TYPE", "短信内容和模板属性不匹配", CONTENT),
        # Not now.
        waits("触发分钟级流控Permits:1", timedelta(minutes=1)),
        waits("触发小时级流控Permits:5", timedelta(hours=1)),
        waits("触发天级流控Permits:10", timedelta(days=1)),
        waits("业务限流", None),
        row("isp.SYSTEM_ERROR", "系统错误，请重新调用", AWAY),
        row("isp.GATEWAY_ERROR", "调用发送应用模块失败", AWAY),
        row("Throttling.User", "Request was denied due to user flow control.", THROTTLED, "GATEWAY-ASK", 400),
        row("Throttling", "Request was denied due to request throttling.", THROTTLED, "GATEWAY", 400),
        row("InternalError", "The request processing has failed due to some unknown error.", AWAY, "GATEWAY", 500),
        row("ServiceUnavailable", "The request has failed due to a temporary failure.", AWAY, "GATEWAY", 503),
        # Signature and template.
        row("isv.SMS_SIGNATURE_ILLEGAL", "该账号下找不到对应签名", ours("signature_refused")),
        row("isv.SMS_SIGN_NAME_ILLEGAL", "The signature does not exist.", ours("signature_refused"), "SMS-INTL"),
        row("isv.SMS_SIGN_ILLEGAL", "签名禁止使用", ours("signature_refused")),
        row("isv.SIGN_STATE_ILLEGAL", "签名状态不可用", ours("signature_refused")),
        row("isv.SMS_SIGNATURE_SCENE_ILLEGAL", "签名和模板类型不一致", ours("signature_refused")),
        row("isv.EXTEND_CODE_ERROR", "扩展码使用错误", ours("signature_refused")),
        row("isv.SMS_TEMPLATE_ILLEGAL", "该账号下找不到对应模板", ours("template_refused")),
        row("isv.TEMPLATE_MISSING_PARAMETERS", "模板变量中存在未赋值变量", ours("template_refused")),
        row("isv.TEMPLATE_PARAMS_ILLEGAL", "传入的变量内容和属性类型不匹配", ours("template_refused")),
        row("isv.DOMESTIC_NUMBER_NOT_SUPPORTED", "国际/港澳台消息模板不支持发送境内号码", ours("template_refused")),
        row("isv.SMS_TEST_SIGN_TEMPLATE_LIMIT", "测试模板和签名限制", ours("template_refused")),
        row("isv.SMS_TEST_TEMPLATE_PARAMS_ILLEGAL", "仅支持4~6位纯数字", ours("template_refused")),
        row("isv.SMS_TEST_NUMBER_LIMIT", "只能向已绑定的手机号发送", ours("template_refused")),
        # The account.
        row("isv.OUT_OF_SERVICE", "业务停机", ours("no_credit")),
        row("isv.AMOUNT_NOT_ENOUGH", "账户余额不足", ours("no_credit")),
        row("InsufficientBalance", "Your account does not have enough balance.", ours("no_credit"), "GATEWAY", 400),
        row("isv.PRODUCT_UN_SUBSCRIPT", "未开通云通信产品的阿里云客户", ours("account_unusable")),
        row("isv.PRODUCT_UNSUBSCRIBE", "产品未开通", ours("account_unusable")),
        row("isv.ACCOUNT_NOT_EXISTS", "账户不存在", ours("account_unusable")),
        row("isv.ACCOUNT_ABNORMAL", "账户异常", ours("account_unusable")),
        row("isv.SECURITY_FROZEN_ACCOUNT", "已限制您账号的短信发送", ours("account_unusable")),
        row("isv.DENY_IP_RANGE", "原IP地址所在的地区被禁用", ours("region_refused")),
        row("isv.DAY_LIMIT_CONTROL", "触发日发送限额", TryLater("cap_reached", "", timedelta(hours=1), True)),
        row("isv.MONTH_LIMIT_CONTROL", "触发月发送限额", TryLater("cap_reached", "", timedelta(hours=1), True)),
        # The keys and the clock.
        row("isp.RAM_PERMISSION_DENY", "RAM权限不足", ours("auth_failed")),
        row("SignatureDoesNotMatch", f"Specified signature is not matched with our calculation. server string to sign "
            f"is:POST&%2F&AccessKeyId%3D{KEY_ID}%26PhoneNumbers%3D{DIGITS}", ours("auth_failed"), "GATEWAY-ASK", 400),
        row("IncompleteSignature", "The request signature does not conform to Aliyun standards.",
            ours("auth_failed"), "GATEWAY", 400),
        row("InvalidAccessKeyId.NotFound", "Specified access key is not found.", ours("auth_failed"), "GATEWAY", 404),
        row("InvalidAccessKeyId.Inactive", "Specified access key is disabled.", ours("auth_failed"), "GATEWAY-ASK", 400),
        row("Forbidden.RAM", "User not authorized to operate on the specified resource.",
            ours("auth_failed"), "GATEWAY", 403),
        row("Forbidden.RiskControl", "This operation is forbidden by Aliyun Risk Control system.",
            ours("auth_failed"), "GATEWAY", 403),
        row("NoPermission", "You are not authorized to perform this operation.", ours("auth_failed"), "GATEWAY", 403),
        row("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.",
            ours("clock_wrong"), "GATEWAY-ASK", 400),
        row("IllegalTimestamp", 'The input parameter "Timestamp" is not supplied.', ours("clock_wrong"), "GATEWAY", 400),
        row("SignatureNonceUsed", "Specified signature nonce was used already.",
            TryLater("result_unknown"), "GATEWAY-ASK", 400),
        # The call itself.
        row("isv.INVALID_PARAMETERS", "参数格式不正确", ours("request_refused")),
        row("isv.INVALID_JSON_PARAM", "参数格式错误，请修改为字符串值", ours("request_refused")),
        row("isv.MOBILE_COUNT_OVER_LIMIT", "手机号码数量超出限制", ours("request_refused")),
        row("PARAMS_ILLEGAL", "参数错误", ours("request_refused")),
        row("MissingPhoneNumbers", "PhoneNumbers is mandatory for this action.",
            ours("request_refused"), "GATEWAY-ASK", 400),
        row("InvalidParameter.Format", "Specified parameter format is not valid.",
            ours("request_refused"), "GATEWAY-ASK", 400),
        row("InvalidVersion", "Specified parameter Version is not valid.", ours("request_refused"), status=400),
        row("InvalidAction.NotFound", "Specified api is not found.", ours("request_refused"), status=404),
        row("InvalidApi.NotFound", "Specified api is not found.", ours("request_refused"), "GATEWAY-ASK", 404),
        # Nobody knows.
        row("isv.BRAND_NEW_CODE", "一个新的错误", UNEXPECTED),
        row("Strange.Failure", "Hm", AWAY, "GATEWAY", 500),
        row("OK", "OK", UNEXPECTED, "GATEWAY", 400, "OK with a 400"),
        Row("no code", Reply(200, b'{"Message":"OK"}'), UNEXPECTED, "SDK"),
        Row("a list", Reply(200, b"[]"), UNEXPECTED, "SDK"),
        Row("bytes", Reply(200, bytes(range(256)) * 40), UNEXPECTED, "SDK"),
        page(200, UNEXPECTED),
        page(403, UNEXPECTED),
        page(502, AWAY),
    )  # fmt: skip
    secrets = (KEY_ID, KEY_SECRET, NUMBER, DIGITS, DIGITS[2:], RECEIPT_KEY)
    most_bytes = 500 * 3
    carries = frozenset()

    def __init__(self) -> None:
        self.sms = AliyunSms(
            KEY_ID,
            KEY_SECRET,
            signatures=["数据平台", "Acme Data"],
            templates={
                "SMS_152550005": Template(TEXTS["zh-hans"]),
                "SMS_152550006": Template(TEXTS["en"]),
                "SMS_152550009": Template("您的验证码为${code}，10分钟内有效。", "code"),
            },
        )

    async def __aenter__(self) -> "Vendored":
        await self.sms.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self.sms.__aexit__(*exc)

    def settings(self) -> dict[str, Value]:
        return {
            "provider": "aliyun",
            "access_key_id": KEY_ID,
            "access_key_secret": KEY_SECRET,
            "sign_name": "数据平台",
            "template_code": "SMS_152550005",
            "code_template_code": "SMS_152550009",
            "sign_name_en": "Acme Data",
            "template_code_en": "SMS_152550006",
            "endpoint": self.sms.url(),
            "receipt_key": RECEIPT_KEY,
        }

    def contact(self) -> dict[str, Value]:
        return {"mobile": "+86 138 1234 5678"}

    def answer(self, answer: Reply | None) -> None:
        self.sms.script[DIGITS] = [answer]

    def received(self) -> Sequence[Received]:
        assert self.sms.wrong == []
        return [
            Received(
                identity=text.out_id,
                to=text.number,
                text=text.text,
                names=[text.sign_name, text.template_code, *text.values],
                size=len(text.text.encode()),
                live=[],
            )
            for text in self.sms.texts
        ]

    def payload(self, parcel: Parcel) -> str:
        template = notice_template(parcel.settings, parcel.document.language)
        values = values_for(template, parcel.document)
        url, headers = send_sms(
            "https://dysmsapi.aliyuncs.com",
            template,
            values,
            parcel.settings,
            str(parcel.contact["mobile"]),
            parcel.identity,
            nonce="3156853299f313e23d1673dc12e1703d",
            now=parcel.now,
        )
        query = dict(parse_qsl(url.partition("?")[2]))
        query["TemplateParam"] = json.loads(query["TemplateParam"])
        lines = [f"{name}: {value}" for name, value in headers.items()]
        return "\n".join([*lines, "", json.dumps(query, ensure_ascii=False, indent=2), "", template.filled(values)])

    def nowhere(self) -> Mapping[str, dict[str, Value]]:
        return {"settings": {"endpoint": "http://127.0.0.1:1/"}}
