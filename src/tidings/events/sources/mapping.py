"""What the words of another system mean: which of them, together, are which event type. Pure.

A table lies as `mapping.toml` in its adapter's folder; a source's own rows, set over the API, come before it. In a word
`*` stands for anything: `dwh_*`.
"""

import difflib
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

ANY: frozenset[str] = frozenset()
NEAR_AT_MOST, NEAR_LENGTH = 500, 60


@dataclass(frozen=True, slots=True)
class Row:
    """`words`: for each part the ways to say it, as they are compared; none: whatever is said. `said`: as they were
    written. `type` None: nobody wants to know."""

    type: str | None
    words: tuple[frozenset[str], ...]
    said: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class WordMap:
    parts: tuple[str, ...]
    rows: tuple[Row, ...]

    def meaning(self, said: Sequence[str]) -> Row | None:
        """The first row that has these words, one for each part."""
        words = [compared(word) for word in said]
        for row in self.rows:
            if all(not known or _says(known, word) for known, word in zip(row.words, words, strict=True)):
                return row
        return None

    def before(self, own: Iterable[Row]) -> "WordMap":
        """With these rows in front."""
        return WordMap(self.parts, (*own, *self.rows))

    def nearest(self, said: str) -> str:
        """The word of the last part that looks most like this one; empty when none does. Not of all there may be, nor
        of long ones: a source may have ten thousand, and to compare two takes a time that grows with their square."""
        words = (word for row in self.rows for word in row.said[-1] if "*" not in word and len(word) <= NEAR_LENGTH)
        known = {compared(word): word for word in islice(words, NEAR_AT_MOST)}
        close = difflib.get_close_matches(compared(said)[:NEAR_LENGTH], known, n=1, cutoff=0.5)
        return known[close[0]] if close else ""


def compared(word: str) -> str:
    """Case, spaces and the width of characters make no difference."""
    return "".join(unicodedata.normalize("NFKC", word).casefold().split())


def _says(known: frozenset[str], word: str) -> bool:
    return word in known or any(_fits(pattern, word) for pattern in known if "*" in pattern)


def _fits(pattern: str, word: str) -> bool:
    """In one pass, however many `*` there are: a regular expression would try them all against each other."""
    first, *middle, last = pattern.split("*")
    if not (word.startswith(first) and word.endswith(last) and len(word) >= len(first) + len(last)):
        return False
    at, end = len(first), len(word) - len(last)
    for part in middle:
        at = word.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def row_of(parts: Sequence[str], words: Mapping[str, Sequence[str]], event_type: str | None) -> Row:
    said = tuple(tuple(words.get(part, ())) for part in parts)
    return Row(event_type, tuple(frozenset(map(compared, each)) or ANY for each in said), said)


def mapping_beside(module: str) -> WordMap:
    """The table of an adapter; `module` is its `__file__`."""
    return read_table(Path(module).with_name("mapping.toml").read_text("utf-8"))


def read_table(text: str) -> WordMap:
    """A `mapping.toml`: `parts`, and groups of rows that share their words for all parts but the last. The type `""`:
    nobody wants to know."""
    table: dict[str, Any] = tomllib.loads(text)
    parts = tuple(table["parts"])
    rows = [
        row_of(parts, {**group, parts[-1]: words}, event_type or None)
        for group in table["group"]
        for event_type, words in group[parts[-1]].items()
    ]
    return WordMap(parts, tuple(rows))
