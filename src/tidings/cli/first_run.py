"""What a new installation begins with: a tenant, its rules, its administrator and their token."""

import sys

from tidings.kernel.settings import settings


def first_run() -> None:
    """Once, however many processes start; a token that was made here is printed this once."""
    from tidings.accounts.tenants import ADMINISTRATOR, FIRST, RevokedAdminToken, first_tenant
    from tidings.rules.start import create_rules

    try:
        made = first_tenant(start=create_rules, password=settings().admin_password, secret=settings().admin_token)
    except RevokedAdminToken:
        sys.exit(
            "tidings: TIDINGS_ADMIN_TOKEN names a token that was revoked.\n         Set another, or remove the setting."
        )
    if made:
        print(  # noqa: T201
            f"A tenant {FIRST!r} was made, with {ADMINISTRATOR!r} as its administrator. Their token, shown this once:\n"
            f"    {made}\n"
            f"{_way_in()}",
            file=sys.stderr,
            flush=True,
        )


def _way_in() -> str:
    from tidings.accounts.invite import link_for
    from tidings.accounts.models import Person
    from tidings.accounts.tenants import ADMINISTRATOR, FIRST

    person = Person.objects.across_tenants().select_related("account").get(tenant__name=FIRST, login=ADMINISTRATOR)
    if person.account:
        return f"They sign in to the console as {person.account.login!r} with TIDINGS_ADMIN_PASSWORD."
    return f"They choose a password for the console there, once, within seven days:\n    {link_for(person)}"
