"""The addresses of my settings, and of the form for somebody else's."""

from django.urls import path

from tidings.console.my_settings import pages, ways

urlpatterns = [
    path("settings", pages.my_settings, name="settings"),
    path("settings/profile", pages.profile, name="settings-profile"),
    path("settings/expectations", pages.expectations, name="settings-expectations"),
    *(path(f"settings/ways/<str:channel>/{act}", view, name=f"way-{act}") for act, view in ways.own.items()),
    *(
        path(f"settings/of/<str:login>/ways/<str:channel>/{act}", view, name=f"way-{act}-of")
        for act, view in ways.of_others.items()
    ),
]
