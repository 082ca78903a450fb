"""What Alibaba Cloud's codes mean: of the number, of the message, or of our account and configuration.

Answers to a call: https://help.aliyun.com/en/sms/developer-reference/api-error-codes
Reports of carriers: https://help.aliyun.com/en/sms/developer-reference/delivery-receipt-error-codes
The gateway before the service: https://help.aliyun.com/document_detail/51132.html, https://developer.aliyun.com/ask/278265
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Literal

from msgspec.structs import replace

from tidings.channels.contract import Outcome, Refused, TryLater
from tidings.channels.sms.number import MAINLAND_CHINA

ACCOUNT = TryLater("account_unusable", technical=True)
AUTH = TryLater("auth_failed", technical=True)
NO_CREDIT = TryLater("no_credit", technical=True)
SIGNATURE = TryLater("signature_refused", technical=True)
TEMPLATE = TryLater("template_refused", technical=True)
REQUEST = TryLater("request_refused", technical=True)
AWAY = TryLater("vendor_unavailable")
THROTTLED = TryLater("throttled")
CONTENT = Refused("content_refused", of="message")
UNEXPECTED = TryLater("unexpected_answer")

CODES: Mapping[str, Outcome] = {
    # The number. A blacklisted one has complained or asked for no more.
    "isv.MOBILE_NUMBER_ILLEGAL": Refused("number_invalid", of="address"),
    "isv.BLACK_KEY_CONTROL_LIMIT": Refused("opted_out", of="address"),
    "isv.CUSTOMER_REFUSED": Refused("opted_out", of="address"),
    # This message.
    "isv.SMS_CONTENT_ILLEGAL": CONTENT,
    "isv.PARAM_LENGTH_LIMIT": CONTENT,
    "isv.PARAM_NOT_SUPPORT_URL": CONTENT,
    "isv.UNSUPPORTED_CONTENT": CONTENT,
    "isv.SMS_CONTENT_MISMATCH_TEMPLATE_TYPE": CONTENT,
    # Not now.
    "isv.BUSINESS_LIMIT_CONTROL": THROTTLED,
    "isp.SYSTEM_ERROR": AWAY,
    "isp.GATEWAY_ERROR": AWAY,
    "InternalError": AWAY,
    "ServiceUnavailable": AWAY,
    # The client sends a call again that broke before an answer came; this is its second arrival.
    "SignatureNonceUsed": TryLater("result_unknown"),
    # What the tenant has at Alibaba Cloud, or has told us of it.
    "isv.SMS_SIGNATURE_ILLEGAL": SIGNATURE,
    "isv.SMS_SIGN_NAME_ILLEGAL": SIGNATURE,
    "isv.SMS_SIGN_ILLEGAL": SIGNATURE,
    "isv.SIGN_STATE_ILLEGAL": SIGNATURE,
    "isv.SMS_SIGNATURE_SCENE_ILLEGAL": SIGNATURE,
    "isv.EXTEND_CODE_ERROR": SIGNATURE,
    "isv.SMS_TEMPLATE_ILLEGAL": TEMPLATE,
    "isv.TEMPLATE_MISSING_PARAMETERS": TEMPLATE,
    "isv.TEMPLATE_PARAMS_ILLEGAL": TEMPLATE,
    "isv.DOMESTIC_NUMBER_NOT_SUPPORTED": TEMPLATE,
    "isv.SMS_TEST_SIGN_TEMPLATE_LIMIT": TEMPLATE,
    "isv.SMS_TEST_TEMPLATE_PARAMS_ILLEGAL": TEMPLATE,
    "isv.SMS_TEST_NUMBER_LIMIT": TEMPLATE,
    "isv.OUT_OF_SERVICE": NO_CREDIT,
    "isv.AMOUNT_NOT_ENOUGH": NO_CREDIT,
    "InsufficientBalance": NO_CREDIT,
    "isv.PRODUCT_UN_SUBSCRIPT": ACCOUNT,
    "isv.PRODUCT_UNSUBSCRIBE": ACCOUNT,
    "isv.ACCOUNT_NOT_EXISTS": ACCOUNT,
    "isv.ACCOUNT_ABNORMAL": ACCOUNT,
    "isv.SECURITY_FROZEN_ACCOUNT": ACCOUNT,
    "isv.DENY_IP_RANGE": TryLater("region_refused", technical=True),
    # Caps that the tenant has set there.
    "isv.DAY_LIMIT_CONTROL": TryLater("cap_reached", after=timedelta(hours=1), technical=True),
    "isv.MONTH_LIMIT_CONTROL": TryLater("cap_reached", after=timedelta(hours=1), technical=True),
    "isp.RAM_PERMISSION_DENY": AUTH,
    "SignatureDoesNotMatch": AUTH,
    "IncompleteSignature": AUTH,
    "InvalidAccessKeyId.NotFound": AUTH,
    "InvalidAccessKeyId.Inactive": AUTH,
    "InvalidTimeStamp.Expired": TryLater("clock_wrong", technical=True),
    "IllegalTimestamp": TryLater("clock_wrong", technical=True),
    # We have built the call wrongly, or the endpoint is not this API's.
    "isv.INVALID_PARAMETERS": REQUEST,
    "isv.INVALID_JSON_PARAM": REQUEST,
    "isv.MOBILE_COUNT_OVER_LIMIT": REQUEST,
    "PARAMS_ILLEGAL": REQUEST,
    "InvalidVersion": REQUEST,
    "InvalidAction.NotFound": REQUEST,
    "InvalidApi.NotFound": REQUEST,
}
# The gateway's families: Throttling.User, Forbidden.RAM, MissingPhoneNumbers ...
FAMILIES: Sequence[tuple[str, Outcome]] = (
    ("Throttling", THROTTLED),
    ("Forbidden", AUTH),
    ("NoPermission", AUTH),
    ("Missing", REQUEST),
    ("InvalidParameter", REQUEST),
)
# "触发分钟级流控Permits:1": the minute, the hour (both by the clock of UTC+8) or the day (24 hours) is used up.
# https://help.aliyun.com/document_detail/44335.htm
WAITS = (("分钟级", timedelta(minutes=1)), ("小时级", timedelta(hours=1)), ("天级", timedelta(days=1)))

REPORTS: Mapping[str, tuple[str, Literal["message", "address"]]] = {
    # Switched off, out of coverage and abandoned are one code: too little to give a number up for.
    "MOBILE_NOT_ON_SERVICE": ("unreachable", "message"),
    "INVALID_NUMBER": ("unreachable", "message"),
    "MOBILE_ACCOUNT_ABNORMAL": ("unreachable", "message"),
    "MOBLLE_TERMINAL_ERROR": ("handset_trouble", "message"),  # their spelling
    "MOBILE_SEND_LIMIT": ("throttled", "message"),
    "MOBILE_IN_BLACK": ("opted_out", "address"),
    "USER_REJECT": ("opted_out", "address"),
    "CONTENT_KEYWORD": ("content_refused", "message"),
    "CONTENT_ERROR": ("content_refused", "message"),
    "PORT_NOT_REGISTERED": ("signature_not_registered", "message"),
    "SP_NOT_BY_INTER_SMS": ("not_routable", "message"),
    "NO_ROUTE": ("not_routable", "message"),
    "EXPIRED": ("expired", "message"),
    "SP_UNKNOWN_ERROR": ("undelivered", "message"),
    "IS_CLOSE": ("undelivered", "message"),
}
IN_FLIGHT = "REQUEST_SUCCESS"


def verdict(status: int, code: str, message: str, number: str) -> Outcome:
    """Of an answer that is not OK; the words are not in it yet."""
    found = CODES.get(code) or next((outcome for begin, outcome in FAMILIES if code.startswith(begin)), None)
    if found is None:
        return AWAY if status >= 500 else UNEXPECTED
    if code == "isv.BUSINESS_LIMIT_CONTROL":
        return replace(THROTTLED, after=next((wait for word, wait in WAITS if word in message), None))
    # To a number abroad this may also say that the template is for the mainland only.
    if code == "isv.MOBILE_NUMBER_ILLEGAL" and not number.startswith(MAINLAND_CHINA):
        return Refused("number_invalid", of="message")
    return found
