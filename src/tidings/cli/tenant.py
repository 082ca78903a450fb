"""`tidings tenant create NAME`, and how other commands choose a tenant."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from tidings.kernel.platform import platform
from tidings.kernel.problems import Problem

if TYPE_CHECKING:
    from tidings.accounts.models import Tenant
    from tidings.accounts.permissions import Caller

of_tenant = click.option("--tenant", help="The tenant's name. Default: the only one, or the one called default.")


@click.group()
def tenant() -> None:
    """Make tenants."""


@tenant.command()
@click.argument("name")
@click.option("--admin", default="admin", show_default=True, help="The login of its first administrator.")
def create(name: str, admin: str) -> None:
    """Make a tenant; prints its administrator's token, this once."""
    with platform(quiet=True):
        from tidings.accounts.tenants import create_tenant
        from tidings.cli.migrate import migrate_database
        from tidings.directory.profile import checked_login
        from tidings.rules.start import create_rules

        migrate_database()
        try:
            _, _, secret = create_tenant(name, checked_login(admin), start=create_rules)
        except Problem as problem:
            sys.exit(f"tidings: {problem.detail}")
    click.echo(secret)


@contextmanager
def speaking_for(name: str | None) -> "Iterator[Caller]":
    """Models may be imported from here on, and not before. What is refused is said line by line."""
    with platform(quiet=True):
        from tidings.accounts.tenants import command_line

        try:
            yield command_line(chosen_tenant(name).id)
        except Problem as problem:
            lines = [
                f"  {each.get('event_type', each['field'])}: {each['problem']}"
                for each in problem.errors
                if "problem" in each
            ]
            raise click.ClickException("\n".join([problem.detail, *lines])) from None


def chosen_tenant(name: str | None) -> "Tenant":
    """The one named, else the only one, else the one called default. Needs the platform to be set up."""
    from tidings.accounts.models import Tenant
    from tidings.accounts.tenants import FIRST

    tenants = list(Tenant.objects.order_by("name")) if name is None else list(Tenant.objects.filter(name=name))
    chosen = tenants if len(tenants) == 1 else [each for each in tenants if each.name == FIRST]
    if not chosen:
        known = ", ".join(Tenant.objects.order_by("name").values_list("name", flat=True)[:20]) or "none yet"
        sys.exit(f"tidings: say which tenant is meant with --tenant; there are: {known}.")
    return chosen[0]
