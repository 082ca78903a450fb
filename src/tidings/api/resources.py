"""Instances, databases and tables: who answers for them."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Schema, Status
from pydantic import ConfigDict

from tidings.accounts.permissions import Caller
from tidings.api.authenticate import caller
from tidings.api.downloads import SheetPart
from tidings.api.echo import refuse_other
from tidings.api.etag import if_match, set_etag
from tidings.api.pages import Listed, Paging, Text
from tidings.directory.assign import Holding, put_holders
from tidings.directory.holders import (
    Held,
    Path,
    all_resources,
    held_by,
    holders,
    remove_resource,
    resources_in,
    shown,
)
from tidings.directory.members import member
from tidings.imports.export import resources_sheet
from tidings.kernel.downloads import download
from tidings.kernel.pages import Page, page_of
from tidings.kernel.versions import Expected

router = Router(tags=["resources"])
INSTANCE = "/instances/{instance}"
DATABASE = INSTANCE + "/databases/{database}"
TABLE = DATABASE + "/tables/{table}"


class HoldersWanted(Schema):
    """What is missing stays as it is, null clears it; what one reads can be written back."""

    model_config = ConfigDict(extra="forbid")
    dba: Text | None = Field(None, description="a login; only an instance has one")
    owners: list[Text] | None = Field(None, description="logins, up to 3")
    instance: str | None = Field(None, description="as in the path, like database and table")
    database: str | None = None
    table: str | None = None
    version: int | None = Field(None, description="not looked at: If-Match asks that nobody was quicker")

    def holding(self) -> Holding:
        given = self.model_fields_set
        return Holding(
            dba=self.dba or "" if "dba" in given else None, owners=self.owners or () if "owners" in given else None
        )


class ResourceShown(Schema):
    """`dba` is an instance's, null for none."""

    instance: str
    database: str | None
    table: str | None
    dba: str | None
    owners: list[str]
    version: int


class Filters(Schema):
    q: Text = Field("", description="part of a name")
    held: bool | None = Field(None, description="somebody answers for it, as DBA or owner")


class Exported(Schema):
    instance: Text | None = None


@router.get("/instances", response=Listed[ResourceShown])
def list_instances(request: HttpRequest, filters: Query[Filters], paging: Query[Paging]) -> dict[str, Any]:
    return _listed(caller(request), None, filters, paging, "instance")


@router.get("/users/{login}/resources", response=Listed[ResourceShown])
def list_held(request: HttpRequest, login: str, paging: Query[Paging]) -> dict[str, Any]:
    """What somebody is the DBA or an owner of."""
    who = caller(request)
    page = page_of(held_by(who, member(who, login)), paging, by="id")
    return Page(shown(page.rows), page.next_cursor).listed(_content)


@router.get("/resources.csv")
def resources_csv(request: HttpRequest, filters: Query[Exported], part: Query[SheetPart]) -> HttpResponse:
    """Every level, as `POST /imports` takes it."""
    page = page_of(all_resources(caller(request), instance=filters.instance), part, by="path")
    body = resources_sheet(shown(page.rows), for_excel=part.excel)
    return download(request, "resources.csv", body, page.next_cursor)


@router.get(INSTANCE + "/databases", response=Listed[ResourceShown])
def list_databases(
    request: HttpRequest, instance: str, filters: Query[Filters], paging: Query[Paging]
) -> dict[str, Any]:
    return _listed(caller(request), Path(instance), filters, paging, "database")


@router.get(DATABASE + "/tables", response=Listed[ResourceShown])
def list_tables(
    request: HttpRequest, instance: str, database: str, filters: Query[Filters], paging: Query[Paging]
) -> dict[str, Any]:
    return _listed(caller(request), Path(instance, database), filters, paging, "table")


@router.get(INSTANCE, response=ResourceShown)
def get_instance(request: HttpRequest, response: HttpResponse, instance: str) -> dict[str, Any]:
    return _get(request, response, Path(instance))


@router.put(INSTANCE, response={200: ResourceShown, 201: ResourceShown})
def put_instance(request: HttpRequest, response: HttpResponse, instance: str, body: HoldersWanted) -> Status[Any]:
    return _put(request, response, Path(instance), body)


@router.delete(INSTANCE, response={204: None})
def delete_instance(request: HttpRequest, instance: str) -> Status[None]:
    """With all that lies in it."""
    return _delete(request, Path(instance))


@router.get(DATABASE, response=ResourceShown)
def get_database(request: HttpRequest, response: HttpResponse, instance: str, database: str) -> dict[str, Any]:
    return _get(request, response, Path(instance, database))


@router.put(DATABASE, response={200: ResourceShown, 201: ResourceShown})
def put_database(
    request: HttpRequest, response: HttpResponse, instance: str, database: str, body: HoldersWanted
) -> Status[Any]:
    return _put(request, response, Path(instance, database), body)


@router.delete(DATABASE, response={204: None})
def delete_database(request: HttpRequest, instance: str, database: str) -> Status[None]:
    return _delete(request, Path(instance, database))


@router.get(TABLE, response=ResourceShown)
def get_table(request: HttpRequest, response: HttpResponse, instance: str, database: str, table: str) -> dict[str, Any]:
    return _get(request, response, Path(instance, database, table))


@router.put(TABLE, response={200: ResourceShown, 201: ResourceShown})
def put_table(
    request: HttpRequest, response: HttpResponse, instance: str, database: str, table: str, body: HoldersWanted
) -> Status[Any]:
    return _put(request, response, Path(instance, database, table), body)


@router.delete(TABLE, response={204: None})
def delete_table(request: HttpRequest, instance: str, database: str, table: str) -> Status[None]:
    return _delete(request, Path(instance, database, table))


def _listed(who: Caller, parent: Path | None, filters: Filters, paging: Paging, by: str) -> dict[str, Any]:
    page = page_of(resources_in(who, parent, q=filters.q, held=filters.held), paging, by=by)
    return Page(shown(page.rows), page.next_cursor).listed(_content)


def _get(request: HttpRequest, response: HttpResponse, path: Path) -> dict[str, Any]:
    held = holders(caller(request), path)
    set_etag(response, held.version)
    return _content(held)


def _put(request: HttpRequest, response: HttpResponse, path: Path, body: HoldersWanted) -> Status[Any]:
    said = {"instance": body.instance, "database": body.database, "table": body.table}
    refuse_other(said, {"instance": path.instance, "database": path.database, "table": path.table})
    held, is_new = put_holders(caller(request), path, body.holding(), Expected(None, if_match(request)))
    set_etag(response, held.version)
    return Status(201 if is_new else 200, _content(held))


def _delete(request: HttpRequest, path: Path) -> Status[None]:
    remove_resource(caller(request), path, Expected(None, if_match(request)))
    return Status(204, None)


def _content(held: Held) -> dict[str, Any]:
    path = held.path
    return {
        "instance": path.instance,
        "database": path.database or None,
        "table": path.table or None,
        "dba": held.dba,
        "owners": list(held.owners),
        "version": held.version,
    }
