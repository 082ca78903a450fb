from django.urls import path

from tidings.console.rules import look, modify, past, switch

urlpatterns = [
    path("rules", look.rules, name="rules"),
    path("rules/people", modify.people, name="rule-people"),
    path("rules/batch", switch.batch, name="rules-batch"),
    path("rules/undo", switch.undo, name="rules-undo"),
    path("rules/<str:event_type>", modify.rule, name="rule"),
    path("rules/<str:event_type>/switch", switch.switch, name="rule-switch"),
    path("rules/<str:event_type>/users", modify.users, name="rule-users"),
    path("rules/<str:event_type>/try", modify.tried, name="rule-try"),
    path("rules/<str:event_type>/history", past.history_of, name="rule-history"),
    path("rules/<str:event_type>/restore", past.restore, name="rule-restore"),
]
