"""Slack's incoming webhooks on this machine: a message that breaks a documented limit, or has a control character that
is not escaped, is not taken, and what was wrong with it is in `complaints`."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tidings.channels.testing.http_server import HttpServer, Reply, Request

MOST_BLOCKS, MOST_FIELDS, MOST_CONTEXT = 50, 10, 10
MOST_LINK = 3_000
MOST_TEXT = {"header": 150, "section": 3_000, "field": 2_000, "context": 3_000, "button": 75}
_MARKUP = re.compile(r"<[^>]*>")
_RAW = re.compile(r"[<>]|&(?!(?:amp|lt|gt);)")


@dataclass(frozen=True, slots=True)
class Posted:
    """What a channel shows: `text` is decoded, with the links of buttons; `names` are all members and types;
    `live` is what Slack makes more of than text: links and mentions, in `<>` where they are markup."""

    path: str
    first_block: str
    notification: str
    text: str
    names: Sequence[str]
    size: int
    live: Sequence[str]


class IncomingWebhooks(HttpServer):
    """`async with IncomingWebhooks("/services/T/B/x") as slack:`, then POST there. `script` maps a path to its answers
    in order, the last of which repeats; None is the answer it would give by itself."""

    def __init__(self, *paths: str, script: Mapping[str, Sequence[Reply | None]] | None = None) -> None:
        super().__init__()
        self.paths = set(paths)
        self.script: dict[str, Sequence[Reply | None]] = dict(script or {})
        self.posted: list[Posted] = []
        self.complaints: list[str] = []
        self._asked: dict[str, int] = {}

    def reply(self, request: Request) -> Reply:
        path = request.target
        asked, self._asked[path] = self._asked.get(path, 0), self._asked.get(path, 0) + 1
        if script := self.script.get(path):
            scripted = script[min(asked, len(script) - 1)]
            if scripted is not None:
                return scripted
        if path not in self.paths:
            return Reply(404, b"no_service")
        return self._taken(request)

    def _taken(self, request: Request) -> Reply:
        is_json = request.headers.get("content-type", "").startswith("application/json")
        try:
            message = msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            message = None
        if request.method != "POST" or not is_json or not isinstance(message, dict):
            self.complaints.append("no POST of a JSON object")
            return Reply(400, b"invalid_payload")
        if not message.get("text"):
            return Reply(400, b"no_text")
        blocks: list[dict[str, Any]] = message.get("blocks") or []
        if problems := [*_problems(message["text"], blocks)]:
            self.complaints += problems
            return Reply(400, b"invalid_blocks")
        texts = [text["text"] for block in blocks for _, text in _texts(block)]
        links = [element["url"] for block in blocks for element in _buttons(block)]
        self.posted.append(
            Posted(
                path=request.target,
                first_block=blocks[0].get("block_id", "") if blocks else "",
                notification=html.unescape(message["text"]),
                text="\n".join([*map(html.unescape, texts), *links]),
                names=sorted(set(_names(message))),
                size=len(request.body),
                live=[
                    *(f"link {link}" for link in links),
                    *_MARKUP.findall("\n".join([message["text"], *texts])),
                    *sorted({text["type"] for block in blocks for _, text in _texts(block)}),
                ],
            )
        )
        return Reply(200, b"ok")


def _problems(notification: str, blocks: Sequence[dict[str, Any]]) -> Iterator[str]:
    if _RAW.search(notification):
        yield "text: a control character that is not escaped"
    if len(blocks) > MOST_BLOCKS:
        yield f"{len(blocks)} blocks"
    for block in blocks:
        yield from _problems_of_block(block)
        for where, text in _texts(block):
            yield from _problems_of_text(where, text)


def _problems_of_block(block: dict[str, Any]) -> Iterator[str]:
    if len(block.get("fields", ())) > MOST_FIELDS:
        yield "too many fields"
    if block["type"] == "context" and not 0 < len(block["elements"]) <= MOST_CONTEXT:
        yield "a context without elements, or with too many"
    if any(len(button["url"]) > MOST_LINK for button in _buttons(block)):
        yield "button: too long a link"


def _problems_of_text(where: str, text: dict[str, Any]) -> Iterator[str]:
    if not 0 < len(text["text"]) <= MOST_TEXT[where]:
        yield f"{where}: a text of {len(text['text'])} characters"
    if _RAW.search(text["text"]):
        yield f"{where}: a control character that is not escaped"
    if where in ("header", "button") and text["type"] != "plain_text":
        yield f"{where}: must be plain_text"


def _texts(block: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every text object of a block, and what of."""
    if "text" in block:
        yield block["type"], block["text"]
    for field in block.get("fields", ()):
        yield "field", field
    for element in block.get("elements", ()):
        if block["type"] == "context":
            yield "context", element
        else:
            yield element["type"], element["text"]


def _buttons(block: dict[str, Any]) -> Sequence[dict[str, Any]]:
    return [element for element in block.get("elements", ()) if element["type"] == "button"]


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        if isinstance(value.get("type"), str):
            yield value["type"]
        for inner in value.values():
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)
