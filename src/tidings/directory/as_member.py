"""A person and their contact points, as Django reads them, in the form in which planning and wording know people."""

from collections.abc import Iterable

from tidings.accounts.models import Person
from tidings.directory.models import ContactPoint
from tidings.directory.people import Member, Point


def as_member(person: Person, points: Iterable[ContactPoint] = ()) -> Member:
    return Member(
        id=person.id,
        login=person.login,
        name=person.name,
        email=person.email,
        mobile=person.mobile,
        external_id=person.external_id,
        language=person.language,
        timezone=person.timezone,
        roles=tuple(person.roles),
        methods=tuple(person.methods),
        points={one.channel: _point(one) for one in points},
        active=person.active,
        departed=person.departed_at is not None,
    )


def _point(point: ContactPoint) -> Point:
    return Point(
        id=point.id,
        channel=point.channel,
        sealed=bytes(point.sealed),
        destination=point.destination,
        verified=point.verified_at is not None,
        disabled=point.disabled_at is not None,
        left=point.left_at is not None,
        assumed=point.assumed,
    )
