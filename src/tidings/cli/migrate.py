"""`tidings migrate`: bring the database's schema up to date; starting a node does it too."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from tidings.kernel.platform import platform

# Processes that start at once take turns; the number only has to be the same everywhere.
_LOCK = 7_301_003


def migrate_database(*, verbosity: int = 0) -> None:
    """Needs the platform to be set up."""
    from django.core.management import call_command

    with in_turn():
        call_command("migrate", verbosity=verbosity, interactive=False)


@contextmanager
def in_turn() -> Iterator[None]:
    """One process at a time. Needs the platform to be set up."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


@click.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    with platform(quiet=True):
        migrate_database(verbosity=1)
