"""What DingTalk's codes mean for an app that writes to persons.

Sources beside those of `answer.py`:
[DT-WORK] https://help.dingtalk.io/open/development/asynchronous-sending-of-enterprise-session-messages
[DT-RESULT] https://zidingyi.apifox.cn/api-37157310 (the official page, mirrored)
[DT-MOBILE] https://help.dingtalk.io/open/development/query-users-by-phone-number
[DT-OTO] https://help.dingtalk.io/open/development/chatbots-send-one-on-one-chat-messages-in-batches
[DT-P2P] https://help.dingtalk.io/open/development/the-robot-sends-ordinary-messages-in-a-person-to-person-conversation
"""

from collections.abc import Mapping
from datetime import timedelta

from tidings.channels.contract import Outcome, Receipt, Refused, TryLater
from tidings.channels.dingtalk.answer import A_MINUTE, BUSY

# The access token is not, or no longer, one: it is fetched anew once. 88 is what wraps this without a word more.
TOKEN_REFUSED = frozenset({"33", "88", "40000", "40001", "40014", "41001", "42001", "InvalidAuthentication"})
_TOKEN = TryLater("token_refused", technical=True)
_CREDENTIALS = TryLater("wrong_app_secret", technical=True)
_PERMISSION = TryLater("permission_missing", technical=True)
_IP = TryLater("ip_not_allowed", technical=True)
_ROBOT = TryLater("wrong_robot", technical=True)
_NO_ACCOUNT = Refused("no_dingtalk_account", of="address")
_NO_USER = Refused("no_such_user", of="address")
_REJECTED = Refused("rejected", of="message")
_TOO_LARGE = Refused("too_large", of="message")
_CONTENT = Refused("content_refused", of="message")
_DUPLICATE = Refused("duplicate_content", of="message")
_PROTECTED = Refused("person_protected", of="message")
_DAILY = TryLater("daily_limit", after=timedelta(hours=6))

VERDICTS: Mapping[str, Outcome] = {
    # Ours: credentials, permissions, scopes, the robot. Administrators are told, and the schedule goes on.
    **dict.fromkeys(TOKEN_REFUSED, _TOKEN),
    "40089": _CREDENTIALS,
    "40096": _CREDENTIALS,
    "invalidClientIdOrSecret": _CREDENTIALS,
    "60011": _PERMISSION,
    "apiPermissionDenied": _PERMISSION,
    "Forbidden.AccessDenied.AccessTokenPermissionDenied": _PERMISSION,
    "60020": _IP,
    "Forbidden.AccessDenied.IpNotInWhiteList": _IP,
    "50002": TryLater("person_not_in_scope", technical=True),
    "invalidParameter.robotCode.empty": _ROBOT,
    "invalidParameter.robotCode.auth": _ROBOT,
    "invalidParameter.robotCode.coolApp": _ROBOT,
    "invalidParameter.robotCode.notExsit": _ROBOT,  # sic
    "invalidParameter.robotCode.missing": _ROBOT,
    "invalidParameter.robotCode.invalid": _ROBOT,
    "bot.stopped": _ROBOT,
    # Of the person.
    "60121": _NO_ACCOUNT,
    "40104": _NO_ACCOUNT,
    "33012": _NO_USER,
    "40003": _NO_USER,
    "staffId.notExisted": _NO_USER,
    # Of the message.
    "40035": _REJECTED,
    "400002": _REJECTED,
    "34014": _REJECTED,
    "34016": _TOO_LARGE,
    "1430000": _REJECTED,
    "1430001": _REJECTED,
    "1430002": _CONTENT,
    "1430004": _PROTECTED,
    "143106": _DUPLICATE,
    "143206": _DUPLICATE,
    "invalidParameter.userIds.empty": _REJECTED,
    "invalidParameter.userIds.overMax": _REJECTED,
    "invalidParameter.msgKey.empty": _REJECTED,
    "invalidParameter.msgKey.invalid": _REJECTED,
    "invalidParameter.msgParam.invalid": _REJECTED,
    "invalidParameter.msgParam.tooLong": _TOO_LARGE,
    "invalidParameter.param.invalid": _REJECTED,
    "invalidParameter.msg.unsupport": _REJECTED,
    # Not now.
    "143103": A_MINUTE,
    "143104": A_MINUTE,
    "143203": A_MINUTE,
    "143204": A_MINUTE,
    "143105": _DAILY,
    "143205": _DAILY,
    "1430003": BUSY,
    "unknown.send.result": TryLater("result_unknown"),
    "send.too.fast": A_MINUTE,
    "too.many.group": A_MINUTE,
    "too.many.people": A_MINUTE,
    "send.byToken.tooFast": A_MINUTE,
    "qps.exceed.limit": A_MINUTE,
    "request.overlimit": A_MINUTE,
}

# Why a work notification that was taken never came, by the code beside the person in the result: reason, and what it
# means in words that do not depend on theirs. [DT-RESULT]
_RATE = "throttled", "too many recipients in one minute, so DingTalk kept this one back"
_DAY = "daily_limit", "DingTalk's limit of messages to one person a day was reached"
_SAME = "duplicate_content", "DingTalk sends the same content to a person once a day, and did before"
KEPT_BACK: Mapping[str, tuple[str, str]] = {
    "143103": _RATE,
    "143104": _RATE,
    "143105": _DAY,
    "143106": _SAME,
    "143203": _RATE,
    "143204": _RATE,
    "143205": _DAY,
    "143206": _SAME,
    "1430002": ("content_refused", "DingTalk does not take this content"),
    "1430003": ("vendor_busy", "DingTalk protected itself just then"),
    "1430004": ("person_protected", "this person is protected from messages of apps in DingTalk"),
}


def kept_back(provider_id: str, code: str) -> Receipt:
    reason, meaning = KEPT_BACK.get(code, ("kept_back", "DingTalk kept this message back"))
    return Receipt("failed", provider_id=provider_id, reason=reason, said=f"{code} {meaning}".strip())
