"""The REST calls, by concept. The node in front of these serves `POST /events`, `/events/batch` and `/preview`."""

from django.urls import path
from ninja import NinjaAPI

from tidings import __version__
from tidings.api.authenticate import TokenAuth
from tidings.api.problems import add_problem_handlers

api = NinjaAPI(
    title="Tidings",
    version=__version__,
    auth=TokenAuth(),
    docs_url="/docs",
    openapi_url="/openapi.json",
    urls_namespace="api",
)
add_problem_handlers(api)

# Routers are named by module path, so that importing this file costs what it must and no cycle can arise.
for prefix, router in (
    ("/v1", "tidings.api.users.router"),
    ("/v1", "tidings.api.me.router"),
    ("/v1", "tidings.api.resources.router"),
    ("/v1", "tidings.api.access.router"),
    ("/v1", "tidings.api.rules.router"),
    ("/v1", "tidings.api.catalog.router"),
    ("/v1", "tidings.api.channels.router"),
    ("/v1", "tidings.api.events.router"),
    ("/v1", "tidings.api.deliveries.router"),
    ("/v1", "tidings.api.subjects.router"),
    ("/v1", "tidings.api.inbox.router"),
):
    api.add_router(prefix, router)

urlpatterns = [path("api/", api.urls)]
