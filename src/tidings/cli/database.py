"""`tidings database dump|restore|upgrade`: the whole database as a file, and from one PostgreSQL to the next."""

import sys
from pathlib import Path

import click

from tidings.kernel.platform import platform
from tidings.kernel.settings import settings
from tidings.kernel.stop import heeding_signals

_file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group()
def database() -> None:
    """Back up, restore and upgrade the database."""


@database.command()
@_file
def dump(file: Path) -> None:
    """Write the whole database to FILE, while it is in use."""
    from tidings.kernel.dump_database import dump_database, holds_tidings

    with platform(quiet=True) as (url, _):
        if not holds_tidings(url):
            sys.exit("tidings: this database holds no Tidings.\n         Name another: see TIDINGS_DATABASE_URL.")
        dump_database(url, file)
    click.echo(
        f"{file}: {file.stat().st_size / 1_000_000:,.1f} MB. The secrets in it cannot be read without the key\n"
        "(TIDINGS_SECRET_KEYS, or secret.key in the data folder): keep that too, in another place."
    )


@database.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(file: Path) -> None:
    """Fill an empty database from FILE, written by this Tidings or an older one."""
    from tidings.kernel.dump_database import holds_tidings, restore_database

    with platform(quiet=True) as (url, _):
        from tidings.cli.migrate import in_turn, migrate_database

        with in_turn():
            if holds_tidings(url):
                sys.exit(
                    f"tidings: this database holds a Tidings already; nothing was changed.\n         {_make_room()}"
                )
            restore_database(url, file)
        migrate_database()
        from tidings.check import findings

        unreadable = [each for each in findings() if each.id == "secrets.unreadable"]
    click.echo(f"Restored from {file}.")
    for each in unreadable:
        click.echo(f"{each.level:7} {each.id}: {each.text}\n        {each.hint}")


@database.command()
def upgrade() -> None:
    """Bring the embedded database from an older PostgreSQL to this one."""
    from tidings.kernel.postgres import upgrade as upgrade_embedded

    if settings().database_url:
        sys.exit(
            "tidings: the database of TIDINGS_DATABASE_URL is not upgraded by Tidings.\n"
            "         Use the tools of your PostgreSQL, or: tidings database dump, then restore into the new one."
        )
    with heeding_signals():  # pg_upgrade is not to be broken off
        done = upgrade_embedded(settings().data_dir)
    if done is None:
        click.echo("There is nothing to upgrade.")
        return
    click.echo(
        f"Upgraded from PostgreSQL {done.before}. The old cluster is kept as {done.old}: remove it when all is well.\n"
        "Settings of your own in its postgresql.conf were not taken over."
    )


def _make_room() -> str:
    if settings().database_url:
        return "Name an empty one in TIDINGS_DATABASE_URL: CREATE DATABASE makes it."
    return f"Move {settings().data_dir / 'postgres' / 'cluster'} away, or set TIDINGS_DATA_DIR to another folder."
