"""A work notification: what an app tells members of its company, in a conversation that only apps write to.

DingTalk answers that it took one long before it decides whether it comes: over its limits, and where the same content
went to the same person that day, nothing comes and nothing is said, but in the result, for 24 hours.
https://help.dingtalk.io/open/development/asynchronous-sending-of-enterprise-session-messages
https://help.dingtalk.io/open/development/gets-the-result-of-sending-messages-asynchronously-to-the-enterprise
https://open.dingtalk.com/document/orgapp/message-types-and-data-format
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tidings.channels.contract import Outcome, Receipt, Refused, Sent, Shown, Wire
from tidings.channels.dingtalk.answer import verdict, words_of
from tidings.channels.dingtalk.app import App, call_oapi
from tidings.channels.dingtalk.markdown import Card, card, fitted
from tidings.channels.dingtalk.verdict import VERDICTS, kept_back
from tidings.messages.document import Document

SEND = "/topapi/message/corpconversation/asyncsend_v2"
RESULT = "/topapi/message/corpconversation/getsendresult"
# 5,000 may be written to at once, but of more than 100 no result can be had.
MOST = 100
MOST_BYTES = 2_048  # of `msg`: https://open-doc.dingtalk.com/microapp/serverapi2/pgoxpy


def message(document: Document) -> bytes:
    """`msg`. Of a try that is repeated DingTalk keeps the second itself back: it has the same content."""
    return fitted(MOST_BYTES, lambda length, entries: msgspec.json.encode(_message(card(document, length, entries))))


def preview(document: Document) -> Shown:
    made = msgspec.json.decode(message(document))
    shown = made[made["msgtype"]]
    return Shown(
        text=shown.get("markdown") or shown["text"],
        markup="markdown",
        title=shown["title"],
        button=shown.get("single_title", ""),
        link=shown.get("single_url", ""),
    )


def text(content: str) -> bytes:
    return msgspec.json.encode({"msgtype": "text", "text": {"content": content}})


async def send(app: App, users: Sequence[str], message: bytes, wire: Wire) -> Mapping[str, Outcome]:
    body = {"agent_id": app.agent_id, "userid_list": ",".join(users), "msg": msgspec.Raw(message)}
    heard = await call_oapi(app, wire, SEND, body)
    task = heard.content.get("task_id")
    if heard.fine and isinstance(task, int | str):
        return {user: Sent(f"{task}:{user}", words_of(heard, ())) for user in users}
    outcome = verdict(heard, VERDICTS, hide=(*app.hidden, *users))
    if isinstance(outcome, Refused) and outcome.of == "address" and len(users) > 1:
        # One of them is meant, and it does not say who.
        return {user: (await send(app, [user], message, wire))[user] for user in users}
    return dict.fromkeys(users, outcome)


async def results(app: App, task: str, users: Sequence[str], wire: Wire) -> list[Receipt]:
    """Of those about whom DingTalk has decided."""
    heard = await call_oapi(app, wire, RESULT, {"agent_id": app.agent_id, "task_id": int(task)})
    result = heard.content.get("send_result")
    if not heard.fine or not isinstance(result, dict):
        return []
    codes = _codes(result)
    kept, invalid, failed = _listed(result, "forbidden"), _listed(result, "invalid"), _listed(result, "failed")
    arrived = _listed(result, "read") | _listed(result, "unread")
    receipts: list[Receipt] = []
    for user in users:
        provider_id = f"{task}:{user}"
        if user in codes or user in kept:
            receipts.append(kept_back(provider_id, codes.get(user, "")))
        elif user in invalid:
            receipts.append(Receipt("failed", provider_id=provider_id, reason="no_such_user", of="address"))
        elif user in failed:
            receipts.append(Receipt("failed", provider_id=provider_id, reason="not_delivered"))
        elif user in arrived:
            receipts.append(Receipt("delivered", provider_id=provider_id))
    return receipts


def _message(made: Card) -> dict[str, Any]:
    if not made.url:
        return {"msgtype": "markdown", "markdown": {"title": made.title, "text": made.text}}
    return {
        "msgtype": "action_card",
        "action_card": {
            "title": made.title,
            "markdown": made.text,
            "single_title": made.button,
            "single_url": made.url,
        },
    }


def _listed(result: Mapping[str, Any], name: str) -> set[str]:
    users = result.get(f"{name}_user_id_list")
    return {str(user) for user in users} if isinstance(users, list) else set()


def _codes(result: Mapping[str, Any]) -> dict[str, str]:
    reasons = result.get("forbidden_list")
    if not isinstance(reasons, list):
        return {}
    return {str(one.get("userid")): str(one.get("code") or "") for one in reasons if isinstance(one, dict)}
