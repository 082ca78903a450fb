"""Gather what a plan depends on: the rule, and the people each of its roles leads to. Pure."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from tidings.catalog.features import EventType
from tidings.directory.lookup import LOOKUPS, Involved, Named
from tidings.directory.people import People
from tidings.events.event import Event, PersonKey, PersonRef
from tidings.planning.plan import ADDITIONAL_USER, Because, Candidate, Facts, Plan, plan
from tidings.planning.view import View
from tidings.rules.match import UNTOUCHED


class Planned(Struct, frozen=True):
    """A plan with what it was made from, so that a message can be written without looking anything up again."""

    plan: Plan
    event_type: EventType
    involved: Involved

    def not_told(self) -> set[UUID]:
        """Who may see the event without being told: of its submitter, approvers and related people those who are no
        recipients."""
        named = (self.involved.submitter, *self.involved.approvers, *self.involved.related)
        told = {recipient.member.id for recipient in self.plan.recipients}
        return {one.member.id for one in named if one and one.member} - told


def plan_event(event: Event, view: View) -> Planned:
    """The one way from an event to a plan: ingest, preview, explain and the retry of unplanned events all call this."""
    event_type = view.catalog.event_types[event.type]
    involved = involve(event, view.directory.people)
    return Planned(plan(gather(event_type, involved, view)), event_type, involved)


def gather(event_type: EventType, involved: Involved, view: View) -> Facts:
    rule = view.rules.get(event_type.code, UNTOUCHED)
    if not rule.enabled:
        return Facts(False, (), (), frozenset())
    roles = (event_type.default_role, *rule.optional_roles)
    candidates = [
        Candidate(Because(role, named.of), named.named, named.member)
        for role in roles
        for named in LOOKUPS[role](view.directory, involved)
    ]
    for person_id in rule.additional_users:
        if member := view.directory.people.by_id.get(person_id):
            candidates.append(Candidate(Because(ADDITIONAL_USER), member.login, member))
    return Facts(True, roles, candidates, view.channels_on)


def involve(event: Event, people: People) -> Involved:
    named = event.people
    return Involved(
        submitter=_named(named.submitter, people) if named.submitter else None,
        approvers=_all_named(named.approvers, people),
        related=_all_named(named.related, people),
        resources=tuple(event.resources),
        actor=_named(event.actor, people) if event.actor else None,
    )


def _all_named(refs: Sequence[PersonRef], people: People) -> tuple[Named, ...]:
    return tuple([_named(ref, people) for ref in refs])


def _named(ref: PersonRef, people: People) -> Named:
    if isinstance(ref, PersonKey):
        member = people.find(email=ref.email, mobile=ref.mobile, external_id=ref.external_id)
        return Named(member.login if member else str(ref), member)
    # Nearly every event names people by the very login that is kept: that is one look and no call.
    return Named(ref, people.by_login.get(ref) or people.find(login=ref))
