"""The day's data: complete, in a believable order, about people who exist."""

from datetime import UTC, datetime

import pytest

from tidings.catalog.features import SYSTEM_FEATURE, built_in
from tidings.demo.day import TICKETS, Ticket, events
from tidings.demo.organisation import BIG_DATA, PEOPLE, RESOURCES, RULES

LOGINS = {one.login for one in PEOPLE}
DAY = list(events(datetime(2026, 11, 23, tzinfo=UTC)))


def test_the_day_has_all_event_types() -> None:
    wanted = {code for code, one in built_in().event_types.items() if one.feature != SYSTEM_FEATURE}
    assert {event["type"] for event in DAY} == wanted
    assert len(wanted) == 58


@pytest.mark.parametrize("ticket", TICKETS, ids=lambda ticket: ticket.number)
def test_nothing_is_approved_before_it_waits_for_approval(ticket: Ticket) -> None:
    for decision in ("approved", "rejected"):
        if decision in ticket.statuses:
            assert ticket.statuses.index("pending_approval") < ticket.statuses.index(decision)
    assert not {"approved", "rejected"} <= set(ticket.statuses)


def test_all_but_one_approver_exists() -> None:
    named = {name for ticket in TICKETS for name in (ticket.submitter, *ticket.approvers, *ticket.related)}
    assert named - LOGINS == {"somebody.unknown"}
    assert set(BIG_DATA) <= LOGINS
    assert {owner for holders in RESOURCES.values() for owner in holders.get("owners", [])} <= LOGINS


def test_the_organisation_has_every_kind_of_reader() -> None:
    assert len(PEOPLE) >= 40
    assert {one.language for one in PEOPLE} == {"en", "zh-hans"}
    assert any(not one.methods for one in PEOPLE)
    assert any(not one.active for one in PEOPLE)
    assert any(len(one.methods) > 1 for one in PEOPLE)


def test_every_rule_of_the_demo_is_one_the_catalogue_allows() -> None:
    for code, change in RULES.items():
        assert set(change.get("optional_roles", ())) <= set(built_in().event_types[code].optional_roles), code
