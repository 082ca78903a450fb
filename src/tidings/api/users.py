"""People of a tenant, and how each is told."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Body, Field, Query, Router, Schema, Status
from pydantic import ConfigDict

from tidings.accounts.invite import HOLDS, invite
from tidings.accounts.models import Person
from tidings.api.authenticate import caller
from tidings.api.downloads import SheetPart
from tidings.api.echo import refuse_other
from tidings.api.etag import if_match, set_etag
from tidings.api.pages import Listed, Paging, Text
from tidings.directory.enrol import put_member
from tidings.directory.members import described, member, members, see_off
from tidings.directory.profile import Profile
from tidings.directory.ways import Ways, ways_of
from tidings.imports.export import people_sheet
from tidings.kernel.downloads import download
from tidings.kernel.pages import page_of
from tidings.kernel.versions import Expected
from tidings.preferences.methods import put_settings_of_user, settings_of_user
from tidings.preferences.shape import read_settings, write_settings

router = Router(tags=["users"])
EMPTY: dict[str, Any] = {"roles": []}


class UserFilters(Schema):
    q: Text = Field("", description="part of a login, a name, an e-mail address or a mobile number")
    search: Text = Field("", description="how a login, an e-mail address or words of a name begin: for who is typing")
    role: Text | None = None
    active: bool | None = None
    departed: bool = Field(False, description="those who are gone, instead")
    reachable: bool | None = Field(None, description="by a method of theirs; the inbox alone does not count")


class UserWanted(Schema):
    """What is missing stays as it is, null clears it; what one reads can be written back."""

    model_config = ConfigDict(extra="forbid")
    login: str | None = Field(None, description="as in the path; that says who is meant")
    version: int | None = Field(None, description="not looked at: If-Match asks that nobody was quicker")
    reached: dict[str, Any] | None = Field(None, description="not looked at: notification settings change it")
    name: Text | None = None
    email: Text | None = None
    mobile: Text | None = None
    external_id: Text | None = None
    roles: list[str] | None = Field(None, max_length=10)
    language: Text | None = None
    timezone: Text | None = None
    active: bool = True

    def profile(self) -> Profile:
        given = self.dict(exclude={"login", "version", "reached"}, exclude_unset=True)
        return Profile(**{part: value if value is not None else EMPTY.get(part, "") for part, value in given.items()})


class UserShown(Schema):
    login: str
    name: str
    email: str
    mobile: str
    external_id: str
    roles: list[str]
    language: str
    timezone: str
    active: bool
    version: int


class Hindered(Schema):
    channel: str
    reason: str


class Reached(Schema):
    by: list[str] = Field(description="the methods that lead to them")
    not_by: list[Hindered] = Field(description="those they chose and that lead nowhere")
    could: list[str] = Field(description="what would lead to them if they chose it")


class UserListed(UserShown):
    reached: Reached


def shown(person: Person) -> dict[str, Any]:
    return {"login": person.login, **described(person), "version": person.version}


def reached(ways: Ways) -> dict[str, Any]:
    not_by = [{"channel": channel, "reason": reason} for channel, reason in ways.not_by]
    return {"by": ways.by, "not_by": not_by, "could": ways.could}


@router.get("/users", response=Listed[UserListed])
def list_users(request: HttpRequest, filters: Query[UserFilters], paging: Query[Paging]) -> dict[str, Any]:
    who = caller(request)
    page = page_of(members(who, **filters.dict()), paging, by="login")
    ways = ways_of(who.tenant_id, page.rows)
    return page.listed(lambda person: {**shown(person), "reached": reached(ways[person.id])})


@router.get("/users.csv")
def users_csv(request: HttpRequest, filters: Query[UserFilters], part: Query[SheetPart]) -> HttpResponse:
    """As `POST /imports` takes it."""
    page = page_of(members(caller(request), **filters.dict()), part, by="login")
    return download(request, "users.csv", people_sheet(page.rows, for_excel=part.excel), page.next_cursor)


@router.get("/users/{login}", response=UserShown)
def get_user(request: HttpRequest, response: HttpResponse, login: str) -> dict[str, Any]:
    person = member(caller(request), login)
    set_etag(response, person.version)
    return shown(person)


@router.put("/users/{login}", response={200: UserShown, 201: UserShown})
def put_user(request: HttpRequest, response: HttpResponse, login: str, body: UserWanted) -> Status[Any]:
    refuse_other({"login": body.login}, {"login": login})
    person, is_new = put_member(caller(request), login, body.profile(), Expected(None, if_match(request)))
    set_etag(response, person.version)
    return Status(201 if is_new else 200, shown(person))


@router.delete("/users/{login}", response={204: None})
def delete_user(request: HttpRequest, login: str) -> Status[None]:
    """Departed: records keep the name, nothing reaches them any more; a later PUT brings them back."""
    see_off(caller(request), login, Expected(None, if_match(request)))
    return Status(204, None)


class Invited(Schema):
    url: str = Field(description="by which they choose a password for the console, once")
    expires_in: int = Field(description="seconds")


@router.post("/users/{login}/invitation", response={201: Invited})
def post_invitation(request: HttpRequest, login: str) -> Status[Any]:
    """A link to hand over: nothing is sent. Who has a sign-in already chooses a new password by it; 409
    `signs_in_elsewhere` when it opens another organisation too."""
    return Status(201, {"url": invite(caller(request), login), "expires_in": int(HOLDS.total_seconds())})


@router.get("/users/{login}/notification-settings", response=dict[str, Any])
def get_settings(request: HttpRequest, response: HttpResponse, login: str) -> dict[str, Any]:
    found = settings_of_user(caller(request), login)
    set_etag(response, found.version)
    return write_settings(found)


@router.put("/users/{login}/notification-settings", response=dict[str, Any])
def put_settings(
    request: HttpRequest, response: HttpResponse, login: str, body: Body[dict[str, Any]]
) -> dict[str, Any]:
    """Verified by the administrator's word. A secret that was made here is shown this once."""
    expected = Expected(None, if_match(request))
    changed = put_settings_of_user(caller(request), login, read_settings(body), expected)
    set_etag(response, changed.version)
    return write_settings(changed)
