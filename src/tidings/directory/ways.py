"""Which of their methods lead to people, why the others do not, and which would: for the many at once that a list
shows."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import BooleanField, Exists, F, Func, OuterRef

from tidings.accounts.models import Person
from tidings.channels.models import ChannelSetting
from tidings.directory.as_member import as_member
from tidings.directory.models import ContactPoint
from tidings.directory.people import Hindrance, Member, hindrance


@dataclass(frozen=True, slots=True)
class Ways:
    """Channels. `by` lead to the person; `not_by` are chosen and lead nowhere, each with why; `could` would lead to
    them if they were chosen."""

    by: tuple[str, ...]
    not_by: tuple[tuple[str, Hindrance], ...]
    could: tuple[str, ...]


def ways_of(tenant_id: UUID, people: Iterable[Person]) -> Mapping[UUID, Ways]:
    """By person. Two queries."""
    people = list(people)
    on = _switched_on(tenant_id)
    points: dict[UUID, list[ContactPoint]] = {person.id: [] for person in people}
    for point in ContactPoint.objects.for_tenant(tenant_id).filter(person__in=people).order_by("channel"):
        points[point.person_id].append(point)
    return {person.id: _ways(as_member(person, points[person.id]), on) for person in people}


def _ways(member: Member, on: Collection[str]) -> Ways:
    methods, points = member.methods, member.points
    hindered = {channel: hindrance(channel, points.get(channel), on) for channel in (*methods, *points)}
    return Ways(
        by=tuple(channel for channel in methods if hindered[channel] is None),
        not_by=tuple((channel, why) for channel in methods if (why := hindered[channel]) is not None),
        could=tuple(channel for channel in points if channel not in methods and hindered[channel] is None),
    )


class _IsOneOf(Func):
    template = "(%(expressions)s))"
    arg_joiner = " = ANY("
    output_field = BooleanField()


def something_leads_to_them(tenant_id: UUID) -> Exists:
    """A condition on people: one of their methods does. Index: contact_point_of."""
    usable = ContactPoint.objects.for_tenant(tenant_id).filter(
        _IsOneOf(F("channel"), OuterRef("methods")),
        person=OuterRef("id"),
        verified_at__isnull=False,
        disabled_at=None,
        channel__in=_switched_on(tenant_id),
    )
    return Exists(usable)


def _switched_on(tenant_id: UUID) -> list[str]:
    return list(ChannelSetting.objects.for_tenant(tenant_id).filter(enabled=True).values_list("channel", flat=True))
