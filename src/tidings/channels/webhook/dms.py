"""The format `dms`: the body and header of Alibaba Cloud DMS's custom webhook, so that a receiver written for DMS works
unchanged. The Standard Webhooks headers go out beside it: who does not know them passes over them.

https://www.alibabacloud.com/help/en/dms/send-notifications-by-using-a-custom-webhook-url (June 2026)
https://help.aliyun.com/zh/dms/send-notifications-by-using-a-custom-webhook-url
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping

import msgspec

from tidings.channels.contract import InvalidField, Parcel, Values
from tidings.channels.webhook.signature import PREFIX, checked_secret, signed
from tidings.channels.words import CUT, cut, one_line
from tidings.messages.document import Document, Occasion

FORMAT = "dms"
HEADERS = {"content-type": "application/json; charset=utf-8", "dms-event": "Message Hook"}
MAX_BYTES = 20_000
MAX_URL = 2_000
# Characters of a text and entries of a list; the first that fits is taken, and the last one always does: 6 bytes for an
# escaped control character, some 20 texts, the identifiers and the URL.
LIMITS = ((2_000, 100), (500, 25), (200, 10), (60, 5))
Words = Mapping[str, str]
# The values that the pages name. For an event they name no more than these three; of all others only the name on the
# page of the notification rules is known, which is the catalogue's.
TICKETS: Words = {"en": "Tickets", "zh-hans": "工单"}
CATEGORIES: Mapping[str, Words] = {
    "task_orchestration": {"en": "Task Orchestration", "zh-hans": "任务编排"},
    "data_warehouse_development": {"en": "Data Warehouse Development", "zh-hans": "数仓开发"},
}
PENDING_APPROVAL: Words = {"en": "Pending Approval", "zh-hans": "待审批"}
SUCCEEDED: Words = {"en": "Succeeded", "zh-hans": "执行成功"}
FAILED: Words = {"en": "Failed", "zh-hans": "执行失败"}
# How the execution of each feature ends.
_EVENTS: Mapping[str, Words] = {
    **dict.fromkeys(
        (
            "data_change.successful", "data_export.successful", "data_tracking.parsed", "database_clone.copied",
            "test_data_generation.generated", "schema_design.successful", "table_synchronization.synchronized",
            "task_orchestration.tasks_run", "data_warehouse_development.tasks_run",
        ),
        SUCCEEDED,
    ),
    **dict.fromkeys(
        (
            "data_change.failed", "data_export.failed", "data_tracking.parsing_failed", "database_clone.copy_failed",
            "test_data_generation.generation_failed", "schema_design.failed",
            "table_synchronization.synchronization_failed", "task_orchestration.tasks_failed",
            "data_warehouse_development.tasks_failed",
        ),
        FAILED,
    ),
}  # fmt: skip
# DMS's own messages begin so, and group robots let pass what has their keyword in it.
_OPENING: Words = {"en": "[DMS] ", "zh-hans": "【DMS数据管理】"}
_COLON: Words = {"en": ": ", "zh-hans": "："}
_encode = msgspec.json.Encoder().encode


class User(msgspec.Struct):
    name: str
    uid: str


class MessageEvent(msgspec.Struct):
    """In the order of the documented sample."""

    submitterName: str  # noqa: N815 - DMS's names
    submitterUid: str  # noqa: N815
    category: str
    event: str
    eventTime: int  # noqa: N815 - milliseconds, a number as in the sample
    message: str
    module: str
    receivers: list[User]
    targetUsers: list[User]  # noqa: N815
    taskId: str  # noqa: N815
    taskName: str  # noqa: N815


def letter(parcel: Parcel) -> tuple[bytes, dict[str, str]]:
    """Body and headers. Raises `InvalidField` when there is nothing to sign with."""
    contact = parcel.contact
    secret = contact.get("secret")
    if not isinstance(secret, str) or not secret:
        raise InvalidField("has no secret to sign with")
    event = _message_event(parcel.document)
    signature = dms_signature(secret, str(contact["url"]).encode() + event)
    body = b'{"messageEvent":%b,"signatureMethod":"HMAC_SHA1","signatureText":"%b"}' % (event, signature.encode())
    # A key as DMS takes them is none that Standard Webhooks could sign with; the message still has its identity.
    keys = {name: key for name, key in contact.items() if isinstance(key, str) and key.startswith(PREFIX)}
    beside = signed(parcel.identity, parcel.now, body, keys) if keys else {"webhook-id": f"msg_{parcel.identity.hex}"}
    return body, HEADERS | beside


def dms_signature(secret: str, content: bytes) -> str:
    """The pages say "the HMAC-SHA1 value computed from the webhook address, the password and the message event" and no
    more. Read here as: the password is the key; address and `messageEvent`, byte for byte as it stands in the body,
    follow one another."""
    return b64encode(hmac.digest(secret.encode(), content, "sha1")).decode()


def secret_for_format(secret: str, values: Values) -> str:
    """DMS takes any text as its signing key; Standard Webhooks does not."""
    any_text = values.get("format") == FORMAT and not secret.startswith(PREFIX)
    return secret if any_text else checked_secret(secret)


def _message_event(document: Document) -> bytes:
    event = b""
    for length, entries in LIMITS:
        event = _encode(_event(document, length, entries))
        if len(event) < MAX_BYTES - 200:
            break
    return event


def _event(document: Document, length: int, entries: int) -> MessageEvent:
    occasion, language = document.occasion, document.language
    reader = [User(cut(document.reader.name, length), document.reader.uid or document.reader.login)]
    return MessageEvent(
        submitterName=cut(occasion.submitter, length),
        submitterUid=occasion.submitter_uid,
        category=_category(occasion)[language],
        event=cut(_said(_event_words(occasion), language), length),
        eventTime=round(occasion.time.timestamp() * 1000),
        message=_message(document, length, entries),
        module=cut(_said(occasion.feature_labels, language), length),
        receivers=reader,
        targetUsers=reader,
        taskId=occasion.subject_id,
        taskName=cut(occasion.title, length),
    )


def _category(occasion: Occasion) -> Words:
    feature = occasion.event_type.partition(".")[0]
    # A tenant's own kind of task flow is orchestrated too.
    flow = "task_orchestration" if occasion.subject_kind == "task_flow" else ""
    return CATEGORIES.get(feature) or CATEGORIES.get(flow, TICKETS)


def _event_words(occasion: Occasion) -> Words:
    if occasion.event_type.endswith(".pending_approval"):
        return PENDING_APPROVAL
    return _EVENTS.get(occasion.event_type, occasion.event_labels)


def _said(words: Words, language: str) -> str:
    return words.get(language) or words.get("en", "")


def _message(document: Document, length: int, entries: int) -> str:
    """One text, as DMS has it; it is what people are shown, so all that a message says is in it."""
    colon = _COLON[document.language]
    facts = [f"{one_line(fact.label)}{colon}{one_line(fact.value)}" for fact in document.facts[:entries]]
    if len(facts) < len(document.facts):
        facts.append(f"{CUT} (+{len(document.facts) - len(facts)})")
    # Half a URL leads nowhere.
    url = document.url if len(document.url) <= MAX_URL else ""
    said = (document.earlier, document.headline, *facts, document.todo, document.why)
    lines = [cut(one_line(text), length) for text in said if text]
    return _OPENING[document.language] + "\n".join([*lines, url] if url else lines)
