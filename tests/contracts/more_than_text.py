"""What a message becomes on its reader's screen besides text: links and where they lead, pictures, tags, headings,
mentions. Two messages with the same of these differ in nothing but words."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from markdown_it import MarkdownIt

# With what DingTalk, Feishu and others add to it. Addresses that stand as they are lead where they say, so they count as
# text: what is looked for is what says one thing and is another.
_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_PLAIN = ("text", "inline", "paragraph_open", "paragraph_close", "softbreak", "hardbreak")
# What a parser less strict than CommonMark may take for the beginning of markup.
_ALMOST = re.compile(r"!?\[[^\]\n]*\]\s*[(\[:]|<[A-Za-z/!?@]|`")


def in_markdown(text: str) -> list[str]:
    tokens = [token for block in _MARKDOWN.parse(text) for token in (block, *(block.children or ()))]
    found = {
        " ".join([token.type, token.tag, *(f"{name}={value}" for name, value in sorted(token.attrs.items()))])
        for token in tokens
        if token.type not in _PLAIN
    }
    return sorted([*found, *(f"almost {each[:2]}" for each in _ALMOST.findall(text))])


def in_html(page: str) -> list[str]:
    tags = _Tags()
    tags.feed(page)
    tags.close()
    return sorted(tags.found)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "br":
            self.found.add(" ".join([tag, *self._shown(attrs)]))

    def handle_comment(self, data: str) -> None:
        self.found.add(f"comment {data}")

    def handle_decl(self, decl: str) -> None:
        self.found.add(f"declaration {decl}")

    def handle_pi(self, data: str) -> None:
        self.found.add(f"instruction {data}")

    @staticmethod
    def _shown(attrs: list[tuple[str, str | None]]) -> Iterator[str]:
        for name, value in attrs:
            yield f"{name}={value}" if name in ("href", "src", "action", "background", "content") else name
