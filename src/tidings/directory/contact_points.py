"""Write down where a person is reached on a channel; what can be sent to is sealed."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from tidings.accounts.models import Person, Tenant
from tidings.channels.contract import Channel, Value, Values
from tidings.channels.models import ChannelSetting
from tidings.channels.registry import CHANNELS
from tidings.directory.models import ContactPoint, FormerAddress, Verification
from tidings.kernel.clock import now
from tidings.kernel.secrets import SecretUnreadable, seal, unseal

DEPARTED = "person_departed"
Points = dict[str, ContactPoint]
"""A person's, by channel."""
# Of these it is the mobile that people vouch for, and not the account that is found by it.
ASSUMED = frozenset({"dingtalk"})


@dataclass(frozen=True, slots=True)
class Write:
    """What a person's contact point is to be; `point` is the one there is."""

    person: Person
    kind: Channel
    point: ContactPoint | None
    values: Values
    verified: bool
    assumed: bool = False


def locked_points(tenant_id: UUID, login: str) -> Points:
    return lock_points(tenant_id, [login])[login]


def lock_points(tenant_id: UUID, logins: Sequence[str]) -> dict[str, Points]:
    """People's contact points, by login. Who writes them takes turns by login: a row that somebody else is writing for
    the first time cannot be locked, nor can a person who is not there yet. All before the tenant is locked: what
    disables a dead one takes its locks in that order too."""
    turns = [hashlib.blake2b(f"{tenant_id}/{login}".encode(), digest_size=8).digest() for login in logins]
    with connection.cursor() as cursor:
        # In one order for everybody, so that two who lock many cannot wait for each other.
        keys = sorted(int.from_bytes(turn, signed=True) for turn in turns)
        cursor.execute("SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS turn(key)", [keys])
    points = (
        ContactPoint.objects.for_tenant(tenant_id)
        .filter(person__login__in=logins)
        .select_related("person")
        .select_for_update(of=("self",), no_key=True)
        .order_by("id")
    )
    found: dict[str, Points] = {login: {} for login in logins}
    for point in points:
        found[point.person.login][point.channel] = point
    return found


def opened(point: ContactPoint | None) -> Values:
    """Its address and secrets; nothing when no key opens it any more: then it has to be given anew."""
    try:
        return unseal(bytes(point.sealed)) if point else {}
    except SecretUnreadable:
        return {}


def settings_of(tenant_id: UUID, channel: str) -> Values:
    """The tenant's settings of this channel, opened; nothing where it has none yet."""
    kept = ChannelSetting.objects.for_tenant(tenant_id).filter(channel=channel).first()
    try:
        return unseal(bytes(kept.sealed)) if kept else {}
    except SecretUnreadable:
        return {}


def address_of(kind: Channel, values: Values) -> dict[str, Value]:
    """Where it leads: what its channel requires, or where it may be one thing or another, whatever is given of them."""
    required = [field.name for field in kind.contact if field.required]
    names = required or [field.name for field in kind.contact if field.kind != "secret"]
    return {name: values[name] for name in names if values.get(name) is not None}


def same_address(kind: Channel, one: Values, other: Values) -> bool:
    """Whether both lead to the same place."""
    return address_of(kind, one) == address_of(kind, other)


def is_assumed(kind: Channel, values: Values) -> bool:
    """Whether nothing but somebody's word about a mobile says whose account this is."""
    return kind.code in ASSUMED and address_of(kind, values).keys() == {kind.contact[0].name}


def write_point(
    person: Person, kind: Channel, point: ContactPoint | None, values: Values, *, verified: bool, assumed: bool = False
) -> None:
    write_points(person.tenant_id, [Write(person, kind, point, values, verified, assumed)])


def write_points(tenant_id: UUID, writes: Sequence[Write]) -> None:
    """A disabled one is in use again. A verified address that is replaced is told so, and a code that is under way
    ends: it was asked for before this was decided."""
    settings = cache(lambda code: settings_of(tenant_id, code))
    moved = [one.point for one in writes if one.point and not same_address(one.kind, one.values, opened(one.point))]
    _say_goodbye(tenant_id, moved)
    _end_codes(tenant_id, [(one.person, one.kind.code) for one in writes])
    written = [_written(one, settings(one.kind.code)) for one in writes]
    ContactPoint.objects.for_tenant(tenant_id).bulk_create(
        written, update_conflicts=True, unique_fields=["id"], update_fields=_WRITTEN
    )


