"""Read a tenant's directory for the hot path to hold in memory: whole at first, afterwards what changed.

Triggers keep a line for each change of a person, a contact point or a resource, with its transaction. Who knows the
snapshot in which they looked last asks for the lines of transactions that it did not show: exact, in whatever order
they were committed.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from tidings.directory.lookup import Directory, Looked
from tidings.directory.people import Member, People, Point, people_of, with_members
from tidings.directory.resources import Holders, Path, Resources
from tidings.kernel.database import Connection, plain_array, text_array

TRUSTED = timedelta(days=29)
"""Lines are kept for a day longer (`forget.py`)."""
AT_MOST = 5_000
"""Changes; after more of them all is read anew."""
BITE = 500
"""Rows that become objects at a time: then the loop has its turn."""
_NOWHERE: Mapping[str, Point] = {}

# Index: touched_since. One statement, and so one snapshot: the one with which the next look compares. Lines of a
# transaction that is yet to come, and is not our own, came with a dump of another cluster.
_LOOK = """
SELECT pg_current_snapshot()::text, now(), t.person_id, t.path FROM (VALUES (1)) AS once LEFT JOIN LATERAL (
    SELECT DISTINCT t.person_id, t.path FROM directory_touched t
    WHERE t.tenant_id = %(tenant)s AND t.xid >= pg_snapshot_xmin(%(seen)s::text::pg_snapshot)
    AND NOT pg_visible_in_snapshot(t.xid, %(seen)s::text::pg_snapshot)
    AND (t.xid < pg_snapshot_xmax(pg_current_snapshot()) OR t.xid = pg_current_xact_id_if_assigned()) LIMIT %(at_most)s
) t ON TRUE
"""
_LOOK_FIRST = "SELECT pg_current_snapshot()::text, now()"
_PEOPLE = """
SELECT id, login, name, email, mobile, external_id, language, timezone, roles, methods, active, departed_at IS NOT NULL
FROM accounts_person WHERE tenant_id = %s
"""
_POINTS = """
SELECT person_id, id, channel, sealed, destination, verified_at IS NOT NULL, disabled_at IS NOT NULL,
       left_at IS NOT NULL, assumed
FROM directory_contactpoint WHERE tenant_id = %s
"""
_RESOURCES = """
SELECT instance, database, "table", dba_id, owners FROM directory_resource WHERE tenant_id = %s
"""
# Index, of what is read whole: the tenant prefix of person_login and resource_path, contact_point_tenant; of what
# changed: the primary key, the foreign key's on person_id, resource_path.
_SOME_PEOPLE = _PEOPLE + "AND id = ANY(%s::uuid[])"
_SOME_POINTS = """
SELECT p.* FROM (SELECT %s::uuid AS tenant_id) t CROSS JOIN unnest(%s::uuid[]) AS changed(id) CROSS JOIN LATERAL (
    SELECT person_id, id, channel, sealed, destination, verified_at IS NOT NULL, disabled_at IS NOT NULL,
           left_at IS NOT NULL, assumed
    FROM directory_contactpoint c WHERE c.person_id = changed.id AND c.tenant_id = t.tenant_id OFFSET 0
) p
"""
_SOME_RESOURCES = """
SELECT r.instance, r.database, r."table", r.dba_id, r.owners FROM directory_resource r WHERE r.tenant_id = %s
AND (r.instance, r.database, r."table") IN (SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]))
"""


async def load_directory(connection: Connection, tenant_id: UUID, held: Directory | None = None) -> Directory:
    """As the database stands now. `held` is what is known of it, from this function."""
    if held is None or held.looked is None:
        return await _load_whole(connection, tenant_id)
    asked = {"tenant": tenant_id, "seen": held.looked.snapshot, "at_most": AT_MOST + 1}
    rows = await (await connection.execute(_LOOK, asked, binary=True)).fetchall()
    looked = Looked(rows[0][0], rows[0][1])
    if len(rows) > AT_MOST or looked.at - held.looked.at > TRUSTED:
        return await _load_whole(connection, tenant_id)
    people, resources = held.people, held.resources
    if changed := {row[2] for row in rows if row[2]}:
        people = with_members(people, changed, await load_members(connection, tenant_id, changed))
    if paths := {(row[3][0], row[3][1], row[3][2]) for row in rows if row[3]}:
        kept = {path: holders for path, holders in resources.by_path.items() if path not in paths}
        resources = Resources({**kept, **await _load_holders(connection, tenant_id, paths)})
    return Directory(people, resources, looked)


async def _load_whole(connection: Connection, tenant_id: UUID) -> Directory:
    row = await (await connection.execute(_LOOK_FIRST, binary=True)).fetchone()
    assert row is not None
    people = await load_people(connection, tenant_id)
    return Directory(people, Resources(await _load_holders(connection, tenant_id)), Looked(row[0], row[1]))


async def load_people(connection: Connection, tenant_id: UUID) -> People:
    return people_of(await load_members(connection, tenant_id))


async def load_members(
    connection: Connection, tenant_id: UUID, ids: Collection[UUID] | None = None
) -> Sequence[Member]:
    """All of them, or these."""
    only = () if ids is None else (plain_array([each.hex for each in ids]),)
    points: dict[UUID, dict[str, Point]] = {}
    async for person_id, *rest in _rows(connection, _SOME_POINTS if only else _POINTS, tenant_id, *only):
        points.setdefault(person_id, {})[rest[1]] = Point(*rest)
    return [
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
        async for row in _rows(connection, _SOME_PEOPLE if only else _PEOPLE, tenant_id, *only)
    ]


async def _load_holders(
    connection: Connection, tenant_id: UUID, paths: Collection[Path] | None = None
) -> dict[Path, Holders]:
    only = () if paths is None else tuple(text_array([path[level] for path in paths]) for level in range(3))
    statement = _SOME_RESOURCES if only else _RESOURCES
    return {
        (row[0], row[1], row[2]): Holders(row[3], tuple(row[4]))
        async for row in _rows(connection, statement, tenant_id, *only)
    }


async def _rows(connection: Connection, statement: str, *values: object) -> AsyncIterator[tuple[Any, ...]]:
    """A bite at a time: making 100,000 objects at once would make everybody else on this loop wait for it."""
    cursor = await connection.execute(statement, values, binary=True)
    while rows := await cursor.fetchmany(BITE):
        for row in rows:
            yield row
        await asyncio.sleep(0)
