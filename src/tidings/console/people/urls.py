"""The addresses of people. A login may be any word, so nothing stands beside it."""

from django.urls import path

from tidings.console.people import look, person

urlpatterns = [
    path("people", look.people, name="people"),
    path("people.csv", look.people_csv, name="people-csv"),
    path("people-found", look.suggestions, name="people-found"),
    path("people-new", person.new_person, name="person-new"),
    path("people/<str:login>", person.person, name="person"),
    path("people/<str:login>/invite", person.invite_person, name="person-invite"),
    path("people/<str:login>/leave", person.leave, name="person-leave"),
    path("people/<str:login>/tokens/<uuid:token_id>/end", person.end_token, name="person-end-token"),
]
