"""A message of the app's own robot, in the conversation that each person has with it.

https://help.dingtalk.io/open/development/chatbots-send-one-on-one-chat-messages-in-batches
https://help.dingtalk.io/open/development/chatbot-batch-query-the-read-status-of-messages
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec

from tidings.channels.contract import Outcome, Receipt, Refused, Sent, Shown, TryLater, Wire
from tidings.channels.dingtalk.answer import verdict, words_of
from tidings.channels.dingtalk.app import App, call_api
from tidings.channels.dingtalk.markdown import Card, card, fitted
from tidings.channels.dingtalk.verdict import VERDICTS
from tidings.messages.document import Document

SEND = "/v1.0/robot/oToMessages/batchSend"
READ = "/v1.0/robot/oToMessages/readStatus"
MOST = 20
# Said of messages to groups, and nothing of these:
# https://help.dingtalk.io/open/development/the-robot-sends-a-group-message
MOST_BYTES = 15_000
# A 200 may be a failure of some: these lists name whom.
NOT_REACHED: Mapping[str, Outcome] = {
    "invalidStaffIdList": Refused("no_such_user", of="address"),
    "flowControlledStaffIdList": TryLater("throttled", after=timedelta(minutes=1)),
    "filteredStaffIdList": Refused("filtered", of="message"),
}


def message(document: Document) -> bytes:
    """`msgKey` and `msgParam`."""
    return fitted(MOST_BYTES, lambda length, entries: _message(card(document, length, entries)))


def preview(document: Document) -> Shown:
    shown = msgspec.json.decode(msgspec.json.decode(message(document))["msgParam"])
    return Shown(
        text=shown["text"],
        markup="markdown",
        title=shown["title"],
        button=shown.get("singleTitle", ""),
        link=shown.get("singleURL", ""),
    )


def text(content: str) -> bytes:
    return _kind("sampleText", {"content": content})


async def send(app: App, users: Sequence[str], message: bytes, wire: Wire) -> Mapping[str, Outcome]:
    body = {"robotCode": app.robot_code, "userIds": list(users), **msgspec.json.decode(message)}
    heard = await call_api(app, wire, "POST", SEND, body)
    task = heard.content.get("processQueryKey")
    if not heard.fine or not isinstance(task, str):
        outcome = verdict(heard, VERDICTS, hide=(*app.hidden, *users))
        if isinstance(outcome, Refused) and outcome.of == "address" and len(users) > 1:
            # One of them is meant, and it does not say who.
            return {user: (await send(app, [user], message, wire))[user] for user in users}
        return dict.fromkeys(users, outcome)
    reached: dict[str, Outcome] = {user: Sent(f"{task}:{user}", words_of(heard, ())) for user in users}
    for name, outcome in NOT_REACHED.items():
        named = heard.content.get(name)
        reached |= {user: outcome for user in users if isinstance(named, list) and user in named}
    return reached


async def results(app: App, task: str, users: Sequence[str], wire: Wire) -> list[Receipt]:
    """Whether it was read is known only of what arrived."""
    query = f"?robotCode={quote(app.robot_code, safe='')}&processQueryKey={quote(task, safe='')}"
    heard = await call_api(app, wire, "GET", READ + query)
    known = heard.content.get("messageReadInfoList")
    if not heard.fine or not isinstance(known, list):
        return []
    arrived = {one.get("userId") for one in known if isinstance(one, dict)}
    return [Receipt("delivered", provider_id=f"{task}:{user}") for user in users if user in arrived]


def _message(made: Card) -> bytes:
    if not made.url:
        return _kind("sampleMarkdown", {"title": made.title, "text": made.text})
    button = {"singleTitle": made.button, "singleURL": made.url}
    return _kind("sampleActionCard", {"title": made.title, "text": made.text, **button})


def _kind(key: str, parameters: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({"msgKey": key, "msgParam": msgspec.json.encode(parameters).decode()})
