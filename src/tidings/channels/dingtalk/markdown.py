"""A document in the Markdown that DingTalk shows: headings, bold, links, lists and quotes, and nothing else for sure.

https://open.dingtalk.com/document/orgapp/message-types-and-data-format
"""

from collections.abc import Callable

from msgspec import Struct

from tidings.channels.words import CUT, cut, one_line, web_link
from tidings.messages.document import Document

# Whether a backslash escapes is not said anywhere, so what others wrote is freed of what makes links, pictures, tags
# and emphasis by letters that look the same. An underscore stays: tables are named with it; so does one tilde. Of a
# backslash at its end our own markup would be freed.
_LOOKALIKES = str.maketrans({"[": "［", "]": "］", "<": "＜", ">": "＞", "*": "＊", "`": "｀", "\\": "＼"})
# Characters of a text and how many facts; the first that fits is taken. The last always does: 2,048 bytes hold it even
# where every character takes four, beside a link of `LONGEST_LINK`.
LIMITS = ((1_000, 30), (200, 10), (100, 8), (60, 5), (20, 3))
TITLE_LENGTH = 64
BUTTON_LENGTH = 20
ID_LENGTH = 60
# Of a button: 500 (error 34016). A longer one stands in the text, up to where it leaves no room for one.
BUTTON_LINK_LENGTH = 500
LONGEST_LINK = 800


class Card(Struct, frozen=True):
    """`url` is empty where there is no link or it is too long for a button; then it stands in the text."""

    title: str
    text: str
    button: str
    url: str


def card(document: Document, length: int, entries: int) -> Card:
    """The same for all readers to whom the same is said. It ends with a mark of the event, by which two messages of a
    day differ and two tries of one do not."""
    url = link(document)
    on_button = url if len(url.encode()) <= BUTTON_LINK_LENGTH else ""
    why, about = plain(document.why, length), plain(document.occasion.subject_id, min(length, ID_LENGTH))
    parts = [
        *paragraphs(document, length, entries),
        *([why] if why else []),
        f"· {about} · {mark(document)}",
        *([inline_link(document)] if url and not on_button else []),
    ]
    return Card(
        title=plain(document.headline, min(length, TITLE_LENGTH)) or CUT,
        text=joined(parts),
        button=plain(document.link_label, BUTTON_LENGTH) or CUT,
        url=on_button,
    )


def plain(text: str, length: int) -> str:
    """One line that is read as it is written."""
    return cut(one_line(text).translate(_LOOKALIKES).replace("~~", "～～"), length)


def link(document: Document) -> str:
    """Where the reader acts; nothing if there is no such place or it takes more room than a message has."""
    url = web_link(document.url)
    return url if len(url.encode()) <= LONGEST_LINK else ""


def inline_link(document: Document) -> str:
    # What would end the link early, percent-encoded: RFC 3986 lets it stand for itself.
    url = link(document).replace("(", "%28").replace(")", "%29")
    return f"[{plain(document.link_label, BUTTON_LENGTH) or CUT}]({url})" if url else ""


def paragraphs(document: Document, length: int, entries: int) -> list[str]:
    """What happened and what to do; why the reader is told is left to the caller, who may have several readers. No
    paragraph begins with what others wrote: at its beginning even a letter can be markup."""
    facts = [f"- **{plain(fact.label, length)}** {plain(fact.value, length)}" for fact in document.facts[:entries]]
    if len(facts) < len(document.facts):
        facts.append(f"- {CUT} (+{len(document.facts) - len(facts)})")
    return [
        f"### {plain(document.headline, length) or CUT}",
        *([f"> {plain(document.earlier, length)}"] if document.earlier else []),
        *(["\n".join(facts)] if facts else []),
        *([f"→ {plain(document.todo, length)}"] if document.todo else []),
    ]


def joined(parts: list[str]) -> str:
    """One line break is none in this Markdown."""
    return "\n\n".join(parts)


def fitted(most_bytes: int, made: Callable[[int, int], bytes]) -> bytes:
    """What `made` gives for the most generous of `LIMITS` that fits."""
    for length, entries in LIMITS:
        body = made(length, entries)
        if len(body) <= most_bytes:
            break
    return body


def mark(document: Document) -> str:
    """The same for all readers and tries of one event and for no other: the random part of its id."""
    return document.occasion.event_id.replace("-", "")[-15:-5]
