"""What a node holds in memory of each tenant, and how it knows that it is stale.

Every change raises a version of its tenant in its own transaction; every group of events reads the versions of its
tenants first and reloads what changed. So a change that was answered governs every later event, on every node.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from tidings.accounts.load import load_grants
from tidings.catalog.load import load_catalog
from tidings.channels.load import load_channels
from tidings.directory.load import load_directory
from tidings.events.group import unavailable
from tidings.kernel.database import Connection, connect, django_conninfo
from tidings.planning.view import View
from tidings.rules.load import load_rules

log = logging.getLogger("tidings.planning")
# Index: the primary key.
_VERSIONS = """
SELECT id, rules_version, directory_version, access_version, fallback FROM accounts_tenant WHERE id = ANY(%s)
"""


@dataclass(slots=True)
class Views:
    """The tenants this node has met."""

    by_tenant: dict[UUID, View] = field(default_factory=dict)
    timed: Callable[[float, str], None] = lambda *_: None
    """Hears how many seconds it took to read a part that had changed."""

    async def current(self, connection: Connection, tenant_ids: Iterable[UUID]) -> Mapping[UUID, View]:
        """The views of these tenants as the database stands now; without those that cannot be read, so that one
        tenant's broken row is not every tenant's trouble."""
        cursor = await connection.execute(_VERSIONS, (list(tenant_ids),), binary=True)
        views: dict[UUID, View] = {}
        for tenant_id, rules, directory, access, fallback in await cursor.fetchall():
            try:
                views[tenant_id] = await self._view(connection, tenant_id, (rules, directory, access), fallback)
            except psycopg.Error:
                raise
            except Exception:
                log.exception("a tenant's settings cannot be read", extra={"tenant": str(tenant_id)})
        return views

    async def _view(
        self, connection: Connection, tenant_id: UUID, versions: tuple[int, int, int], fallback: bool
    ) -> View:
        rules_version, directory_version, access_version = versions
        held = self.by_tenant.get(tenant_id)
        if held and (held.rules_version, held.directory_version, held.access_version) == versions:
            return held
        if held and held.rules_version == rules_version:
            rules, catalog, channels = held.rules, held.catalog, held.channels
        else:
            with self._timing("rules"):
                rules = await load_rules(connection, tenant_id)
                catalog = await load_catalog(connection, tenant_id)
                channels = await load_channels(connection, tenant_id)
        if held and held.directory_version == directory_version:
            directory = held.directory
        else:
            with self._timing("directory"):
                directory = await load_directory(connection, tenant_id, held.directory if held else None)
        if held and held.access_version == access_version:
            grants = held.grants
        else:
            with self._timing("tokens"):
                grants = await load_grants(connection, tenant_id)
        view = View(tenant_id, *versions, rules, catalog, channels, frozenset(channels), directory, grants, fallback)
        # The versions were read before the parts: what changed in between is loaded again by the next group.
        self.by_tenant[tenant_id] = view
        return view

    @contextmanager
    def _timing(self, part: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.timed(time.monotonic() - began, part)


HELD = Views()
"""What this process holds: a node's loop and its Django threads share it, since it is large, and nothing in it changes
but that a whole new view takes the place of an old one."""


def view_now(tenant_id: UUID) -> View:
    """For synchronous code: the same view, read by the same statements, on a connection of its own. Raises 503."""
    view = asyncio.run(_read(tenant_id))
    if view is None:
        raise unavailable("This organisation's settings cannot be read; its events cannot be planned.")
    return view


async def _read(tenant_id: UUID) -> View | None:
    try:
        connection = await connect(django_conninfo(), name="preview")
    except psycopg.OperationalError:
        raise unavailable("The database cannot be reached.") from None
    try:
        return (await HELD.current(connection, (tenant_id,))).get(tenant_id)
    finally:
        await connection.close()
