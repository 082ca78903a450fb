"""The addresses of my settings."""

from django.http import HttpResponse
from django.urls import path

from tidings.console.page import Asked, page, show


@page()
def my_settings(request: Asked) -> HttpResponse:
    return show(request, "console/my_settings/settings.html")


urlpatterns = [path("settings", my_settings, name="settings")]
