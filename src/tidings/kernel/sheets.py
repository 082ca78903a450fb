"""Tables as files that people open with a spreadsheet: reads what Excel saves, writes nothing that Excel would run."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from tidings.kernel.problems import Problem, invalid

CONTENT_TYPE = "text/csv; charset=utf-8"
ROWS_AT_MOST = 10_000
LINES_AT_MOST = 100_000
"""With the empty ones, which Excel saves where a cell once held something."""
SEPARATORS = ",;\t"
# What Excel saves: with a byte order mark, or in the code page of a Chinese Windows, which GB18030 contains.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_UNMARKED = (("utf-8", "UTF-8"), ("gb18030", "GB18030"))
# Cells that a spreadsheet takes for a formula (https://owasp.org/www-community/attacks/CSV_Injection), and those that
# would be taken for a guarded one.
_RUN = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")


@dataclass(frozen=True, slots=True)
class Line:
    """`number`: where it begins in the file, from 1. A line may have fewer cells than there are columns, or more."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    encoding: str
    separator: str


def read_sheet(content: bytes, columns: Collection[str], *, needs: Collection[str], ignores: Collection[str]) -> Sheet:
    """Its first line names the columns, in any order and case. Raises 422 `unreadable_file`."""
    text, encoding = _decoded(content)
    hint, body = _hinted(text)
    separator = hint or _separator_of(body, {*columns, *ignores})
    lines = _lines(body, separator, skipped=1 if hint else 0)
    first = next(lines, None)
    if first is None:
        raise _unreadable("The file is empty: its first line names the columns.")
    named = tuple(cell.strip().lower() for cell in first.cells)
    _check_columns(named, columns, needs, ignores)
    rows = tuple(islice(lines, ROWS_AT_MOST + 1))
    if len(rows) > ROWS_AT_MOST:
        raise _unreadable(f"The file has more than {ROWS_AT_MOST:,} rows. Split it.")
    return Sheet(named, rows, encoding, separator)


def write_sheet(columns: Sequence[str], rows: Iterable[Sequence[str]], *, for_excel: bool = False) -> bytes:
    """UTF-8; with a byte order mark for Excel, which takes it for the local code page otherwise."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([[guarded(cell) for cell in row] for row in rows])
    return out.getvalue().encode("utf-8-sig" if for_excel else "utf-8")


def guarded(cell: str) -> str:
    """With a quote in front where a spreadsheet would run it; `unguarded` takes exactly that away again."""
    return f"'{cell}" if _RUN.match(cell) else cell


def unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _RUN.match(cell) else cell


def _decoded(content: bytes) -> tuple[str, str]:
    marked = [(codec, name) for mark, codec, name in _MARKS if content.startswith(mark)]
    for codec, name in marked or _UNMARKED:
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, name
    raise _unreadable("The file is no text in UTF-8 or GB18030: save it as CSV, not as a workbook.")


def _hinted(text: str) -> tuple[str, str]:
    """Excel's own first line that says what separates cells, and the rest."""
    found = re.match(r'"?sep=([,;\t])"?(\r\n|\r|\n)', text)
    return (found[1], text[found.end() :]) if found else ("", text)


def _separator_of(text: str, known: Collection[str]) -> str:
    """Whichever makes the most of the first line known."""
    header = re.match(r"\s*([^\r\n]*)", text)
    assert header

    def names(separator: str) -> int:
        return sum(cell.strip(' "').lower() in known for cell in header[1].split(separator))

    return max(SEPARATORS, key=names)


def _lines(text: str, separator: str, *, skipped: int) -> Iterator[Line]:
    """Without those that have nothing in them."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    before = 0
    try:
        for cells in reader:
            if before > LINES_AT_MOST:
                raise _unreadable(f"The file has more than {LINES_AT_MOST:,} lines. Take out those that are empty.")
            start, before = before + 1, reader.line_num
            if any(cell.strip() for cell in cells):
                yield Line(start + skipped, tuple(unguarded(cell.strip()) for cell in cells))
    except csv.Error as error:
        raise _unreadable(f"Line {reader.line_num + skipped} cannot be read: {error}. Is a quote missing?") from None


def _check_columns(
    named: Sequence[str], columns: Collection[str], needs: Collection[str], ignores: Collection[str]
) -> None:
    possible = f"The columns are: {', '.join(columns)}."
    if unknown := [name for name in named if name not in columns and name not in ignores]:
        raise _unreadable(f"The first line names {unknown[0][:100]!r}, which is no column here. {possible}")
    if twice := [name for name, times in Counter(named).items() if times > 1]:
        raise _unreadable(f"The first line names {twice[0]!r} twice.")
    if missing := [name for name in needs if name not in named]:
        raise _unreadable(f"The first line does not name {missing[0]!r}, which has to be there. {possible}")


def _unreadable(detail: str) -> Problem:
    return invalid(f"Nothing was read. {detail}", code="unreadable_file")
