"""`tidings token create`: a token for a person or a source."""

import sys

import click

from tidings.cli.tenant import of_tenant
from tidings.kernel.platform import platform
from tidings.kernel.problems import Problem


@click.group()
def token() -> None:
    """Make tokens."""


@token.command()
@of_tenant
@click.option("--person", help="The login it speaks for.")
@click.option("--source", help="The source it speaks for; made when it is new.")
@click.option("--scope", "scopes", multiple=True, help="events:write, read or write; repeat for several. Default: all.")
def create(tenant: str | None, person: str | None, source: str | None, scopes: tuple[str, ...]) -> None:
    """Make a token; prints its secret, this once."""
    if (person is None) == (source is None):
        raise click.UsageError("Say either --person or --source.")
    with platform(quiet=True):
        from tidings.accounts.issue import create_source
        from tidings.accounts.models import Source
        from tidings.accounts.tenants import command_line
        from tidings.accounts.tokens import create_token
        from tidings.cli.tenant import chosen_tenant
        from tidings.directory.members import known_member

        caller = command_line(chosen_tenant(tenant).id)
        try:
            if source is not None:
                known = Source.objects.for_tenant(caller.tenant_id).filter(name=source).first()
                _, secret = create_token(caller, source=known or create_source(caller, source), scopes=scopes)
            else:
                _, secret = create_token(caller, person=known_member(caller.tenant_id, person or ""), scopes=scopes)
        except Problem as problem:
            sys.exit(f"tidings: {problem.detail}")
    click.echo(secret)