_WRITTEN = ("sealed", "shown", "destination", "verified_at", "disabled_at", "disabled_reason", "assumed", "version")


def _written(one: Write, settings: Values) -> ContactPoint:
    kind, values = one.kind, one.values
    point = one.point or ContactPoint(tenant_id=one.person.tenant_id, person=one.person, channel=kind.code, version=0)
    # Sealing twice never gives the same bytes; what was not changed keeps its own, by which a verdict finds it.
    if not point.sealed or opened(point) != values:
        point.sealed = seal(dict(values))
    point.shown = kind.address(values)[:320]
    point.destination = _destination(kind, values, settings)
    point.verified_at = (point.verified_at or now()) if one.verified else None
    point.disabled_at, point.disabled_reason = None, ""
    point.assumed = one.assumed
    point.version += 1
    return point


def remove_point(point: ContactPoint) -> None:
    remove_points(point.tenant_id, [point])


def remove_points(tenant_id: UUID, points: Sequence[ContactPoint]) -> None:
    """The addresses are told, where they were verified."""
    _say_goodbye(tenant_id, points)
    _end_codes(tenant_id, [(point.person, point.channel) for point in points])
    ContactPoint.objects.for_tenant(tenant_id).filter(id__in=[point.id for point in points]).delete()


def end_codes(person: Person, channel: str = "") -> None:
    """Whatever code is under way to this person, on this channel or all of them, is worth nothing from now on."""
    under_way = Verification.objects.for_tenant(person.tenant_id).filter(person=person, code__isnull=False)
    (under_way.filter(channel=channel) if channel else under_way).update(code=None, expires_at=None)


def _end_codes(tenant_id: UUID, of: Iterable[tuple[Person, str]]) -> None:
    by_channel: dict[str, list[Person]] = {}
    for person, channel in of:
        by_channel.setdefault(channel, []).append(person)
    for channel, people in by_channel.items():
        under_way = Verification.objects.for_tenant(tenant_id).filter(channel=channel, person__in=people)
        under_way.filter(code__isnull=False).update(code=None, expires_at=None)


def disable_all(points: Mapping[str, ContactPoint]) -> None:
    """Of somebody who departed: whoever comes back under this login, or somebody new, has to save them first."""
    for point in points.values():
        point.disabled_at, point.disabled_reason = now(), DEPARTED
        point.version += 1
        point.save()


@transaction.atomic
def refresh_destinations(tenant_id: UUID, channel: str, settings: Values) -> int:
    """A tenant's settings may decide where all contact points of a channel lead (its mail server): to be called in the
    transaction that changes them. How many lead elsewhere now; nodes hear of it."""
    kind = CHANNELS[channel]
    points = (
        ContactPoint.objects.for_tenant(tenant_id).filter(channel=channel).select_for_update(no_key=True).order_by("id")
    )
    moved: list[ContactPoint] = []
    for point in points:
        values = opened(point)
        destination = _destination(kind, values, settings) if values else point.destination
        if destination != point.destination:
            point.destination = destination
            moved.append(point)
    if moved:
        ContactPoint.objects.for_tenant(tenant_id).bulk_update(moved, ["destination"], batch_size=1_000)
        Tenant.objects.filter(id=tenant_id).update(directory_version=F("directory_version") + 1)
    return len(moved)


def _say_goodbye(tenant_id: UUID, points: Iterable[ContactPoint]) -> None:
    """Whoever has an address changed in somebody's name cannot do it unseen: a node tells the old one. One that never
    was theirs hears nothing, and a dead one could not."""
    moment = now()
    FormerAddress.objects.for_tenant(tenant_id).bulk_create(
        FormerAddress(
            tenant_id=tenant_id,
            person_id=point.person_id,
            channel=point.channel,
            sealed=bytes(point.sealed),
            left_at=moment,
            due_at=moment,
        )
        for point in points
        if point.verified_at is not None and point.disabled_at is None
    )


def _destination(kind: Channel, values: Values, settings: Values) -> str:
    """Nowhere yet for a channel that needs settings and has none; it is off, so nothing is sent to it."""
    return "" if kind.settings and not settings else kind.destination(values, settings)[:260]
