"""People, a directory and a view, made by hand: planning is pure, so its tests need nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

import msgspec

from tidings.catalog.features import built_in
from tidings.directory.lookup import Directory
from tidings.directory.people import Member, Point, people_of
from tidings.directory.resources import Holders, Resources
from tidings.events.event import Event
from tidings.planning.view import View
from tidings.rules.match import RuleFacts

_HERE = UUID("6f1c1d52-0000-7000-8000-000000000000")
APPROVAL, SUCCESS = "data_change.pending_approval", "data_change.successful"


def id_of(name: str) -> UUID:
    return uuid5(_HERE, name)


def point(login: str, channel: str, *, verified: bool = True, disabled: bool = False) -> Point:
    return Point(id_of(f"{login}/{channel}"), channel, b"sealed", f"{channel}.example:443", verified, disabled)


def member(
    login: str,
    *methods: str,
    points: Sequence[Point] | None = None,
    roles: Sequence[str] = (),
    active: bool = True,
    departed: bool = False,
    **more: str,
) -> Member:
    """With a usable contact point for each method, unless `points` says otherwise."""
    made = [point(login, method) for method in methods] if points is None else points
    about = {"name": login.title(), "email": "", "mobile": "", "external_id": "", "language": "en", "timezone": "UTC"}
    return Member(
        id=id_of(login),
        login=login,
        **(about | more),
        roles=tuple(roles),
        methods=tuple(methods),
        points={each.channel: each for each in made},
        active=active,
        departed=departed,
    )


def view(
    *members: Member,
    resources: Mapping[tuple[str, str, str], tuple[str | None, Sequence[str]]] | None = None,
    rules: Mapping[str, RuleFacts] | None = None,
    channels: Sequence[str] = ("webhook", "email"),
) -> View:
    """`resources` maps a path to its DBA's and its owners' logins."""
    holders = {
        path: Holders(id_of(dba) if dba else None, tuple(id_of(owner) for owner in owners))
        for path, (dba, owners) in (resources or {}).items()
    }
    return View(
        tenant_id=_HERE,
        rules_version=1,
        directory_version=1,
        access_version=1,
        rules=rules or {},
        catalog=built_in(),
        channels={channel: {} for channel in channels},
        channels_on=frozenset(channels),
        directory=Directory(people_of(members), Resources(holders)),
        grants={},
    )


def rule(*optional_roles: str, users: Sequence[str] = (), enabled: bool = True) -> RuleFacts:
    return RuleFacts(enabled, optional_roles, tuple(id_of(login) for login in users))


def event(code: str = SUCCESS, *resources: str, **people: Any) -> Event:
    """`resources` are written "instance/database/table"."""
    parts = [dict(zip(("instance", "database", "table"), path.split("/"), strict=False)) for path in resources]
    content = {"id": "1", "type": code, "subject": {"kind": "ticket", "id": "1"}, "people": people, "resources": parts}
    return msgspec.convert(content, Event)
