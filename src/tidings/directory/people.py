"""The people of a tenant as the hot path holds them: found by login, e-mail, mobile or external id, and by role."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from tidings.kernel.database import Connection


@dataclass(frozen=True, slots=True)
class Point:
    """A contact point; `sealed` is opened only when something is sent to it."""

    id: UUID
    channel: str
    sealed: bytes
    destination: str
    verified: bool
    disabled: bool

    @property
    def usable(self) -> bool:
        return self.verified and not self.disabled


@dataclass(frozen=True, slots=True)
class Member:
    """A person, with the methods they selected (in their order) and where these lead."""

    id: UUID
    login: str
    name: str
    email: str
    mobile: str
    external_id: str
    language: str
    timezone: str
    roles: tuple[str, ...]
    methods: tuple[str, ...]
    points: Mapping[str, Point]
    active: bool = True
    departed: bool = False


@dataclass(slots=True)
class People:
    by_id: dict[UUID, Member] = field(default_factory=dict)
    by_login: dict[str, Member] = field(default_factory=dict)
    by_email: dict[str, Member] = field(default_factory=dict)
    by_mobile: dict[str, Member] = field(default_factory=dict)
    by_external_id: dict[str, Member] = field(default_factory=dict)
    by_role: dict[str, list[Member]] = field(default_factory=dict)

    def find(self, *, email: str = "", mobile: str = "", external_id: str = "") -> Member | None:
        if email:
            return self.by_email.get(email.lower())
        return self.by_mobile.get(mobile) if mobile else self.by_external_id.get(external_id)


def people_of(members: Iterable[Member]) -> People:
    """A departed person is still known by login, so that a record can say so, and by nothing else."""
    people = People()
    for member in members:
        people.by_id[member.id] = people.by_login[member.login] = member
        if member.departed:
            continue
        if member.email:
            people.by_email[member.email.lower()] = member
        if member.mobile:
            people.by_mobile[member.mobile] = member
        if member.external_id:
            people.by_external_id[member.external_id] = member
        for role in member.roles:
            people.by_role.setdefault(role, []).append(member)
    return people


# Index: person_login (its tenant prefix). Read once per change of the directory, whole.
_PEOPLE = """
SELECT id, login, name, email, mobile, external_id, language, timezone, roles, methods, active, departed_at IS NOT NULL
FROM accounts_person WHERE tenant_id = %s
"""
# Index: contact_point_tenant.
_POINTS = """
SELECT person_id, id, channel, sealed, destination, verified_at IS NOT NULL, disabled_at IS NOT NULL
FROM directory_contactpoint WHERE tenant_id = %s
"""


async def load_people(connection: Connection, tenant_id: UUID) -> People:
    points: dict[UUID, dict[str, Point]] = {}
    cursor = await connection.execute(_POINTS, (tenant_id,), binary=True)
    for person_id, *rest in await cursor.fetchall():
        points.setdefault(person_id, {})[rest[1]] = Point(*rest)
    cursor = await connection.execute(_PEOPLE, (tenant_id,), binary=True)
    nowhere: dict[str, Point] = {}
    return people_of(
        Member(*row[:8], tuple(row[8]), tuple(row[9]), points.get(row[0], nowhere), row[10], row[11])
        for row in await cursor.fetchall()
    )
