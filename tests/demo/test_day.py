"""The day as it is written down: every event type, in an order in which it can happen, with people who exist."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from tidings.catalog.features import built_in
from tidings.channels.registry import CHANNELS
from tidings.channels.testing.dingtalk_robot import MOST_A_MINUTE
from tidings.demo.read import Ticket, day, events_of, last_working_day, organisation
from tidings.messages.compose import SHOWN_DETAILS

SHANGHAI = ZoneInfo("Asia/Shanghai")
START = ""
# An approval that can be rejected or go on to the next node.
_APPROVAL = {"pending_approval": {"pending_approval", "approved", "rejected"}}
_AFTER_PRECHECK = {"precheck_failed": {"precheck_failed", "to_be_submitted"}, "to_be_submitted": {"pending_approval"}}
_RUNS = {"tasks_run": {"tasks_run", "tasks_failed"}, "tasks_failed": {"tasks_run", "tasks_failed"}}
# By feature: what may follow a status (DMS's own states and their events: facts/domain.md, section 4).
LIFECYCLES: Mapping[str, Mapping[str, set[str]]] = {
    "permission_application": {START: {"pending_approval"}, **_APPROVAL},
    "data_change": {
        START: {"precheck_failed", "to_be_submitted"},
        **_AFTER_PRECHECK,
        **_APPROVAL,
        "approved": {"pending_scheduling", "successful", "failed"},
        "pending_scheduling": {"successful", "failed", "timed_out"},
    },
    "data_export": {
        START: {"precheck_failed", "to_be_submitted"},
        **_AFTER_PRECHECK,
        **_APPROVAL,
        "approved": {"successful", "failed"},
    },
    "data_tracking": {
        START: {"retrieval_failed", "to_be_submitted"},
        "retrieval_failed": {"retrieval_failed", "to_be_submitted"},
        "to_be_submitted": {"pending_approval"},
        **_APPROVAL,
        "approved": {"parsed", "parsing_failed"},
    },
    "database_clone": {START: {"pending_approval"}, **_APPROVAL, "approved": {"copied", "copy_failed"}},
    "test_data_generation": {START: {"pending_approval"}, **_APPROVAL, "approved": {"generated", "generation_failed"}},
    "schema_design": {
        START: {"pending_approval"},
        **_APPROVAL,
        "approved": {"schema_changed", "failed"},
        "schema_changed": {"pending_approval", "successful"},  # each publication has an approval of its own
    },
    "table_synchronization": {
        START: {"precheck_failed", "to_be_submitted"},
        **_AFTER_PRECHECK,
        **_APPROVAL,
        "approved": {"synchronized", "synchronization_failed"},
    },
    "sql_review": {
        START: {"pending_analysis", "parsing_exception"},
        "pending_analysis": {"passed", "failed", "parsing_exception", "decided"},
        "parsing_exception": {"decided", "pending_analysis"},
        "failed": {"passed", "failed", "decided"},
    },
    "task_orchestration": {START: {"tasks_run", "tasks_failed"}, **_RUNS},
    "data_warehouse_development": {START: {"tasks_run", "tasks_failed"}, **_RUNS},
}
LOGINS = {person.login for person in organisation().people}
STRANGERS = {"contractor.7"}


def ticket_name(ticket: Ticket) -> str:
    return f"{ticket.feature}-{ticket.id}"


@pytest.fixture(params=day().tickets, ids=ticket_name)
def ticket(request: pytest.FixtureRequest) -> Ticket:
    assert isinstance(request.param, Ticket)
    return request.param


def test_every_built_in_event_type_is_played() -> None:
    played = {event.body["type"] for event in events_of(day(), date(2026, 11, 23), SHANGHAI)}
    offered = {code for code, event_type in built_in().event_types.items() if event_type.feature != "tidings"}
    assert len(offered) == 58
    assert played == offered


def test_every_feature_is_played_from_its_beginning() -> None:
    assert {ticket.feature for ticket in day().tickets if not ticket.carried_over} == set(LIFECYCLES)


def test_what_happens_can_happen_in_this_order(ticket: Ticket) -> None:
    before = START if not ticket.carried_over else None
    for step in ticket.steps:
        allowed = LIFECYCLES[ticket.feature]
        may_be = set().union(*allowed.values()) if before is None else allowed.get(before, set())
        assert step.status in may_be, f"{step.status} after {before}"
        before = step.status


def test_times_go_forward(ticket: Ticket) -> None:
    times = [step.at for step in ticket.steps]
    assert times == sorted(set(times))
    assert all(len(at) == 5 and "08:00" < at < "19:00" for at in times)


def test_people_named_exist(ticket: Ticket) -> None:
    named = {*ticket.related, *(login for step in ticket.steps for login in (*step.approvers, step.actor) if login)}
    named |= {ticket.submitter} if isinstance(ticket.submitter, str) else set()
    assert named - LOGINS <= STRANGERS


def test_who_decides_is_asked_first(ticket: Ticket) -> None:
    asked: list[str] = []
    for step in ticket.steps:
        assert bool(step.approvers) == (step.status == "pending_approval")
        if step.status in ("approved", "rejected"):
            assert step.actor in asked
        asked = step.approvers or asked


def test_resources_named_exist(ticket: Ticket) -> None:
    known = set()
    for instance in organisation().instances:
        known.add(instance.name)
        for name, database in instance.databases.items():
            known |= {f"{instance.name}/{name}", *(f"{instance.name}/{name}/{table}" for table in database.tables)}
    assert {*ticket.resources, *(path for step in ticket.steps for path in step.resources)} <= known


def test_everybody_who_answers_for_something_exists() -> None:
    written = organisation()
    owners = {owner for one in written.instances for owner in (one.dba, *one.owners)}
    for instance in written.instances:
        for database in instance.databases.values():
            owners |= {*database.owners, *(owner for table in database.tables.values() for owner in table)}
    added = {login for logins in written.rules.additional_users.values() for login in logins}
    assert owners | added <= LOGINS


def test_the_organisation_is_believable() -> None:
    people = organisation().people
    assert len(people) == len(LOGINS)
    assert 35 <= len(people) <= 45
    assert {person.language for person in people} == {"en", "zh-hans"}
    assert len({person.timezone for person in people}) > 10
    assert {role for person in people for role in person.roles} == {"administrator", "dba", "security_administrator"}
    assert any(len(person.methods) > 1 for person in people)
    assert [person.login for person in people if not person.methods and not person.own_webhook] == ["gu.ming"]
    assert [person.login for person in people if not person.active] == ["karl.weiss"]


def test_rules_ask_for_roles_that_are_offered() -> None:
    rules, known = organisation().rules, built_in().event_types
    for event_type, roles in rules.optional_roles.items():
        assert set(roles) <= set(known[event_type].optional_roles)
    assert {*rules.switched_off, *rules.additional_users} <= set(known)


def test_big_data_developers_are_added_before_the_schema_changes_in_production() -> None:
    [added] = [moment for moment in day().moments if moment.kind == "rule"]
    assert added.event_type == "schema_design.schema_changed"
    assert set(added.additional_users) <= LOGINS
    changes = [step.at for one in day().tickets for step in one.steps if step.status == "schema_changed"]
    assert min(changes) < added.at < max(changes)


def test_moments_are_about_what_was_posted_before() -> None:
    posted = {event.body["id"]: event.at for event in events_of(day(), date(2026, 11, 23), SHANGHAI)}
    for moment in day().moments:
        assert not moment.of or posted[moment.of] <= moment.at
    assert {moment.kind for moment in day().moments} == {
        "rule", "repeat", "reuse", "unknown_type", "retry", "push", "describe",
    }  # fmt: skip


def test_every_way_in_is_used() -> None:
    assert {step.manner for one in day().tickets for step in one.steps} == {"json", "cloudevent", "batch"}


def test_details_say_what_messages_may_show_and_what_they_may_not() -> None:
    said = {
        name for one in day().tickets for details in (one.details, *(s.details for s in one.steps)) for name in details
    }
    assert set(SHOWN_DETAILS) <= said
    assert "comment" in said


def test_every_channel_is_used_and_groups_are_shared() -> None:
    people = organisation().people
    ours = {code for code, kind in CHANNELS.items() if type(kind).__module__.startswith("tidings.channels.")}
    assert {method for person in people for method in person.methods} == ours
    assert {person.webhook_format for person in people} == {"standard", "dms"}
    members = Counter(person.robot for person in people if "dingtalk_robot" in person.methods)
    assert set(members) == set(organisation().robots)
    assert min(members.values()) >= 3
    needs_mobile = {"dingtalk", "dingtalk_robot", "sms"}
    assert all(person.mobile for person in people if needs_mobile & set(person.methods))


def test_a_burst_is_more_than_a_robot_may_say_in_a_minute() -> None:
    [burst] = [ticket for ticket in day().tickets if ticket.each]
    told = {str(burst.submitter), *burst.related}
    robots = {person.robot for person in organisation().people if person.login in told}
    assert len(burst.each) > MOST_A_MINUTE
    assert len(robots) == 1
    assert len({ticket.id for ticket in burst.spread()}) == len(burst.each)


def test_trouble_befalls_people_who_are_told_that_way() -> None:
    written = organisation()
    by_login = {person.login: person for person in written.people}
    assert all("dingtalk" in by_login[login].methods for login in written.trouble.no_dingtalk)
    assert all("sms" in by_login[login].methods for login in written.trouble.sms)
    assert all("email" in by_login[login].methods for login in written.trouble.mail)
    assert set(written.trouble.webhook) <= {person.webhook for person in written.people if "webhook" in person.methods}


@pytest.mark.parametrize(
    ("now", "played"),
    [
        ("2026-11-25T11:30", date(2026, 11, 25)),  # Wednesday 19:30 in Shanghai: the day is over
        ("2026-11-25T09:00", date(2026, 11, 24)),
        ("2026-11-23T02:00", date(2026, 11, 20)),  # Monday morning: Friday
        ("2026-11-22T12:00", date(2026, 11, 20)),
    ],
)
def test_the_day_is_the_last_working_day(now: str, played: date) -> None:
    assert last_working_day(datetime.fromisoformat(now).replace(tzinfo=UTC), SHANGHAI) == played
