"""Many people or resources from a file: checked row by row, shown, and put exactly as shown."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Schema, Status

from tidings.api.authenticate import caller
from tidings.api.downloads import SheetPart
from tidings.api.pages import Listed, Paging, Text
from tidings.imports.begin import begin_import
from tidings.imports.find import as_sheet, import_of, imports_of, rows_of
from tidings.imports.go_on import apply_import, check_again, discard_import, go_on
from tidings.imports.models import Import, Row
from tidings.kernel.downloads import download
from tidings.kernel.ids import made_at
from tidings.kernel.pages import page_of

router = Router(tags=["imports"])
_FILE = {"text/csv": {"schema": {"type": "string", "format": "binary"}}}


class Given(Schema):
    kind: Literal["people", "resources"]
    name: Text = Field("", description="of the file")


class ImportShown(Schema):
    """`counts`: rows by what they are to bring about (new, changed, unchanged, refused) and by what became of them
    (applied; left, because they would be another change by now)."""

    id: UUID
    kind: str
    name: str
    actor: str
    at: datetime
    state: Literal["checking", "checked", "applying", "applied"]
    rows: int
    done: int = Field(description="rows that were looked at in this state")
    counts: dict[str, int]
    columns: list[str]
    encoding: str
    separator: str


class RowFilters(Schema):
    fate: Literal["new", "changed", "unchanged", "refused"] | None = None
    outcome: Literal["applied", "left"] | None = None


class RowShown(Schema):
    """`changes`: {field: [before, after]}; before is null for what is new."""

    line: int
    key: str = Field(description="a login, or the path of a resource")
    fate: str
    outcome: str
    changes: dict[str, list[Any]]
    problems: list[dict[str, Any]]


@router.get("/imports", response=Listed[ImportShown])
def list_imports(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """Newest first; they are kept for seven days."""
    return page_of(imports_of(caller(request)), paging).listed(_shown)


@router.post("/imports", response={201: ImportShown}, openapi_extra={"requestBody": {"content": _FILE}})
def post_import(request: HttpRequest, given: Query[Given]) -> Status[Any]:
    """The file is the body: CSV, its first line names the columns, 10,000 rows and 4 MiB at most, in UTF-8, UTF-16 or
    GB18030, separated by commas, semicolons or tabs. `POST .../continue` until it is checked, look at its rows, then
    `POST .../apply`, and `continue` until it is applied."""
    return Status(201, _shown(begin_import(caller(request), given.kind, given.name, request.body)))


@router.get("/imports/{import_id}", response=ImportShown)
def get_import(request: HttpRequest, import_id: UUID) -> dict[str, Any]:
    return _shown(import_of(caller(request), import_id))


@router.get("/imports/{import_id}/rows", response=Listed[RowShown])
def list_rows(
    request: HttpRequest, import_id: UUID, filters: Query[RowFilters], paging: Query[Paging]
) -> dict[str, Any]:
    found = rows_of(import_of(caller(request), import_id), **filters.dict())
    return page_of(found, paging, by="id").listed(_row)


@router.get("/imports/{import_id}/rows.csv")
def rows_csv(request: HttpRequest, import_id: UUID, filters: Query[RowFilters], part: Query[SheetPart]) -> HttpResponse:
    """The rows as they came, with what is wrong with them: mended, the file can be handed in as it is."""
    one = import_of(caller(request), import_id)
    page = page_of(rows_of(one, **filters.dict()), part, by="id")
    return download(request, "rows.csv", as_sheet(one, page.rows, for_excel=part.excel), page.next_cursor)


@router.post("/imports/{import_id}/continue", response=ImportShown)
def post_continue(request: HttpRequest, import_id: UUID) -> dict[str, Any]:
    """Looks at the next rows, or puts them; nothing where there is nothing left to do."""
    return _shown(go_on(caller(request), import_id))


@router.post("/imports/{import_id}/apply", response=ImportShown)
def post_apply(request: HttpRequest, import_id: UUID) -> dict[str, Any]:
    """What was shown is put from now on, by `continue`. A row that would be another change by then is left."""
    return _shown(apply_import(caller(request), import_id))


@router.post("/imports/{import_id}/check", response=ImportShown)
def post_check(request: HttpRequest, import_id: UUID) -> dict[str, Any]:
    """All of it again, as the directory is now."""
    return _shown(check_again(caller(request), import_id))


@router.delete("/imports/{import_id}", response={204: None})
def delete_import(request: HttpRequest, import_id: UUID) -> Status[None]:
    """What it put stays."""
    discard_import(caller(request), import_id)
    return Status(204, None)


def _shown(one: Import) -> dict[str, Any]:
    told = ("id", "kind", "name", "actor", "state", "rows", "done", "counts", "columns", "encoding", "separator")
    return {name: getattr(one, name) for name in told} | {"at": made_at(one.id)}


def _row(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("line", "key", "fate", "outcome", "changes", "problems")}
