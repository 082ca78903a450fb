"""A source's own words, as rows of a form: what a row says, one word to a line, and what it means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from tidings.console.spoken import spoken
from tidings.events.sources.set_up import ShownMapping

NEW = 3
"""Rows to write in: a vocabulary has more than one word."""


@dataclass(frozen=True, slots=True)
class Cell:
    part: str
    said: str


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    cells: Sequence[Cell]
    type: str
    problem: str = ""
    is_new: bool = False


def rows_of(shown: ShownMapping, words: Mapping[str, str] | None = None) -> list[Row]:
    """As they are kept, and some to write in: the first about these words of a parked payload, if there are any."""
    kept = [_row(number, shown.parts, row) for number, row in enumerate(shown.rows)]
    return [*kept, *_new(len(kept), shown.parts, words or {})]


def written_rows(parts: Sequence[str], post: QueryDict, problems: Mapping[str, str]) -> list[Row]:
    """As somebody has filled them in, with what is wrong with each, and some more. `problems` by the field's name, as
    the act has it: of the rows that say something, counted from 0."""
    rows = given_rows(parts, post)
    shown = [_row(number, parts, row, _problem(number, problems)) for number, row in enumerate(rows)]
    return [*shown, *_new(len(rows), parts, {})]


def given_rows(parts: Sequence[str], post: QueryDict) -> list[dict[str, Any]]:
    """Rows that say something; an empty type means that nobody wants to know."""
    rows: list[dict[str, Any]] = []
    for number in post.getlist("row"):
        if post.get(f"drop-{number}"):
            continue
        row: dict[str, Any] = {part: _lines(post.get(f"{part}-{number}", "")) for part in parts}
        row = {part: words[0] if len(words) == 1 else words for part, words in row.items() if words}
        type_ = post.get(f"type-{number}", "").strip()
        if row or type_:
            rows.append({**row, "type": type_ or None})
    return rows


def given_people(post: QueryDict) -> list[str]:
    return _lines(post.get("ignored_people", ""))


def _new(number: int, parts: Sequence[str], first: Mapping[str, str]) -> list[Row]:
    return [_row(number + each, parts, {} if each else first, is_new=True) for each in range(NEW)]


def _row(number: int, parts: Sequence[str], row: Mapping[str, Any], problem: str = "", *, is_new: bool = False) -> Row:
    cells = [Cell(part, _text(row.get(part, ""))) for part in parts]
    return Row(number, cells, row.get("type") or "", problem, is_new)


def _problem(number: int, problems: Mapping[str, str]) -> str:
    mine = [problem for field, problem in problems.items() if f"{field}.".startswith(f"rows.{number}.")]
    return "; ".join(spoken(problem) for problem in mine)


def _text(words: str | Sequence[str]) -> str:
    return words if isinstance(words, str) else "\n".join(words)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
