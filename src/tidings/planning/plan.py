"""Decide, for one event, who is told how, and for everyone else why not. Pure: the same facts give the same plan.

Reasons for silence are a closed list; every person and channel that could have been told and is not has one.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from tidings.directory.people import Member, Point, hindrance

SkipReason = Literal[
    "rule_off",
    "role_empty",
    "unknown_person",
    "person_disabled",
    "person_departed",
    "no_method",
    "channel_off",
    "contact_missing",
    "contact_unverified",
    "contact_disabled",
]
ADDITIONAL_USER = "additional_user"


class Because(Struct, frozen=True, order=True):
    """Why someone is told: a role, and of what where the role belongs to a resource."""

    role: str
    of: str = ""


class Candidate(Struct, frozen=True):
    """Someone a role led to; `member` is None when the event names somebody nobody knows."""

    because: Because
    named: str
    member: Member | None


class Facts(Struct, frozen=True):
    """All a plan depends on. `roles` are those the rule asks for; a role without a candidate is empty."""

    enabled: bool
    roles: Sequence[str]
    candidates: Sequence[Candidate]
    channels_on: frozenset[str]


class Send(Struct, frozen=True):
    channel: str
    point: Point


class Skip(Struct, frozen=True):
    """One silence: of the whole event, of a role, of a person, or of one person's channel."""

    reason: SkipReason
    role: str = ""
    person: str = ""
    channel: str = ""


class Recipient(Struct, frozen=True):
    """One person told once, with every reason; `skips` are the methods that lead nowhere."""

    member: Member
    because: tuple[Because, ...]
    sends: tuple[Send, ...]
    skips: tuple[Skip, ...]


class Plan(Struct, frozen=True):
    recipients: tuple[Recipient, ...]
    skips: tuple[Skip, ...]


def plan(facts: Facts) -> Plan:
    if not facts.enabled:
        return Plan((), (Skip("rule_off"),))
    told: dict[str, tuple[Member, set[Because]]] = {}
    silent: set[Skip] = set()
    for candidate in facts.candidates:
        member = candidate.member
        if member is None:
            silent.add(Skip("unknown_person", role=candidate.because.role, person=candidate.named))
        elif member.departed:
            silent.add(Skip("person_departed", person=member.login))
        elif not member.active:
            silent.add(Skip("person_disabled", person=member.login))
        else:
            told.setdefault(member.login, (member, set()))[1].add(candidate.because)
    reached = {reason.role for _, because in told.values() for reason in because}
    silent.update(Skip("role_empty", role=role) for role in facts.roles if role not in reached)
    recipients = tuple(_recipient(member, because, facts.channels_on) for _, (member, because) in sorted(told.items()))
    return Plan(recipients, tuple(sorted(silent, key=_order)) if len(silent) > 1 else tuple(silent))


def _recipient(member: Member, because: Iterable[Because], channels_on: frozenset[str]) -> Recipient:
    sends: list[Send] = []
    skips: list[Skip] = []
    for channel in member.methods:
        point = member.points.get(channel)
        if channel in channels_on and point is not None and point.usable:
            sends.append(Send(channel, point))
        elif why := hindrance(channel, point, channels_on):
            skips.append(Skip(why, channel=channel))
    if not sends:
        skips.append(Skip("no_method"))
    return Recipient(member, tuple(sorted(because)), tuple(sends), tuple(skips))


def _order(skip: Skip) -> tuple[str, str, str]:
    return skip.reason, skip.role, skip.person
