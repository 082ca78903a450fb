"""One tenant, as a node holds it in memory. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from tidings.accounts.access import Grant
from tidings.catalog.features import Catalog
from tidings.directory.lookup import Directory
from tidings.rules.match import RuleFacts


# Nobody reads 10,000 people in one line, and asyncio.run() writes what it ran as text for the names of signals.
@dataclass(frozen=True, slots=True, repr=False)
class View:
    """Parts are replaced whole, never changed in place: who holds one keeps a consistent picture."""

    tenant_id: UUID
    rules_version: int
    directory_version: int
    access_version: int
    rules: Mapping[str, RuleFacts]
    catalog: Catalog
    channels: Mapping[str, bytes]
    """The sealed settings of those that are on."""
    channels_on: frozenset[str]
    directory: Directory
    grants: Mapping[bytes, Grant]
    fallback: bool = False
    """Whether another way is tried when nothing reaches somebody who is asked to act."""
