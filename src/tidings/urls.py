"""Every address of an installation that Django answers: the REST calls and the console."""

from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="home")),
    path("console", RedirectView.as_view(pattern_name="home")),
    path("console/", include("tidings.console.urls")),
    path("", include("tidings.api.urls")),
]
