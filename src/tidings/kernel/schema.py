"""Whether the database is one this version can work with, and may write to."""

from functools import cache

from tidings.kernel.database import Connection

# A few dozen rows.
_APPLIED = "SELECT app || '.' || name FROM django_migrations"
# Of this session's next statement: on a standby, or where `default_transaction_read_only` is set, it may not write.
_READ_ONLY = "SELECT current_setting('transaction_read_only')::bool"


async def missing_migrations(connection: Connection) -> list[str]:
    """Those that this version needs and the database has not seen. What a newer one added stands in nobody's way."""
    rows = await (await connection.execute(_APPLIED)).fetchall()
    return sorted(known_migrations() - {row[0] for row in rows})


async def is_read_only(connection: Connection) -> bool:
    row = await (await connection.execute(_READ_ONLY)).fetchone()
    return row is not None and bool(row[0])


@cache
def known_migrations() -> frozenset[str]:
    """Needs Django to be set up."""
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    return frozenset(f"{app}.{name}" for app, name in loader.disk_migrations)
