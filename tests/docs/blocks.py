"""What of a page can be run: its blocks, in their order.

`sh`        run by the test, in one shell for the page
`python`    run by the test, in one interpreter for the page
`json`, `http`, or no language, when it is JSON (after headers and an empty line, where it has any): a sample, which is
            posted; or, right below one, with nothing but empty lines in between, what is answered to it
anything else is for people: `shell` is what a test cannot do for them, such as `make serve`
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from markdown_it import MarkdownIt

Kind = Literal["sh", "python", "sample", "answer"]
_markdown = MarkdownIt()
ANSWERED = {"parked", "duplicate", "rejected"}
"""Of these has one whatever is answered to a sample."""


@dataclass(frozen=True)
class Block:
    """`line`: where it stands in its page. `content` and `headers`, with names in lower case: of JSON."""

    kind: Kind
    line: int
    text: str
    content: Any = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> bytes:
        """As it is written: a signature may cover it."""
        return self.text.rpartition("\n\n")[2].strip().encode()


def blocks_of(page: Path) -> list[Block]:
    found: list[Block] = []
    before = None
    for token in _markdown.parse(page.read_text("utf-8")):
        if token.type != "fence":
            before = before if token.nesting else None
            continue
        assert token.map
        block = _block(token.info.strip(), token.map[0] + 1, token.content, below=before)
        found += [block] if block else []
        before = block
    return found


def _block(language: str, line: int, text: str, *, below: Block | None) -> Block | None:
    if language in ("sh", "python"):
        return Block("sh" if language == "sh" else "python", line, text)
    if language not in ("json", "http", ""):
        return None
    head, _, body = text.rpartition("\n\n")
    try:
        content = json.loads(body)
    except ValueError as error:
        assert language == "", f"line {line}: this is no JSON ({error}); call it `text` if it is not meant to be"
        return None
    lines = [each.partition(":") for each in head.splitlines()]
    headers = tuple((name.lower(), value.strip()) for name, colon, value in lines if colon)
    answers = (
        below is not None and below.kind == "sample" and isinstance(content, dict) and bool(ANSWERED & set(content))
    )
    return Block("answer" if answers else "sample", line, text, content, headers)
