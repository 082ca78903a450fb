"""A tenant's catalogue: the built-in features and its own."""

from uuid import UUID

from tidings.catalog.features import Catalog, built_in, read_feature
from tidings.kernel.database import Connection

# Index: feature_code (its tenant prefix).
_FEATURES = "SELECT content FROM catalog_tenantfeature WHERE tenant_id = %s"


async def load_catalog(connection: Connection, tenant_id: UUID) -> Catalog:
    cursor = await connection.execute(_FEATURES, (tenant_id,))
    return built_in().with_features([read_feature(row[0]) for row in await cursor.fetchall()])
