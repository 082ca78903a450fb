"""Files as spreadsheets save them are read, and what is written runs nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.kernel.problems import Problem
from tidings.kernel.sheets import guarded, read_sheet, unguarded, write_sheet

COLUMNS = ("login", "name", "mobile")


def cells(content: bytes) -> list[tuple[str, ...]]:
    return [line.cells for line in read_sheet(content, COLUMNS, needs=("login",), ignores=("problem",)).lines]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_whatever_excel_saves_is_read(codec: str, separator: str, end: str) -> None:
    lines = ["Login ,NAME", "chen.wei,陈伟", ""]
    content = end.join(line.replace(",", separator) for line in lines).encode(codec)
    assert cells(content) == [("chen.wei", "陈伟")]


def test_excels_own_line_about_the_separator_is_no_row() -> None:
    sheet = read_sheet(b"sep=;\r\nlogin;name\r\nann;a,b\r\n", COLUMNS, needs=(), ignores=())
    assert (sheet.separator, sheet.lines[0].cells, sheet.lines[0].number) == (";", ("ann", "a,b"), 3)


def test_a_line_is_found_in_the_file_by_its_number() -> None:
    content = b'login,name\nann,"two\nlines"\n\n  ,\nbo,Bo\n'
    sheet = read_sheet(content, COLUMNS, needs=(), ignores=())
    assert [(line.number, line.cells[0]) for line in sheet.lines] == [(2, "ann"), (6, "bo")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\r\n\r\n", "empty"),
        (b"PK\x03\x04\x00\x00", "not as a workbook"),
        (b"login\n\xff\xff\n", "UTF-8 or GB18030"),
        (b"login,phone\n", "'phone', which is no column here"),
        (b"login,Login\n", "'login' twice"),
        (b"name\nAnn\n", "does not name 'login'"),
        (b'login,name\nann,"Ann\n', "Line 2 cannot be read"),
        (b"login\n" + b"x\n" * 10_001, "more than 10,000 rows"),
        (b"login\n" + b"\n" * 100_001, "more than 100,000 lines"),
        (b"\n" * 100_002 + b"login\n", "more than 100,000 lines"),
        (b"login" + b",login" * 200_000, "'login' twice"),
        (b"login" + b",x" * 200_000, "'x', which is no column here"),
    ],
)
def test_what_is_no_such_table_is_refused_with_what_to_do(content: bytes, says: str) -> None:
    """At once, however long its lines are and however many."""
    with pytest.raises(Problem) as refused:
        cells(content)
    assert (refused.value.status, refused.value.code) == (422, "unreadable_file")
    assert says in refused.value.detail


@pytest.mark.parametrize("cell", ["=1+1", "+86138", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "'=1", "''+1"])
def test_a_cell_that_a_spreadsheet_would_run_is_guarded(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"
    assert unguarded(guarded(cell)) == cell


@pytest.mark.parametrize("cell", ["", "ann", "O'Neill", "'tis", "a=b", "a-b@c", "0"])
def test_any_other_cell_stays_as_it_is(cell: str) -> None:
    assert guarded(cell) == unguarded(cell) == cell


_CELL = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))).map(str.strip)


@given(st.lists(st.tuples(_CELL.map("x{}".format), _CELL, _CELL)), st.booleans())
def test_what_is_written_is_read_again(rows: list[tuple[str, ...]], for_excel: bool) -> None:
    assert cells(write_sheet(COLUMNS, rows, for_excel=for_excel)) == [tuple(row) for row in rows]
