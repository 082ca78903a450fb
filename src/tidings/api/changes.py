"""The record of changes: who changed what, when, before and after."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Schema

from tidings.api.authenticate import caller
from tidings.api.downloads import Part, SheetPart
from tidings.api.pages import Listed, Moment, Paging, Text
from tidings.audit.find import Which, as_lines, as_sheet, changes, described, for_a_file
from tidings.kernel.downloads import download
from tidings.kernel.pages import page_of

router = Router(tags=["changes"])


class ChangeFilters(Schema):
    kind: Text | None = Field(None, description="user, rule, channel, token, instance ...")
    key: Text | None = Field(None, description="what was changed: a login, an event type, a path, a channel ...")
    actor: Text | None = Field(None, description="a login, or `command line`")
    action: Text | None = Field(None, description="create, change, delete, switch ...")
    since: Moment | None = None
    until: Moment | None = Field(None, description="before this time")

    def which(self) -> Which:
        return Which(**self.dict())


class ChangeShown(Schema):
    id: UUID
    at: datetime
    actor: str
    action: str
    kind: str
    key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    address: str = Field(description="from where it was asked for; empty for the command line")


@router.get("/changes", response=Listed[ChangeShown])
def list_changes(request: HttpRequest, filters: Query[ChangeFilters], paging: Query[Paging]) -> dict[str, Any]:
    """Newest first."""
    return page_of(changes(caller(request), filters.which()), paging).listed(described)


@router.get("/changes.csv")
def changes_csv(request: HttpRequest, filters: Query[ChangeFilters], part: Query[SheetPart]) -> HttpResponse:
    """Newest first; `before` and `after` are JSON."""
    page = page_of(for_a_file(changes(caller(request), filters.which())), part)
    return download(request, "changes.csv", as_sheet(page.rows, for_excel=part.excel), page.next_cursor)


@router.get("/changes.ndjson")
def changes_ndjson(request: HttpRequest, filters: Query[ChangeFilters], part: Query[Part]) -> HttpResponse:
    """Newest first, one a line."""
    page = page_of(for_a_file(changes(caller(request), filters.which())), part)
    return download(request, "changes.ndjson", as_lines(page.rows), page.next_cursor, "application/x-ndjson")
