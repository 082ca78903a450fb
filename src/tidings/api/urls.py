"""The REST calls, by concept, and the one page for whoever has no token: the unsubscribe link's. The node in front of
these serves `POST /events`, `/events/batch` and `/preview`."""

from typing import Any

from django.urls import path
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from tidings import __version__
from tidings.api.answers import PROBLEM, with_problems
from tidings.api.authenticate import TokenAuth
from tidings.api.body import JsonParser
from tidings.api.hot_calls import LIVE_KEY, PATHS, SCHEMAS
from tidings.api.parameters import refuse_unknown_parameters
from tidings.api.problems import add_problem_handlers
from tidings.api.unsubscribe import unsubscribe_page
from tidings.preferences.link import PATH as UNSUBSCRIBE


class Api(NinjaAPI):
    """With the calls of the node in its document, and what every call may answer."""

    def get_openapi_schema(self, *arguments: Any, **more: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(*arguments, **more)
        for where, calls in PATHS.items():
            schema["paths"].setdefault(where, {}).update(calls)
        schema["paths"] = {
            where: {method: with_problems(where, method, call) for method, call in calls.items()}
            for where, calls in schema["paths"].items()
        }
        schema["components"]["schemas"].update(SCHEMAS, Problem=PROBLEM)
        schema["components"]["securitySchemes"].update(LIVE_KEY)
        return schema


api = Api(
    title="Tidings",
    version=__version__,
    auth=TokenAuth(),
    parser=JsonParser(),
    docs_url="/docs",
    openapi_url="/openapi.json",
    urls_namespace="api",
)
add_problem_handlers(api)
api.add_decorator(refuse_unknown_parameters)

# Routers are named by module path, so that importing this file costs what it must and no cycle can arise.
for prefix, router in (
    ("/v1", "tidings.api.users.router"),
    ("/v1", "tidings.api.myself.router"),
    ("/v1", "tidings.api.me.router"),
    ("/v1", "tidings.api.tenant.router"),
    ("/v1", "tidings.api.resources.router"),
    ("/v1", "tidings.api.access.router"),
    ("/v1", "tidings.api.sources.router"),
    ("/v1", "tidings.api.rules.router"),
    ("/v1", "tidings.api.catalog.router"),
    ("/v1", "tidings.api.channels.router"),
    ("/v1", "tidings.api.events.router"),
    ("/v1", "tidings.api.deliveries.router"),
    ("/v1", "tidings.api.overview.router"),
    ("/v1", "tidings.api.subjects.router"),
    ("/v1", "tidings.api.inbox.router"),
    ("/v1", "tidings.api.imports.router"),
    ("/v1", "tidings.api.changes.router"),
):
    api.add_router(prefix, router)

urlpatterns = [path("api/", api.urls), path(f"{UNSUBSCRIBE}/<str:token>", unsubscribe_page)]
