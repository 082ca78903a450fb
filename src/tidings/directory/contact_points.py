"""Write down where a person is reached on a channel; what can be sent to is sealed."""

import hashlib
from collections.abc import Mapping
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
# The channels that what is said of a person prefills, and by which part of it.
PREFILLED: Mapping[str, str] = {"email": "email", "sms": "mobile", "dingtalk": "mobile"}
# Of these it is the mobile that people vouch for, and not the account that is found by it.
ASSUMED = frozenset({"dingtalk"})


def locked_points(tenant_id: UUID, login: str) -> dict[str, ContactPoint]:
    """A person's contact points by channel. Who writes them takes turns by login: a row that somebody else is writing
    for the first time cannot be locked, nor can a person who is not there yet. All before the tenant is locked: what
    disables a dead one takes its locks in that order too."""
    turn = hashlib.blake2b(f"{tenant_id}/{login}".encode(), digest_size=8).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(turn, signed=True)])
    points = (
        ContactPoint.objects.for_tenant(tenant_id)
        .filter(person__login=login)
        .select_for_update(of=("self",), no_key=True)
        .order_by("id")
    )
    return {point.channel: point for point in points}


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
    person: Person,
    kind: Channel,
    point: ContactPoint | None,
    values: Values,
    *,
    verified: bool,
    assumed: bool = False,
) -> None:
    """A disabled one is in use again. A verified address that it replaces is told so, and a code that is under way
    ends: it was asked for before this was decided."""
    if point and not same_address(kind, values, opened(point)):
        _say_goodbye(point)
    end_codes(person, kind.code)
    point = point or ContactPoint(tenant_id=person.tenant_id, person=person, channel=kind.code, version=0)
    # Sealing twice never gives the same bytes; what was not changed keeps its own, by which a verdict finds it.
    if not point.sealed or opened(point) != values:
        point.sealed = seal(dict(values))
    point.shown = kind.address(values)[:320]
    point.destination = _destination(kind, values, settings_of(person.tenant_id, kind.code))
    point.verified_at = (point.verified_at or now()) if verified else None
    point.disabled_at, point.disabled_reason = None, ""
    point.assumed = assumed
    point.version += 1
    point.save()


def remove_point(point: ContactPoint) -> None:
    """The address is told, if it was verified."""
    _say_goodbye(point)
    end_codes(point.person, point.channel)
    point.delete()


def end_codes(person: Person, channel: str = "") -> None:
    """Whatever code is under way to this person, on this channel or all of them, is worth nothing from now on."""
    under_way = Verification.objects.for_tenant(person.tenant_id).filter(person=person, code__isnull=False)
    (under_way.filter(channel=channel) if channel else under_way).update(code=None, expires_at=None)


def prefill(person: Person, before: Mapping[str, str], points: Mapping[str, ContactPoint]) -> list[str]:
    """What an administrator says of a person's e-mail and mobile is verified by their word, and messages go there as
    long as the person has chosen no other place. What is said again as it was changes nothing: the person may have
    taken that address away. `before` is what was said until now. The channels it changed."""
    changed: list[str] = []
    for code, part in PREFILLED.items():
        kind = CHANNELS.get(code)
        if kind is None:
            continue
        said, was, point = str(getattr(person, part)), before.get(part, ""), points.get(code)
        name = kind.contact[0].name
        follows = point is None or (bool(was) and address_of(kind, opened(point)) == {name: was})
        returns = point is not None and point.disabled_reason == DEPARTED
        if said and (returns or (follows and said != was)):
            write_point(person, kind, point, {name: said}, verified=True, assumed=is_assumed(kind, {name: said}))
            changed.append(code)
        elif point and follows and not said:
            remove_point(point)
            changed.append(code)
    return changed


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


def _say_goodbye(point: ContactPoint) -> None:
    """Whoever has an address changed in somebody's name cannot do it unseen: a node tells the old one. One that never
    was theirs hears nothing, and a dead one could not."""
    if point.verified_at is not None and point.disabled_at is None:
        moment = now()
        FormerAddress.objects.create(
            tenant_id=point.tenant_id,
            person_id=point.person_id,
            channel=point.channel,
            sealed=bytes(point.sealed),
            left_at=moment,
            due_at=moment,
        )


def _destination(kind: Channel, values: Values, settings: Values) -> str:
    """Nowhere yet for a channel that needs settings and has none; it is off, so nothing is sent to it."""
    return "" if kind.settings and not settings else kind.destination(values, settings)[:260]
