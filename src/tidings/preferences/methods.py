"""The methods a person wants, and where each of them leads: their own choice, or an administrator's for them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from tidings.accounts.models import Person
from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.audit.record import Entry, record_changes
from tidings.channels.check import check_values
from tidings.channels.contract import Channel, Values
from tidings.channels.models import ChannelSetting
from tidings.channels.registry import CHANNELS
from tidings.directory.contact_points import (
    Points,
    address_of,
    is_assumed,
    locked_points,
    opened,
    remove_point,
    same_address,
    write_point,
)
from tidings.directory.members import known_member
from tidings.directory.models import ContactPoint
from tidings.directory.prefill import PREFILLED
from tidings.directory.profile import looked_up
from tidings.kernel.problems import Problem, invalid
from tidings.kernel.versions import Expected
from tidings.preferences.shape import Point, Shown, Wanted, field_of, news, standing, whole, write_settings

KIND = "notification_settings"
"""What the record calls them."""


def settings_of_user(caller: Caller, login: str) -> Shown:
    """Raises 403, 404."""
    caller.require("administrator", to_write=False)
    return current_settings(known_member(caller.tenant_id, login))


def own_settings(caller: Caller) -> Shown:
    """Raises 403."""
    person = caller.as_person()
    caller.require_scope("read")
    return current_settings(person)


def put_settings_of_user(caller: Caller, login: str, wanted: Wanted, expected: Expected) -> Shown:
    """Verified by the administrator's word. Raises 403, 404, 412, 422."""
    caller.require("administrator")
    return _put(caller, looked_up(login), wanted, expected, by_their_word=True)


def put_own_settings(caller: Caller, wanted: Wanted, expected: Expected) -> Shown:
    """A new address leads nowhere until it is verified, unless the administrators have said already that it is this
    person's. Raises 403, 412, 422."""
    person = caller.as_person()
    caller.require_change()
    return _put(caller, person.login, wanted, expected, by_their_word=False)


@transaction.atomic
def _put(caller: Caller, login: str, wanted: Wanted, expected: Expected, *, by_their_word: bool) -> Shown:
    points = locked_points(caller.tenant_id, login)
    lock_tenant(caller.tenant_id)
    person = known_member(caller.tenant_id, login)
    before = current_settings(person)
    expected.check(before.version, write_settings(before))
    wanted = news(wanted, before)
    checked = _checked(wanted, points)
    methods = _methods(person, wanted)
    changed = [
        code
        for code, values in checked.items()
        if _change(person, CHANNELS[code], points.get(code), values, by_their_word=by_their_word)
    ]
    if not changed and methods == person.methods:
        return before
    _choose([(person, methods)], {person.id: points})
    after = current_settings(person, made=_made(wanted, checked, before))
    record_changes(caller.tenant_id, caller.name, KIND, [_entry(before, after, person, changed)])
    return after


@transaction.atomic
def choose_methods(caller: Caller, chosen: Sequence[tuple[Person, Sequence[str]]]) -> None:
    """For many at once, known methods each, while nobody else changes these people. Raises 403."""
    caller.require("administrator")
    wanted = [(person, _methods(person, Wanted(tuple(methods)))) for person, methods in chosen]
    wanted = [(person, methods) for person, methods in wanted if methods != person.methods]
    points = _points([person for person, _ in wanted])
    on = _switched_on(caller.tenant_id)
    before = {person.id: _settings(person, points[person.id], on) for person, _ in wanted}
    _choose(wanted, points)
    entries = [_entry(before[person.id], _settings(person, points[person.id], on), person, []) for person, _ in wanted]
    record_changes(caller.tenant_id, caller.name, KIND, entries)


def _choose(wanted: Sequence[tuple[Person, list[str]]], points: Mapping[UUID, Points]) -> None:
    """Who chooses a method again wants its messages again, whatever a link in one of them was used for."""
    if not wanted:
        return
    tenant_id = wanted[0][0].tenant_id
    again = [
        point.id
        for person, methods in wanted
        for channel, point in points[person.id].items()
        if point.left_at is not None and channel in methods and channel not in person.methods
    ]
    if again:
        ContactPoint.objects.for_tenant(tenant_id).filter(id__in=again).update(left_at=None)
    for person, methods in wanted:
        person.methods = methods
        person.version += 1
    Person.objects.for_tenant(tenant_id).bulk_create(
        [person for person, _ in wanted],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["methods", "version"],
    )


