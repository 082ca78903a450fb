"""Take a file in: its rows are kept, and looked at from then on."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from tidings.accounts.permissions import Caller
from tidings.imports.kinds import Cells, Kind
from tidings.imports.models import KEY_LENGTH, Import
from tidings.imports.people import PEOPLE
from tidings.imports.resources import RESOURCES
from tidings.kernel.ids import child_of
from tidings.kernel.problems import invalid
from tidings.kernel.sheets import Line, Sheet, read_sheet

OF: Mapping[str, Kind] = {"people": PEOPLE, "resources": RESOURCES}
NAME_LENGTH = 200
# What the file of refused rows has besides, so that it can be handed in as it is once it is mended.
TOLD = ("line", "problem")
_COPY = """
COPY imports_row (id, tenant_id, line, key, cells, unusable, fate, outcome, changes, problems) FROM STDIN
"""


@transaction.atomic
def begin_import(caller: Caller, kind: str, name: str, content: bytes) -> Import:
    """Nothing is put before it was shown: `go_on` looks at some rows at a time. Raises 403, 422."""
    if kind not in OF:
        raise invalid(f"What can be imported is: {', '.join(OF)}.", [{"field": "kind", "problem": "is not known"}])
    of = OF[kind]
    caller.require(*of.roles)
    sheet = read_sheet(content, of.columns, needs=of.needs, ignores=TOLD)
    if not sheet.lines:
        raise invalid("Nothing was read. The file has a first line and no rows.", code="unreadable_file")
    one = Import.objects.create(
        tenant_id=caller.tenant_id,
        kind=kind,
        name=name[-NAME_LENGTH:],
        actor=caller.name,
        columns=list(sheet.columns),
        encoding=sheet.encoding,
        separator=sheet.separator,
        rows=len(sheet.lines),
    )
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for ordinal, row in enumerate(_ordered(sheet, of), 1):
            unusable = bool(row.problems)
            copy.write_row(
                (
                    child_of(one.id, ordinal),
                    one.tenant_id,
                    row.line.number,
                    of.key(row.cells)[:KEY_LENGTH],
                    list(row.line.cells[: len(sheet.columns)]),
                    unusable,
                    "refused" if unusable else "",
                    "",
                    "{}",
                    json.dumps(row.problems),
                )
            )
    return one


@dataclass(frozen=True, slots=True)
class _Given:
    line: Line
    cells: Cells
    problems: list[dict[str, Any]] = field(default_factory=list)


def cells_of(columns: Sequence[str], cells: Sequence[str]) -> Cells:
    """Excel leaves out empty cells at the end of a line: what is not there is not said. What is only told is not
    looked at."""
    return {column: cell for column, cell in zip(columns, cells, strict=False) if column not in TOLD}


def _ordered(sheet: Sheet, of: Kind) -> Iterable[_Given]:
    return sorted(_given(sheet, of), key=lambda row: of.depth(row.cells))


def _given(sheet: Sheet, of: Kind) -> Iterator[_Given]:
    """With what is wrong with the file itself: no row may say what another has said."""
    first: dict[tuple[str, str], int] = {}
    for line in sheet.lines:
        cells = {**dict.fromkeys(of.needs, ""), **cells_of(sheet.columns, line.cells)}
        row = _Given(line, cells)
        if len(line.cells) > len(sheet.columns):
            text = f"has {len(line.cells)} cells, and there are {len(sheet.columns)} columns: is a quote missing?"
            row.problems.append({"field": "", "problem": text, "code": "too_many_cells"})
        for column, said in of.once(cells).items():
            if said and (before := first.setdefault((column, said), line.number)) != line.number:
                text = f"is that of line {before} already"
                row.problems.append({"field": column, "problem": text, "code": "repeated", "line": before})
        yield row
