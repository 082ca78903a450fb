"""What one person may expect of each event type before anything happens, and why. Pure.

It is the plan of an event that nobody sent: one that names this person wherever an event can name people, and touches
what they answer for. So the same code answers that decides when it is real.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from tidings.catalog.features import EventType
from tidings.directory.lookup import Directory, Involved, Named
from tidings.directory.people import Member
from tidings.events.event import Resource
from tidings.messages.wording import ROLES
from tidings.planning.facts import gather
from tidings.planning.plan import Skip, plan
from tidings.planning.view import View

When = Literal["always", "named", "held"]
"""Of which events of its type: of all; of those that name the person; of those that touch what they answer for."""
_WHEN: Mapping[str, When] = MappingProxyType(
    {
        "submitter": "named",
        "approver": "named",
        "related_person": "named",
        "data_owner": "held",
        "instance_dba": "held",
    }
)


class Reason(Struct, frozen=True):
    """`role` as in a decision record; an additional user is told always."""

    role: str
    when: When


class Expectation(Struct, frozen=True):
    """Without `because` nothing leads to the person, or `skips` says why not: the rule is off, they are disabled.
    With it, `sends` are the channels it would go out on, and `skips` the methods that lead nowhere."""

    event_type: EventType
    because: tuple[Reason, ...]
    sends: tuple[str, ...]
    skips: tuple[Skip, ...]


def expect(member: Member, view: View) -> list[Expectation]:
    """In the order of the catalogue."""
    me = Named(member.login, member)
    touched = tuple(_one_of_each(member, view.directory))
    involved = Involved(submitter=me, approvers=(me,), related=(me,), resources=touched)
    return [_expect(one, member, involved, view) for one in view.catalog.event_types.values()]


def _expect(event_type: EventType, member: Member, involved: Involved, view: View) -> Expectation:
    planned = plan(gather(event_type, involved, view))
    mine = next((one for one in planned.recipients if one.member.id == member.id), None)
    if mine is None:
        skips = tuple(skip for skip in planned.skips if skip.reason == "rule_off" or skip.person == member.login)
        return Expectation(event_type, (), (), skips)
    roles = {reason.role for reason in mine.because}
    because = tuple(Reason(role, _WHEN.get(role, "always")) for role in ROLES if role in roles)
    return Expectation(event_type, because, tuple(send.channel for send in mine.sends), mine.skips)


def _one_of_each(member: Member, directory: Directory) -> Iterator[Resource]:
    """An instance they are the DBA of, and something they own: one shows as much as a thousand do."""
    holders = directory.resources.by_path.items()
    dba_of = next((path for path, each in holders if each.dba == member.id), None)
    owns = next((path for path, each in holders if member.id in each.owners), None)
    for path in dict.fromkeys(path for path in (dba_of, owns) if path):
        yield Resource(*path)
