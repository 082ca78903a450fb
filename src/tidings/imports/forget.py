"""Forget imports: they hold what people are called and where they are reached."""

from datetime import timedelta

from tidings.kernel.clock import now
from tidings.kernel.database import Connection
from tidings.kernel.ids import first_at

KEPT = timedelta(days=7)
# Index: the primary keys, which begin with the time.
_ROWS = "DELETE FROM imports_row WHERE id < %s"
_IMPORTS = "DELETE FROM imports_import WHERE id < %s"


async def forget_imports(connection: Connection) -> None:
    before = first_at(now() - KEPT)
    async with connection.transaction():
        await connection.execute(_ROWS, (before,))
        await connection.execute(_IMPORTS, (before,))
