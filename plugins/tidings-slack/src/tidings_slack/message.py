"""What Slack shows: blocks, and a line for notifications.

Every text is `plain_text`, in which nothing is markup, a mention, a link or an emoji by its name; so what others wrote
reads as they wrote it. Slack's three control characters are escaped all the same, as it asks for all text objects.
https://docs.slack.dev/messaging/formatting-message-text (escaping)
https://docs.slack.dev/reference/block-kit/blocks (the limits; they count what was escaped)
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tidings.channels.contract import Parcel
from tidings.channels.words import CUT, cut, one_line, web_link
from tidings.messages.document import Document, Fact

HEADER_LENGTH = 150
TEXT_LENGTH = 1_000  # of 3,000: more is not read
LABEL_LENGTH = 75  # of a button by its limit, of a fact because more is no label
VALUE_LENGTH = 300  # of 2,000
FIELDS = 10
MOST_FACTS = 20
LONGEST_LINK = 3_000

Block = dict[str, Any]


def body(parcel: Parcel) -> bytes:
    """One message. The id of its first block is the delivery's: the same over retries, for whoever looks for a repeat;
    Slack itself posts it again."""
    document = parcel.document
    blocks = [
        {"type": "header", "block_id": parcel.identity.hex, "text": _text(document.headline, HEADER_LENGTH)},
        *([_context(document.earlier)] if document.earlier else []),
        *([{"type": "section", "text": _text(document.todo, TEXT_LENGTH)}] if one_line(document.todo) else []),
        *_facts(document.facts),
        _context(*([document.why] if one_line(document.why) else []), document.occasion.subject_id),
        *_button(document),
    ]
    return msgspec.json.encode({"text": escaped(document.headline, VALUE_LENGTH), "blocks": blocks})


def escaped(text: str, most: int) -> str:
    """One line of at most so many characters, never empty: Slack refuses a text that is."""
    line = one_line(text) or CUT
    length = most
    while len(shown := _escape(cut(line, length))) > most:
        length = min(length, len(line)) - max(1, (len(shown) - most) // 5)
    return shown


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _text(text: str, most: int) -> Block:
    return {"type": "plain_text", "text": escaped(text, most), "emoji": False}


def _context(*texts: str) -> Block:
    return {"type": "context", "elements": [_text(text, TEXT_LENGTH) for text in texts]}


def _facts(facts: Sequence[Fact]) -> list[Block]:
    """In two columns, label and value."""
    fields = [
        field
        for fact in facts[:MOST_FACTS]
        for field in (_text(fact.label, LABEL_LENGTH), _text(fact.value, VALUE_LENGTH))
    ]
    sections = [{"type": "section", "fields": fields[at : at + FIELDS]} for at in range(0, len(fields), FIELDS)]
    return [*sections, *([_context(f"{CUT} (+{len(facts) - MOST_FACTS})")] if len(facts) > MOST_FACTS else [])]


def _button(document: Document) -> list[Block]:
    url = web_link(document.url)
    if not url or len(url) > LONGEST_LINK:
        return []
    button: Block = {"type": "button", "text": _text(document.link_label, LABEL_LENGTH), "url": url}
    if document.tone == "action":
        button["style"] = "primary"
    return [{"type": "actions", "elements": [button]}]
