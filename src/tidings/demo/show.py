"""Show decision records and what becomes of them, in a terminal of 80 columns or more, or plainly elsewhere."""

import codecs
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from tidings.demo.card import REASONS, as_above, card, shape
from tidings.demo.follow import Cancelled, Held, News, Opened, Together, Tried
from tidings.demo.lines import (
    AGAIN,
    DELIVERED,
    FAILED,
    NOT_TOLD,
    SENT,
    STYLES,
    UNDER_WAY,
    held_back,
    later,
    mark_of,
    retried,
    together,
)
from tidings.demo.record import Record

WIDEST = 100
PLAIN = {"✓": "+", AGAIN: "~", FAILED: "x", UNDER_WAY: ".", NOT_TOLD: "-", "·": "-", "›": ">"}


class Screen:
    """What is printed scrolls by; in a terminal a line at the bottom keeps count. `zone` is the organisation's."""

    def __init__(self, zone: ZoneInfo) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            codecs.register_error("demo", _plainly)
            sys.stdout.reconfigure(errors="demo")
        found = Console()
        self.console = Console(highlight=False, markup=False, emoji=False, width=min(found.width, WIDEST))
        self._zone = zone
        self._last: object = None
        self._live = Live(console=self.console, auto_refresh=False, transient=True) if found.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, *parts: str | tuple[str, str]) -> None:
        """Text; parts may be (text, style). Long words such as paths and commands are left whole, to be copied."""
        self._last = None
        self.console.print(Text.assemble(*parts), soft_wrap=True)

    def aside(self, text: str) -> None:
        self._last = None
        self.console.print(Padding(Text(f"› {text}", style="magenta"), (1, 0, 0, 3)))

    def show(self, news: News) -> None:
        match news:
            case Opened(record):
                before, self._last = self._last, shape(record)
                self.console.print(as_above(record) if before == self._last else card(record, self._zone))
            case Together(tried):
                self.console.print(together(tried))
            case Held(record, recipient, send):
                self.console.print(held_back([(recipient, send)], of=record))
            case Tried(record, recipient, send, number):
                self.console.print(retried(record, recipient, send, number, named=True))
            case Cancelled(record, recipient, send):
                why = REASONS.get(send.reason, send.reason)
                self.console.print(later(NOT_TOLD, recipient, send, f"called off, because {why}", of=record))

    def count(self, records: Iterable[Record]) -> None:
        if self._live:
            self._live.update(tally(list(records)), refresh=True)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """For a terminal that knows ASCII only: our marks by others, names of the rest of the world as question marks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


def tally(records: Sequence[Record]) -> Text:
    marks = Counter(mark_of(send) for record in records for send in record.sends)
    silences = sum(len(record.skips) + sum(len(one.skips) for one in record.recipients) for record in records)
    numbers = (
        ("events", len(records), "bold"),
        ("sent", marks[SENT] + marks[DELIVERED], STYLES[SENT]),
        ("delivered", marks[DELIVERED], STYLES[DELIVERED]),
        ("on their way", marks[AGAIN] + marks[UNDER_WAY], STYLES[AGAIN]),
        ("failed", marks[FAILED], STYLES[FAILED]),
        ("not told", silences, STYLES[NOT_TOLD]),
    )
    parts = [Text(f"{what} {count}", style=style) for what, count, style in numbers]
    return Text("   ") + Text(" · ", style="dim").join(parts)
