"""The tenant itself, as its administrators see and set it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Field, Router, Schema
from pydantic import ConfigDict

from tidings.accounts.models import Tenant
from tidings.api.authenticate import caller
from tidings.api.etag import if_match, set_etag
from tidings.api.pages import Text
from tidings.directory.tenant_settings import TenantProfile, described_tenant, put_tenant_settings, tenant_settings
from tidings.kernel.versions import Expected

router = Router(tags=["tenant"])


class TenantWanted(Schema):
    """What is missing or null stays as it is; what one reads can be written back."""

    model_config = ConfigDict(extra="forbid")
    name: Text | None = Field(None, description="as it is; it is given when the tenant is made")
    language: Text | None = Field(None, description="of people who come in from now on")
    timezone: Text | None = Field(None, description="of people who come in from now on")
    sms_countries: list[Text] | None = Field(
        None, max_length=250, description="calling codes, such as +86: verification codes are sent to no other country"
    )
    fallback: bool | None = Field(
        None, description="try another way when nothing reaches somebody who is asked to act; off from the start"
    )
    version: int | None = Field(None, description="the version you saw; 409 when it is no longer the current one")


class TenantShown(Schema):
    name: str
    language: str
    timezone: str
    sms_countries: list[str]
    fallback: bool
    version: int


@router.get("/tenant", response=TenantShown)
def get_tenant(request: HttpRequest, response: HttpResponse) -> dict[str, Any]:
    return _shown(tenant_settings(caller(request)), response)


@router.put("/tenant", response=TenantShown)
def put_tenant(request: HttpRequest, response: HttpResponse, body: TenantWanted) -> dict[str, Any]:
    profile = TenantProfile(body.name, body.language, body.timezone, body.sms_countries, body.fallback)
    return _shown(put_tenant_settings(caller(request), profile, Expected(body.version, if_match(request))), response)


def _shown(tenant: Tenant, response: HttpResponse) -> dict[str, Any]:
    set_etag(response, tenant.version)
    return described_tenant(tenant) | {"version": tenant.version}
