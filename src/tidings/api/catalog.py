"""The catalogue: features, event types and roles, built in and a tenant's own."""

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Field, Router, Schema
from pydantic import ConfigDict, StringConstraints

from tidings.api.authenticate import caller
from tidings.api.etag import if_match, set_etag
from tidings.api.pages import Listed
from tidings.catalog.extend import catalog_of, put_feature, version_of
from tidings.catalog.features import Feature, Tone, built_in, read_feature, write_feature
from tidings.kernel.problems import invalid
from tidings.kernel.versions import Expected
from tidings.messages.explain import every_reason
from tidings.rules.follow import follow_catalog

router = Router(tags=["catalog"])

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
EventCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,78}$")]
# No control characters: labels stand in subjects and headers.
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^\P{C}+$")]


class Labelled(Schema):
    """A missing Chinese label is the English one."""

    model_config = ConfigDict(populate_by_name=True, extra="forbid")
    en: Label
    zh_hans: Label | None = Field(None, alias="zh-hans")


class EventContent(Labelled):
    type: EventCode
    tone: Tone = Field(alias="class")
    default_role: Code
    optional_roles: Annotated[list[Code], Field(max_length=20)] = []


class FeatureContent(Labelled):
    """A feature as `GET /catalog` answers it; `code` and `custom` may be left out."""

    code: Code | None = None
    subject: Code
    events: Annotated[list[EventContent], Field(max_length=100)]
    custom: bool = True


class RoleShown(Labelled):
    code: str
    meaning: str


class CatalogShown(Schema):
    roles: list[RoleShown]
    features: list[FeatureContent]


class Words(Schema):
    says: str
    todo: str
    todo_failed: str = Field(description="of a message that failed for good: nothing tries it again by itself")


class ReasonShown(Schema):
    """By language: what it means, and what to do next."""

    model_config = ConfigDict(populate_by_name=True)
    reason: str
    en: Words
    zh_hans: Words = Field(alias="zh-hans")


@router.get("/catalog", response=CatalogShown, by_alias=True)
def get_catalog(request: HttpRequest) -> dict[str, Any]:
    """Every token may read it: a source has to know what it can send."""
    catalog = catalog_of(caller(request).tenant_id)
    roles = [{"code": role.code, **role.labels, "meaning": role.meaning} for role in catalog.roles.values()]
    return {"roles": roles, "features": [_shown(feature) for feature in catalog.features.values()]}


@router.get("/reasons", response=Listed[ReasonShown], by_alias=True)
def get_reasons(request: HttpRequest) -> dict[str, Any]:
    """Every reason of a skip, a failure, a wait or a parked payload, in words and with what to do next. Channels of
    other packages have reasons of their own beside these."""
    caller(request)
    return {"items": [{"reason": reason, **words} for reason, words in every_reason().items()]}


@router.put("/catalog/features/{code}", response=FeatureContent, by_alias=True)
def put_own_feature(request: HttpRequest, response: HttpResponse, code: Code, body: FeatureContent) -> dict[str, Any]:
    """A feature of the tenant's own, new or changed; its rules follow."""
    if body.code not in (None, code):
        raise invalid(f"The body says {body.code}, the path says {code}; leave `code` out or make them the same.")
    feature = read_feature({**body.dict(by_alias=True), "code": code})
    put_feature(caller(request), feature, Expected(if_match=if_match(request)), follow_catalog)
    set_etag(response, version_of(feature))
    return _shown(feature)


def _shown(feature: Feature) -> dict[str, Any]:
    return {**write_feature(feature), "custom": feature.code not in built_in().features}
