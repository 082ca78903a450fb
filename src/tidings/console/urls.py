"""Every page, by area."""

from django.urls import include, path

AREAS = (
    "home",
    "sign_in",
    "rules.urls",
    "preview",
    "welcome",
    "channels.pages",
    "organisation",
    "sources.pages",
    "tokens",
    "inbox",
    "activity.urls",
    "deliveries",
    "retry",
    "overview",
    "my_settings.urls",
    "people.urls",
    "resources.urls",
    "imports.pages",
    "audit",
)

urlpatterns = [path("", include(f"tidings.console.{area}")) for area in AREAS]
