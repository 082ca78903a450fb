"""The addresses of resources. A name may be any word without `/`, so what is done to one stands before it."""

from django.urls import path

from tidings.console.resources import hold, look

urlpatterns = [
    path("resources", look.resources, name="resources"),
    path("resources.csv", look.resources_csv, name="resources-csv"),
    path("resources/<path:where>", look.resource, name="resource"),
    path("resources-add", hold.add, name="resource-add"),
    path("resources-add/<path:where>", hold.add, name="resource-add"),
    path("resources-holders/<path:where>", hold.hold, name="holders"),
    path("resources-remove/<path:where>", hold.remove, name="resource-remove"),
]
