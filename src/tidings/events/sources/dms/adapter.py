"""The custom webhook of Alibaba Cloud DMS: one message event a push, said in words, for people known by their UIDs.

https://www.alibabacloud.com/help/en/dms/send-notifications-by-using-a-custom-webhook-url
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar

import msgspec

from tidings.channels.webhook.dms import CATEGORIES, HEADERS
from tidings.events.event import Event, People, PersonKey, PersonRef, Subject
from tidings.events.sources.contract import Adapter, Known, Parked, Push, Reading, with_made_up_id
from tidings.events.sources.dms.signature import signed_by
from tidings.events.sources.mapping import compared, mapping_beside
from tidings.events.sources.steps import told_beside
from tidings.events.sources.understand import Text, decoded, incomplete, line, moment, text, title, unmapped

HOOK = "dms-event"
# "The Test button": the sample of the page is such a message. It has no ticket, and says so in its name.
TEST = "webhook test"
# Times without a zone are those of the console, which the pages on task flows say is UTC+8.
CONSOLE_ZONE = timezone(timedelta(hours=8))
_FLOWS = frozenset(compared(word) for words in CATEGORIES.values() for word in words.values())
_FLOW_FEATURES = tuple(f"{feature}." for feature in CATEGORIES)


class User(msgspec.Struct):
    uid: Text = None
    name: Text = None
    mobile: Text = None


class MessageEvent(msgspec.Struct):
    submitterUid: Text = None  # noqa: N815 - DMS's names
    submitterName: Text = None  # noqa: N815
    category: Text = None
    module: Text = None
    event: Text = None
    taskId: Text = None  # noqa: N815
    taskName: Text = None  # noqa: N815
    eventTime: str | int | float | None = None  # noqa: N815
    message: Text = None
    targetUsers: list[User] | None = None  # noqa: N815
    receivers: list[User] | None = None


class Body(MessageEvent):
    """Earlier editions of the page have the members of the message event at the top, and only `receivers`.

    https://www.alibabacloud.com/help/doc-detail/215486.htm, https://helpcdn.aliyun.com/document_detail/215486.html"""

    messageEvent: MessageEvent | None = None  # noqa: N815


_decoder = msgspec.json.Decoder(Body)


class DmsAdapter(Adapter):
    code = "dms"
    label = "Alibaba Cloud DMS"
    mapping = mapping_beside(__file__)
    group = "tickets"
    labels, about, steps, sample = told_beside(__file__)
    kept_headers = (HOOK,)
    # An earlier edition of the page says what DMS takes for success; what else is in an answer is passed over.
    answer: ClassVar[Mapping[str, Any]] = {"root": "", "success": True}

    def read(self, push: Push, known: Known) -> Reading:
        if push.headers.get(HOOK, HEADERS[HOOK]) != HEADERS[HOOK]:
            return Parked(
                "not_understood", f"The header DMS-Event says {line(push.headers[HOOK])!r}, which is new to us."
            )
        body = decoded(_decoder, push.body, "DMS")
        if isinstance(body, Parked):
            return body
        event, mapping = body.messageEvent or body, known.words
        words = {part: line(getattr(event, part)) for part in mapping.parts}
        task = text(event.taskId)
        if not task and TEST in f"{event.taskName} {event.message}".casefold():
            return Parked("test_message", f"DMS was asked to test its webhook, and said: {line(event.message)}", words)
        if missing := incomplete({"event": event.event, "taskId": task}, words):
            return missing
        row = mapping.meaning(list(words.values()))
        if row is None:
            return unmapped(words, mapping)
        return () if row.type is None else (_event(event, row.type, task, push.received),)

    def signed(self, push: Push, secret: str) -> bool:
        return signed_by(secret, push.body, push.urls)


def _event(said: MessageEvent, event_type: str, task: str, received: datetime) -> Event:
    """What DMS says beside it is left out where it can differ between two pushes of one change: the text it wrote for
    people, in the language of each, and who of them have a method."""
    flow = compared(text(said.category)) in _FLOWS or event_type.startswith(_FLOW_FEATURES)
    submitter = _person(said.submitterUid, said.submitterName)
    told = _people((said.receivers if said.targetUsers is None else said.targetUsers) or ())
    # While approval is pending DMS's recipients are its approvers; later they are who it thinks is concerned.
    people = (
        People(submitter, approvers=told)
        if event_type.endswith(".pending_approval")
        else People(submitter, related=[one for one in told if one != submitter])
    )
    return with_made_up_id(
        Event(
            id="",
            type=event_type,
            subject=Subject("task_flow" if flow else "ticket", task, title(said.taskName)),
            time=moment(said.eventTime, CONSOLE_ZONE) or received,
            people=people,
        )
    )


def _people(users: Sequence[User]) -> list[PersonRef]:
    """Each once, in an order of their own: DMS promises none."""
    found = {one for user in users if (one := _person(user.uid, user.name, user.mobile))}
    return sorted(found, key=repr)


def _person(uid: Text, name: Text = None, mobile: Text = None) -> PersonRef | None:
    if key := text(uid):
        return PersonKey(external_id=key)
    if number := text(mobile):
        return PersonKey(mobile=number)
    return text(name) or None
