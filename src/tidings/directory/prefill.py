"""What administrators say of a person's e-mail and mobile is where messages go, until the person chooses otherwise."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from tidings.accounts.models import Person
from tidings.channels.contract import Channel, Values
from tidings.channels.registry import CHANNELS
from tidings.directory.contact_points import (
    DEPARTED,
    Points,
    Write,
    address_of,
    is_assumed,
    opened,
    remove_points,
    write_points,
)
from tidings.directory.models import ContactPoint

# The channels that what is said of a person prefills, and by which part of it.
PREFILLED: Mapping[str, str] = {"email": "email", "sms": "mobile", "dingtalk": "mobile"}


@dataclass(frozen=True, slots=True)
class Said:
    """A person, what was said of their addresses until now, and their contact points."""

    person: Person
    before: Mapping[str, str]
    points: Points


def prefill(tenant_id: UUID, people: Iterable[Said]) -> list[list[str]]:
    """It is verified by the administrators' word, and followed as long as the person has chosen no other place. What
    is said again as it was changes nothing: the person may have taken that address away. For each of them the channels
    it changed."""
    changed: list[list[str]] = []
    writes: list[Write] = []
    removed: list[ContactPoint] = []
    for one in people:
        changes = list(_follow(one))
        changed.append([kind.code for kind, _ in changes])
        for kind, values in changes:
            point = one.points.get(kind.code)
            if values is not None:
                assumed = is_assumed(kind, values)
                writes.append(Write(one.person, kind, point, values, verified=True, assumed=assumed))
            elif point is not None:
                removed.append(point)
    if removed:
        remove_points(tenant_id, removed)
    if writes:
        write_points(tenant_id, writes)
    return changed


def _follow(one: Said) -> Iterator[tuple[Channel, Values | None]]:
    """The channels that change, and what each is to lead to; None: to nothing."""
    for code, part in PREFILLED.items():
        kind = CHANNELS.get(code)
        if kind is None:
            continue
        said, was, point = str(getattr(one.person, part)), one.before.get(part, ""), one.points.get(code)
        name = kind.contact[0].name
        follows = point is None or (bool(was) and address_of(kind, opened(point)) == {name: was})
        returns = point is not None and point.disabled_reason == DEPARTED
        if said and (returns or (follows and said != was)):
            yield kind, {name: said}
        elif point and follows and not said:
            yield kind, None
