"""Imports of the last days, and their rows."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import QuerySet

from tidings.accounts.permissions import Caller
from tidings.imports.begin import OF, TOLD
from tidings.imports.models import Import, Row
from tidings.kernel.ids import last_of
from tidings.kernel.problems import not_found
from tidings.kernel.sheets import write_sheet


def imports_of(caller: Caller) -> QuerySet[Import]:
    """Those the caller could have begun themself. Raises 403."""
    kinds = [kind for kind, of in OF.items() if caller.holds(*of.roles)]
    caller.require("administrator", "dba", to_write=False)
    return Import.objects.for_tenant(caller.tenant_id).filter(kind__in=kinds)


def import_of(caller: Caller, import_id: UUID) -> Import:
    """Raises 403, 404."""
    one = imports_of(caller).filter(id=import_id).first()
    if one is None:
        raise not_found("import")
    return one


def rows_of(one: Import, *, fate: str | None = None, outcome: str | None = None) -> QuerySet[Row]:
    """In the order they are put: what others lie in comes before them. Index: the primary key."""
    found = Row.objects.for_tenant(one.tenant_id).filter(id__gt=one.id, id__lte=last_of(one.id))
    if fate is not None:
        found = found.filter(fate=fate)
    return found if outcome is None else found.filter(outcome=outcome)


def as_sheet(one: Import, rows: Sequence[Row], *, for_excel: bool = False) -> bytes:
    """The rows as they came, with why they were refused or left: mended, the file can be handed in as it is."""
    columns = [column for column in one.columns if column not in TOLD]
    return write_sheet((*columns, *TOLD), [_cells(one, row) for row in rows], for_excel=for_excel)


def _cells(one: Import, row: Row) -> list[str]:
    cells = dict(zip(one.columns, row.cells, strict=False))
    problems = "; ".join(f"{each['field']} {each['problem']}".strip() for each in row.problems)
    return [*(cells.get(column, "") for column in one.columns if column not in TOLD), str(row.line), problems]