def _entry(before: Shown, after: Shown, person: Person, changed: list[str]) -> Entry:
    told = {**_told(after), "contact_points_changed": changed}
    return Entry("change", person.login, _told(before), told, ("directory",))


def _methods(person: Person, wanted: Wanted) -> list[str]:
    """Those of a channel that is not here just now (another version's, or of a package that was taken away) are neither
    shown nor lost."""
    known = [one for one in person.methods if one in CHANNELS]
    if wanted.methods is None or list(wanted.methods) == known:
        return person.methods
    return [*wanted.methods, *(one for one in person.methods if one not in CHANNELS)]


def _checked(wanted: Wanted, points: Points) -> dict[str, Values | None]:
    """The whole values of each channel that is written to. Raises 422 naming all that cannot be used."""
    checked: dict[str, Values | None] = {}
    problems: list[dict[str, Any]] = []
    for code, given in wanted.contacts.items():
        try:
            stored = opened(points.get(code))
            wanted_whole = whole(code, given, stored)
            checked[code] = None if wanted_whole is None else check_values(CHANNELS[code].contact, wanted_whole, stored)
        except Problem as problem:
            told = [{**error, "field": field_of(code, error["field"])} for error in problem.errors]
            problems += [error for error in told if error not in problems]
    if problems:
        raise invalid("These settings do not fit: see errors.", problems)
    return checked


def _change(
    person: Person, kind: Channel, point: ContactPoint | None, values: Values | None, *, by_their_word: bool
) -> bool:
    if values is None:
        if point:
            remove_point(point)
        return point is not None
    stored = opened(point)
    kept = point is not None and point.verified_at is not None and same_address(kind, values, stored)
    verified = by_their_word or kept or _said_of(person, kind, values)
    # What a code has shown stays shown.
    assumed = verified and (point.assumed if kept and point else is_assumed(kind, values))
    as_it_was = point is not None and point.disabled_at is None and verified == (point.verified_at is not None)
    if as_it_was and values == stored:
        return False
    write_point(person, kind, point, values, verified=verified, assumed=assumed)
    return True


def _said_of(person: Person, kind: Channel, values: Values) -> bool:
    """The administrators gave this very address as the person's own."""
    part = PREFILLED.get(kind.code)
    return part is not None and address_of(kind, values) == {kind.contact[0].name: getattr(person, part)}


def _made(wanted: Wanted, checked: Mapping[str, Values | None], before: Shown) -> dict[str, Values]:
    """Secrets that nobody gave and nobody knows yet."""
    made: dict[str, Values] = {}
    for code, values in checked.items():
        stored, given = before.points[code].values or {}, wanted.contacts[code] or {}
        for field in CHANNELS[code].contact:
            fresh = values and values.get(field.name) != stored.get(field.name)
            if field.generate and fresh and values and not given.get(field.name):
                made[code] = {**made.get(code, {}), field.name: values[field.name]}
    return made


def current_settings(person: Person, *, made: Mapping[str, Values] | None = None) -> Shown:
    return _settings(person, _points([person])[person.id], _switched_on(person.tenant_id), made)


def _points(people: Sequence[Person]) -> dict[UUID, Points]:
    found: dict[UUID, Points] = {person.id: {} for person in people}
    if people:
        for point in ContactPoint.objects.for_tenant(people[0].tenant_id).filter(person__in=people):
            found[point.person_id][point.channel] = point
    return found


def _settings(person: Person, points: Points, on: Collection[str], made: Mapping[str, Values] | None = None) -> Shown:
    return Shown(
        methods=tuple(one for one in person.methods if one in CHANNELS),
        points={code: _point(points.get(code), on=code in on) for code in CHANNELS},
        version=f"{person.version}.{sum(point.version for point in points.values())}",
        made=made or {},
    )


def _point(point: ContactPoint | None, *, on: bool) -> Point:
    if point is None:
        return Point(on)
    return Point(
        on=on,
        values=opened(point),
        address=point.shown,
        verified=point.verified_at is not None,
        disabled=point.disabled_at is not None,
        disabled_reason=point.disabled_reason,
    )


def _switched_on(tenant_id: UUID) -> frozenset[str]:
    settings = ChannelSetting.objects.for_tenant(tenant_id).filter(enabled=True)
    return frozenset(settings.values_list("channel", flat=True))


def _told(shown: Shown) -> dict[str, Any]:
    """For the record: addresses as they may be shown, no secret."""
    points = {code: standing(point) for code, point in shown.points.items() if point.values is not None}
    return {"methods": list(shown.methods), "contact_points": points}
