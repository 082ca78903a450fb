"""A person's own settings."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Body, Router

from tidings.api.authenticate import caller
from tidings.api.etag import if_match, set_etag
from tidings.kernel.versions import Expected
from tidings.preferences.methods import own_settings, put_own_settings
from tidings.preferences.shape import read_settings, write_settings

router = Router(tags=["me"])


@router.get("/me/notification-settings", response=dict[str, Any])
def get_settings(request: HttpRequest, response: HttpResponse) -> dict[str, Any]:
    found = own_settings(caller(request))
    set_etag(response, found.version)
    return write_settings(found)


@router.put("/me/notification-settings", response=dict[str, Any])
def put_settings(request: HttpRequest, response: HttpResponse, body: Body[dict[str, Any]]) -> dict[str, Any]:
    """A changed address is unverified again. A secret that was made here is shown this once."""
    changed = put_own_settings(caller(request), read_settings(body), Expected(None, if_match(request)))
    set_etag(response, changed.version)
    return write_settings(changed)
