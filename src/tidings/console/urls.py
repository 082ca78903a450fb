"""Every page, by area."""

from django.urls import include, path

AREAS = (
    "home",
    "sign_in",
    "welcome",
    "inbox",
    "my_settings.urls",
)

urlpatterns = [path("", include(f"tidings.console.{area}")) for area in AREAS]
