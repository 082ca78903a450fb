"""What a strict receiver written for Alibaba Cloud DMS makes of a call: of its header, body and signature.

https://help.aliyun.com/zh/dms/send-notifications-by-using-a-custom-webhook-url
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping

import msgspec


class _User(msgspec.Struct, forbid_unknown_fields=True):
    uid: str
    name: str


class _MessageEvent(msgspec.Struct, forbid_unknown_fields=True):
    submitterUid: str  # noqa: N815 - DMS's names
    submitterName: str  # noqa: N815
    category: str
    module: str
    event: str
    taskId: str  # noqa: N815
    taskName: str  # noqa: N815
    eventTime: int  # noqa: N815
    message: str
    targetUsers: list[_User]  # noqa: N815
    receivers: list[_User]


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    messageEvent: msgspec.Raw  # noqa: N815
    signatureMethod: str  # noqa: N815
    signatureText: str  # noqa: N815


def dms_problem(url: str, key: str, headers: Mapping[str, str], body: bytes) -> str:
    """Why it refuses; empty when it does not."""
    if headers.get("dms-event") != "Message Hook":
        return "DMS-Event: not Message Hook"
    try:
        whole = msgspec.json.decode(body, type=_Body)
        event = msgspec.json.decode(whole.messageEvent, type=_MessageEvent)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"body: {error}"
    if not all((event.category, event.module, event.event, event.taskId, event.taskName, event.message)):
        return "body: a text is empty"
    if not 10**12 < event.eventTime < 10**13:
        return "body: eventTime is not in milliseconds"
    if not event.targetUsers or not all(user.uid for user in (*event.targetUsers, *event.receivers)):
        return "body: nobody is told, or a user has no uid"
    if whole.signatureMethod != "HMAC_SHA1":
        return f"signature: the method is {whole.signatureMethod}"
    right = hmac.new(key.encode(), url.encode() + bytes(whole.messageEvent), hashlib.sha1).digest()
    if whole.signatureText != base64.b64encode(right).decode():
        return "signature: another one"
    return ""
