"""Who answers for an instance, a database, a table: owners are looked up from table to database to instance."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

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
