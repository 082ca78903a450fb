"""`tidings invite`: a link by which somebody chooses a password for the console."""

import sys

import click

from tidings.cli.tenant import of_tenant
from tidings.kernel.platform import platform
from tidings.kernel.problems import Problem


@click.command()
@click.argument("login")
@of_tenant
def invite(login: str, tenant: str | None) -> None:
    """Print a link by which LOGIN chooses a password for the console; also for somebody who forgot theirs.

    Good for seven days, and once.
    """
    with platform(quiet=True):
        from tidings.accounts.invite import invite as invite_person
        from tidings.accounts.tenants import command_line
        from tidings.cli.tenant import chosen_tenant

        try:
            link = invite_person(command_line(chosen_tenant(tenant).id), login)
        except Problem as problem:
            sys.exit(f"tidings: {problem.detail}")
    click.echo(link)
