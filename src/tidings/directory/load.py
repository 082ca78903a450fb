"""Read a tenant's directory whole, for the hot path to hold in memory."""

from collections.abc import Mapping
from uuid import UUID

from tidings.directory.people import Member, People, Point, people_of
from tidings.directory.resources import Holders, Resources
from tidings.kernel.database import Connection

_NOWHERE: Mapping[str, Point] = {}

# Index: person_login (its tenant prefix). Read once per change of the directory, whole.
_PEOPLE = """
SELECT id, login, name, email, mobile, external_id, language, timezone, roles, methods, active, departed_at IS NOT NULL
FROM accounts_person WHERE tenant_id = %s
"""
# Index: contact_point_tenant.
_POINTS = """
SELECT person_id, id, channel, sealed, destination, verified_at IS NOT NULL, disabled_at IS NOT NULL,
       left_at IS NOT NULL, assumed
FROM directory_contactpoint WHERE tenant_id = %s
"""


async def load_people(connection: Connection, tenant_id: UUID) -> People:
    points: dict[UUID, dict[str, Point]] = {}
    cursor = await connection.execute(_POINTS, (tenant_id,), binary=True)
    for person_id, *rest in await cursor.fetchall():
        points.setdefault(person_id, {})[rest[1]] = Point(*rest)
    cursor = await connection.execute(_PEOPLE, (tenant_id,), binary=True)
    return people_of(
        [
            Member(
                id=row[0],
                login=row[1],
                name=row[2],
                email=row[3],
                mobile=row[4],
                external_id=row[5],
                language=row[6],
                timezone=row[7],
                roles=tuple(row[8]),
                methods=tuple(row[9]),
                points=points.get(row[0], _NOWHERE),
                active=row[10],
                departed=row[11],
            )
            for row in await cursor.fetchall()
        ]
    )


# Index: resource_path (its tenant prefix). Read once per change of the directory, whole.
_RESOURCES = """
SELECT instance, database, "table", dba_id, owners FROM directory_resource WHERE tenant_id = %s
"""


async def load_resources(connection: Connection, tenant_id: UUID) -> Resources:
    cursor = await connection.execute(_RESOURCES, (tenant_id,), binary=True)
    return Resources({(row[0], row[1], row[2]): Holders(row[3], tuple(row[4])) for row in await cursor.fetchall()})
