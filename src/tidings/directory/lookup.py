"""How a role becomes people: from the event, from the directory, from the system roles. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from tidings.directory.people import Member, People
from tidings.directory.resources import Resources


class Named(Struct, frozen=True):
    """Someone as the event, or the directory, names them."""

    named: str
    member: Member | None
    of: str = ""


class Looked(Struct, frozen=True):
    """The database's snapshot in which a directory was read, and its time."""

    snapshot: str
    at: datetime


class Directory(Struct, frozen=True):
    people: People
    resources: Resources
    looked: Looked | None = None


class HasResource(Protocol):
    @property
    def instance(self) -> str: ...
    @property
    def database(self) -> str: ...
    @property
    def table(self) -> str: ...


class Involved(Struct, frozen=True):
    """The people and resources of one event, people already looked up once for all roles."""

    submitter: Named | None
    approvers: tuple[Named, ...]
    related: tuple[Named, ...]
    resources: tuple[HasResource, ...]
    actor: Named | None = None
    """Who did it: named in messages, told by no role."""


Lookup = Callable[[Directory, Involved], Iterable[Named]]


def _submitter(_directory: Directory, involved: Involved) -> Iterable[Named]:
    return (involved.submitter,) if involved.submitter else ()


def _by_id(directory: Directory, person_id: UUID, of: str) -> Iterator[Named]:
    member = directory.people.by_id.get(person_id)
    if member:
        yield Named(member.login, member, of)


def _instance_dba(directory: Directory, involved: Involved) -> Iterator[Named]:
    for instance in {resource.instance for resource in involved.resources}:
        if dba := directory.resources.dba_of(instance):
            yield from _by_id(directory, dba, instance)


def _data_owner(directory: Directory, involved: Involved) -> Iterator[Named]:
    for resource in involved.resources:
        of, owners = directory.resources.owners_of(resource.instance, resource.database, resource.table)
        for owner in owners:
            yield from _by_id(directory, owner, of)


def _holders_of(system_role: str) -> Lookup:
    def look_up(directory: Directory, _involved: Involved) -> Iterable[Named]:
        return (Named(member.login, member) for member in directory.people.by_role.get(system_role, ()))

    return look_up


HELD_ROLES = ("dba", "administrator", "security_administrator")
"""System roles: held whatever the event."""
LOOKUPS: Mapping[str, Lookup] = {
    "submitter": _submitter,
    "approver": lambda _directory, involved: involved.approvers,
    "related_person": lambda _directory, involved: involved.related,
    "data_owner": _data_owner,
    "instance_dba": _instance_dba,
    **{role: _holders_of(role) for role in HELD_ROLES},
}
