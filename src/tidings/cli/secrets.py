"""`tidings secrets rotate|retire`: from one secret key to the next."""

import sys

import click

from tidings.kernel.platform import platform


@click.group()
def secrets() -> None:
    """Change the key that seals what is secret."""


@secrets.command()
def rotate() -> None:
    """Put everything that is sealed under an older key under the current one.

    While nodes run, and as often as you like. With the embedded database a new key is made first; with
    TIDINGS_SECRET_KEYS you put one in front. Exit 1 when something could not be read.
    """
    with platform(quiet=True):
        from tidings.cli.migrate import migrate_database
        from tidings.kernel.settings import settings
        from tidings.rotate import OneKey, rotate

        migrate_database()
        try:
            done = rotate()
        except OneKey:
            sys.exit(
                "tidings: TIDINGS_SECRET_KEYS holds one key, so there is no other to go to.\n"
                "         Put a new one in front, on every node (openssl rand -hex 32): TIDINGS_SECRET_KEYS=<new>,<old>"
            )
        if done.made_key:
            click.echo(f"A new key was made; {settings().keys_file} keeps the one before behind it.")
        click.echo(f"{_values(done.rewritten.total())} {_verb(done.rewritten.total())} put under the current key.")
        for table, count in sorted(done.unreadable.items()):
            click.echo(f"{table}: {_values(count)} cannot be read by any key that is listed; tidings check says more.")
        if done.left:
            click.echo(f"{_values(done.left)} came under an older key meanwhile: a node runs without the new key.")
        else:
            click.echo("Nothing needs an older key any more but links and sessions made before: tidings secrets retire")
    sys.exit(1 if done.unreadable or done.left else 0)


@secrets.command()
def retire() -> None:
    """Take the older keys away, once nothing is sealed under them.

    Links in mails that were sent before the rotation end with them. With TIDINGS_SECRET_KEYS it only says whether you
    may. Exit 1 when you may not.
    """
    with platform(quiet=True):
        from tidings.rotate import StillNeeded, retire

        try:
            done = retire()
        except StillNeeded as needed:
            sys.exit(
                f"tidings: {_values(needed.values)} still need an older key.\n         Run: tidings secrets rotate"
            )
    if not done.older:
        click.echo("There is one key, and nothing to take away.")
    elif done.gone:
        click.echo("The older keys are gone. A backup of before needs them: keep them as long as you keep that.")
    else:
        click.echo(
            "Nothing needs the keys after the first: take them out of TIDINGS_SECRET_KEYS, and restart the nodes."
        )


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count:,} values"


def _verb(count: int) -> str:
    return "was" if count == 1 else "were"
