"""Who would be told, in words: for a rule that is tried and for an event that is looked at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext

from tidings.console.first import SHOWN_AT_MOST, First, first
from tidings.console.rules.words import role_name, warnings
from tidings.console.templatetags.told import channel_name, explained
from tidings.messages.explain import Explained
from tidings.planning.plan import Because, Recipient, Skip
from tidings.planning.preview import RulePreview, Tried
from tidings.planning.stand_in import stands_for


@dataclass(frozen=True, slots=True)
class NotBy:
    """A method that leads nowhere; without a channel all of them."""

    channel: str
    why: Explained


@dataclass(frozen=True, slots=True)
class Who:
    """`login` is empty for a role that stands in for whoever holds it."""

    login: str
    name: str
    because: str
    channels: tuple[str, ...]
    not_by: tuple[NotBy, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """People, and how many more there are."""

    people: tuple[Who, ...]
    more: int

    @property
    def count(self) -> int:
        return len(self.people) + self.more


@dataclass(frozen=True, slots=True)
class Silence:
    """Why somebody, or a whole role, is not told."""

    who: str
    why: Explained


@dataclass(frozen=True, slots=True)
class TriedEvent:
    id: str
    title: str
    at: datetime | None
    added: Some
    removed: Some
    kept: Some
    silent: First[Silence]

    @property
    def told(self) -> int:
        return self.added.count + self.kept.count


@dataclass(frozen=True, slots=True)
class ShownPreview:
    """`same`: nothing would change for these events."""

    enabled: bool
    is_example: bool
    events: tuple[TriedEvent, ...]
    warnings: tuple[str, ...]
    same: bool


def shown_preview(seen: RulePreview) -> ShownPreview:
    events = tuple(_tried(one) for one in seen.tried)
    return ShownPreview(
        enabled=bool(seen.wanted.enabled),
        is_example=seen.is_example,
        events=events,
        warnings=tuple(warnings(seen.warnings, len(events))),
        same=not any(one.added.count or one.removed.count for one in events),
    )


def who(recipient: Recipient) -> Who:
    member = recipient.member
    if stands_for(member):
        return Who("", "", because(Because(each.role) for each in recipient.because), (), ())
    return Who(
        member.login,
        member.name,
        because(recipient.because),
        tuple(channel_name(send.channel) for send in recipient.sends),
        tuple(NotBy(channel_name(skip.channel), explained(skip.reason)) for skip in recipient.skips),
    )


def because(reasons: Iterable[Because]) -> str:
    """ "Instance DBA of rm-orders, Approver"."""
    return gettext(", ").join(_reason(each) for each in reasons)


def _reason(because: Because) -> str:
    role = role_name(because.role)
    return gettext("%(role)s of %(of)s") % {"role": role, "of": because.of} if because.of else role


def silences(skips: Iterable[Skip]) -> First[Silence]:
    """What holds for everybody or a whole role comes before single people."""
    return first(sorted(skips, key=lambda each: bool(each.person)), _silence)


def _silence(skip: Skip) -> Silence:
    return Silence(skip.person or (role_name(skip.role) if skip.role else ""), explained(skip.reason))


def _tried(one: Tried) -> TriedEvent:
    subject, found = one.event.subject, one.comparison
    return TriedEvent(
        str(one.id or ""),
        subject.title or subject.id,
        one.at,
        some(found.added),
        some(found.removed),
        some([wanted for _, wanted in found.kept]),
        silences(found.wanted.skips),
    )


def some(recipients: Sequence[Recipient]) -> Some:
    return Some(tuple(map(who, recipients[:SHOWN_AT_MOST])), max(0, len(recipients) - SHOWN_AT_MOST))
