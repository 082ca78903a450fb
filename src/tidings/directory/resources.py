"""Who answers for an instance, a database, a table: owners are looked up from table to database to instance."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from tidings.kernel.database import Connection

Path = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Holders:
    dba: UUID | None
    owners: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Resources:
    by_path: Mapping[Path, Holders]

    def dba_of(self, instance: str) -> UUID | None:
        holders = self.by_path.get((instance, "", ""))
        return holders.dba if holders else None

    def owners_of(self, instance: str, database: str, table: str) -> tuple[str, tuple[UUID, ...]]:
        """The owners on the nearest level that has any, and what they own: a table's, else its database's, else its
        instance's."""
        for path in ((instance, database, table), (instance, database, ""), (instance, "", "")):
            holders = self.by_path.get(path)
            if holders and holders.owners:
                return "/".join(part for part in path if part), holders.owners
        return "/".join(part for part in (instance, database, table) if part), ()


# Index: resource_path (its tenant prefix). Read once per change of the directory, whole.
_RESOURCES = """
SELECT instance, database, "table", dba_id, owners FROM directory_resource WHERE tenant_id = %s
"""


async def load_resources(connection: Connection, tenant_id: UUID) -> Resources:
    cursor = await connection.execute(_RESOURCES, (tenant_id,), binary=True)
    return Resources(
        {(row[0], row[1], row[2]): Holders(row[3], tuple(row[4])) for row in await cursor.fetchall()}
    )
