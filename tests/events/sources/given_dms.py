"""What DMS sends, as its page has it: the sample, with a ticket."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from tidings.events.sources.contract import Push

RECEIVED = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
URL = "https://tidings.example.com/api/v1/sources/dms?token=tdg_x"
HOOK = {"dms-event": "Message Hook", "content-type": "application/json"}
ANN, BO, DAN = "1673826650150001", "1673826650150002", "1673826650150003"


def message(**changes: Any) -> dict[str, Any]:
    """`to`: the UIDs of its target users. None takes a member away."""
    to = changes.pop("to", (ANN,))
    users = [{"name": f"name of {uid}", "uid": uid} for uid in to]
    event = {
        "submitterName": "Ann",
        "submitterUid": ANN,
        "category": "工单",
        "event": "执行成功",
        "eventTime": 1625630049930,
        "message": "【DMS数据管理】您提交的数据变更工单已执行成功",
        "module": "数据变更",
        "receivers": users,
        "targetUsers": users,
        "taskId": "88123",
        "taskName": "为订单表添加索引",
    } | changes
    return {name: value for name, value in event.items() if value is not None}


def body(secret: str = "", url: str = URL, **changes: Any) -> bytes:
    """Compact, as Java libraries write it; signed when there is a secret."""
    event = json.dumps(message(**changes), ensure_ascii=False, separators=(",", ":")).encode()
    method, text = "None", ""
    if secret:
        digest = hmac.new(secret.encode(), url.encode() + event, hashlib.sha1).digest()
        method, text = "HMAC_SHA1", base64.b64encode(digest).decode()
    return b'{"messageEvent":%b,"signatureMethod":"%b","signatureText":"%b"}' % (event, method.encode(), text.encode())


def push(**changes: Any) -> Push:
    return Push(HOOK, body(**changes), RECEIVED, (URL,))
