"""Where these pages are."""

from django.urls import path

from tidings.console.activity.events import activity, event
from tidings.console.activity.subject import subject

urlpatterns = [
    path("activity", activity, name="activity"),
    path("activity/<uuid:event_id>", event, name="event"),
    path("subjects/<str:kind>/<path:key>", subject, name="subject"),
]
