"""Who the caller is, how they are told, and what they may expect."""

from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Field, Router, Schema
from pydantic import ConfigDict

from tidings.accounts.models import Person
from tidings.api.authenticate import caller
from tidings.api.etag import if_match, set_etag
from tidings.api.events import SkipShown
from tidings.api.pages import Text
from tidings.directory.own_profile import change_own_profile, own_profile
from tidings.directory.profile import LANGUAGES, timezones
from tidings.kernel.versions import Expected
from tidings.planning.expectations import Expectations, expectations_of, own_expectations
from tidings.planning.record import skip_json

router = Router(tags=["me"])


class MeShown(Schema):
    login: str
    name: str
    email: str
    mobile: str
    roles: list[str]
    tenant: str
    language: str
    timezone: str
    version: int


class MeWanted(Schema):
    """What is missing or null stays as it is, an empty text takes the tenant's. The rest is your administrators' to
    say."""

    model_config = ConfigDict(extra="forbid")
    language: Text | None = None
    timezone: Text | None = Field(None, description="as the IANA database writes it: Asia/Shanghai")
    version: int = Field(description="the version you saw; 409 when it is no longer the current one")


class ChoicesShown(Schema):
    languages: list[str]
    timezones: list[str]


class RoleToldShown(Schema):
    role: str
    when: Literal["always", "named", "held"] = Field(
        description="of every such event; of those that name you so; of those that touch what you answer for"
    )


class ExpectationShown(Schema):
    """Without `because` you are told of none of them; `skips` says why, or no role of the rule is yours."""

    event_type: str
    labels: dict[str, str]
    feature: str
    feature_labels: dict[str, str]
    because: list[RoleToldShown]
    sends: list[str] = Field(description="the channels on which it would go out, beside the inbox")
    skips: list[SkipShown] = Field(description="the methods that lead nowhere, and why; or why it is not told at all")


class ExpectationsShown(Schema):
    roles: list[str]
    dba_of: list[str] = Field(description="instances; 1,000 of this and the next stand for more")
    owns: list[str]
    items: list[ExpectationShown]


@router.get("/me", response=MeShown)
def get_me(request: HttpRequest, response: HttpResponse) -> dict[str, Any]:
    return _shown(own_profile(caller(request)), response)


@router.patch("/me", response=MeShown)
def patch_me(request: HttpRequest, response: HttpResponse, body: MeWanted) -> dict[str, Any]:
    expected = Expected(body.version, if_match(request))
    return _shown(change_own_profile(caller(request), body.language, body.timezone, expected), response)


@router.get("/me/choices", response=ChoicesShown)
def get_choices(request: HttpRequest) -> dict[str, Any]:
    """What `PATCH /me` takes."""
    own_profile(caller(request))
    return {"languages": sorted(set(LANGUAGES.values())), "timezones": sorted(timezones())}


@router.get("/me/expectations", response=ExpectationsShown, exclude_unset=True)
def get_expectations(request: HttpRequest) -> dict[str, Any]:
    """Of each event type: whether you would be told, on which channels, and why; as planning itself decides."""
    return _foreseen(own_expectations(caller(request)))


@router.get("/users/{login}/expectations", response=ExpectationsShown, exclude_unset=True, tags=["users"])
def get_expectations_of(request: HttpRequest, login: str) -> dict[str, Any]:
    return _foreseen(expectations_of(caller(request), login))


def _shown(person: Person, response: HttpResponse) -> dict[str, Any]:
    set_etag(response, person.version)
    parts = ("login", "name", "email", "mobile", "roles", "language", "timezone", "version")
    return {part: getattr(person, part) for part in parts} | {"tenant": person.tenant.name}


def _foreseen(found: Expectations) -> dict[str, Any]:
    return {
        "roles": found.person.roles,
        "dba_of": found.dba_of,
        "owns": found.owns,
        "items": [
            {
                "event_type": one.event_type.code,
                "labels": one.event_type.labels,
                "feature": one.event_type.feature,
                "feature_labels": one.event_type.feature_labels,
                "because": [{"role": reason.role, "when": reason.when} for reason in one.because],
                "sends": one.sends,
                "skips": [skip_json(skip) for skip in one.skips],
            }
            for one in found.items
        ],
    }
