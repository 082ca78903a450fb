"""What another rule would change: of one event, who would be told besides, who no longer, who still; and what should be
known of that rule before it is kept. Pure: two plans by the one `plan_event`, side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from msgspec import Struct

from tidings.catalog.features import EventType
from tidings.directory.lookup import HELD_ROLES
from tidings.directory.people import Member
from tidings.events.event import Event
from tidings.planning.facts import plan_event
from tidings.planning.plan import Plan, Recipient, Skip
from tidings.planning.view import View
from tidings.rules.match import UNTOUCHED, RuleFacts

WarningCode = Literal[
    "nobody_told", "role_empty", "role_unheld", "person_unreachable", "person_disabled", "person_departed"
]


class Comparison(Struct, frozen=True):
    """One event under the rule as it is and under the one that is wanted."""

    now: Plan
    wanted: Plan

    @property
    def added(self) -> list[Recipient]:
        told = _logins(self.now)
        return [one for one in self.wanted.recipients if one.member.login not in told]

    @property
    def removed(self) -> list[Recipient]:
        told = _logins(self.wanted)
        return [one for one in self.now.recipients if one.member.login not in told]

    @property
    def kept(self) -> list[tuple[Recipient, Recipient]]:
        """(now, wanted): the reasons may differ."""
        before = {one.member.login: one for one in self.now.recipients}
        return [(before[one.member.login], one) for one in self.wanted.recipients if one.member.login in before]


class Warned(Struct, frozen=True):
    """`events`: in how many of those that were looked at."""

    code: WarningCode
    role: str = ""
    person: Member | None = None
    events: int = 0


def compare(event: Event, view: View, wanted: RuleFacts) -> Comparison:
    other = replace(view, rules={**view.rules, event.type: wanted})
    return Comparison(plan_event(event, view).plan, plan_event(event, other).plan)


def rule_now(view: View, event_type: str) -> RuleFacts:
    return view.rules.get(event_type, UNTOUCHED)


def warnings(event_type: EventType, wanted: RuleFacts, view: View, plans: Sequence[Plan]) -> list[Warned]:
    """Of a rule that is on; `plans` are those of the events looked at, under this rule."""
    if not wanted.enabled:
        return []
    return [*_of_people(wanted, view), *_of_roles((event_type.default_role, *wanted.optional_roles), view, plans)]


def _of_roles(roles: Sequence[str], view: View, plans: Sequence[Plan]) -> Iterator[Warned]:
    for role in roles:
        if role in HELD_ROLES and not any(one.active for one in view.directory.people.by_role.get(role, ())):
            yield Warned("role_unheld", role=role)
        elif empty := sum(Skip("role_empty", role=role) in one.skips for one in plans):
            yield Warned("role_empty", role=role, events=empty)
    if silent := sum(not one.recipients for one in plans):
        yield Warned("nobody_told", events=silent)


def _of_people(wanted: RuleFacts, view: View) -> Iterator[Warned]:
    for person_id in wanted.additional_users:
        if member := view.directory.people.by_id.get(person_id):
            if member.departed:
                yield Warned("person_departed", person=member)
            elif not member.active:
                yield Warned("person_disabled", person=member)
            elif not reachable(member, view.channels_on):
                yield Warned("person_unreachable", person=member)


def reachable(member: Member, channels_on: frozenset[str]) -> bool:
    """Beyond the inbox: by a method of theirs."""
    points = [member.points.get(channel) for channel in member.methods if channel in channels_on]
    return any(point is not None and point.usable for point in points)


def _logins(plan: Plan) -> set[str]:
    return {one.member.login for one in plan.recipients}
