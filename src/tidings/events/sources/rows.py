"""A source's own rows of a mapping: as people send them, as they are kept, as they are used."""

from collections.abc import Mapping, Sequence
from typing import Any

from tidings.events.sources.mapping import Row, row_of
from tidings.events.sources.registry import ADAPTERS

ROWS_AT_MOST = 500
WORDS_AT_MOST = 20
WORD_LENGTH = 200


def read_rows(adapter: str, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """As kept; none for an adapter that this version does not have."""
    known = ADAPTERS.get(adapter)
    return [_row(known.mapping.parts, row) for row in rows] if known else []


def write_row(parts: Sequence[str], row: Row) -> dict[str, Any]:
    """One word as a text, several as a list, a part that may be anything not at all."""
    said = {
        part: words[0] if len(words) == 1 else list(words) for part, words in zip(parts, row.said, strict=True) if words
    }
    return {**said, "type": row.type}


def checked_rows(parts: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> tuple[list[Row], list[dict[str, Any]]]:
    """The rows, and all that does not fit. Whether a type exists is for whoever knows the catalogue."""
    problems: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        problems += [{"field": f"rows.{number}{field}", "problem": text} for field, text in _problems(parts, row)]
    return ([] if problems else [_row(parts, row) for row in rows]), problems


def _row(parts: Sequence[str], row: Mapping[str, Any]) -> Row:
    words = {part: _listed(row[part]) for part in parts if row.get(part)}
    return row_of(parts, words, row["type"])


def _listed(words: str | list[str]) -> list[str]:
    return [words] if isinstance(words, str) else words


def _problems(parts: Sequence[str], row: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [
        (f".{name[:100]}", f"is not known here; the parts are: {', '.join(parts)}")
        for name in row
        if name not in (*parts, "type")
    ]
    if "type" not in row or not isinstance(row["type"], str | None):
        found.append((".type", "must be an event type, or null when nobody wants to know"))
    for part in parts:
        words = row.get(part)
        listed = [words] if isinstance(words, str) else words
        if words is not None and not _are_words(listed):
            text = f"must be a text of up to {WORD_LENGTH} characters, or a list of up to {WORDS_AT_MOST} of them"
            found.append((f".{part}", text))
    if not any(row.get(part) for part in parts):
        found.append(("", f"says nothing: name at least one of {', '.join(parts)}"))
    return found


def _are_words(listed: Any) -> bool:
    return (
        isinstance(listed, list)
        and len(listed) <= WORDS_AT_MOST
        and all(
            isinstance(word, str) and len(word) <= WORD_LENGTH and word.strip() and word.isprintable()
            for word in listed
        )
    )
