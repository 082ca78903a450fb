"""Tenants: how one begins, and the order of its changes."""

import logging
import unicodedata
from collections.abc import Callable
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction

from tidings.accounts.models import SCOPES, Account, Person, Tenant, Token
from tidings.accounts.permissions import Caller
from tidings.accounts.tokens import FROM_SETTINGS, create_token, revoke_token
from tidings.audit.record import record_change
from tidings.kernel.problems import Problem, invalid
from tidings.kernel.secrets import token_hash

log = logging.getLogger("tidings.accounts")
FIRST = "default"
ADMINISTRATOR = "admin"
NAME_LENGTH = 100
# One process at a time makes the first tenant; the number only has to be the same everywhere.
_LOCK = 7_301_002

Start = Callable[[UUID], None]
"""What else a new tenant needs (its rules); composed by the caller, because accounts know nothing of it."""


class RevokedAdminToken(Exception):
    """TIDINGS_ADMIN_TOKEN names a token that somebody has revoked; it stays so."""


def command_line(tenant_id: UUID) -> Caller:
    """Whoever has a shell on the installation may do everything; the record says so."""
    return Caller(tenant_id, "command line", frozenset(SCOPES), unlimited=True)


def lock_tenant(tenant_id: UUID) -> Tenant:
    """Until the transaction ends, nobody else changes who and what this tenant has: what is checked stays true."""
    return Tenant.objects.select_for_update(no_key=True).get(id=tenant_id)


@transaction.atomic
def create_tenant(
    name: str, admin_login: str = ADMINISTRATOR, *, start: Start, secret: str | None = None
) -> tuple[Tenant, Person, str]:
    """A tenant, its administrator and the secret of their token. Raises 409 `tenant_exists`, 422."""
    name = _checked_name(name)
    if Tenant.objects.filter(name=name).exists():
        raise Problem(409, "tenant_exists", f"There is a tenant {name!r} already; choose another name.")
    tenant = Tenant.objects.create(name=name)
    caller = command_line(tenant.id)
    record_change(
        tenant.id, caller.name, "create", "tenant", name, before=None, after={"administrator": admin_login}, stale=()
    )
    person = Person.objects.create(tenant=tenant, login=admin_login, name="Administrator", roles=["administrator"])
    after = {"name": person.name, "roles": person.roles, "active": True}
    record_change(
        tenant.id, caller.name, "create", "user", person.login, before=None, after=after, stale=("directory",)
    )
    _, secret = create_token(caller, person=person, name=FROM_SETTINGS if secret else "first", secret=secret)
    start(tenant.id)
    return tenant, person, secret


@transaction.atomic
def first_tenant(*, start: Start, password: str | None = None, secret: str | None = None) -> str | None:
    """What a new installation begins with, made once however many processes start at once: the tenant `default` and its
    administrator `admin`. The answer is the secret of their token where it was made here: nobody can read it again.

    Where a tenant exists, only the sign-in and the token from the settings are added if they are missing; the token
    that stood there before ends. Raises `RevokedAdminToken`.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    made = None
    if Tenant.objects.exists():
        person = _first_administrator()
    else:
        _, person, made = create_tenant(FIRST, start=start, secret=secret)
    if person and password and person.account_id is None:
        _add_account(person, password)
    if person and secret and not made:
        _add_token(person, secret)
    if secret:
        _end_former_tokens(secret)
    return None if secret else made


def _first_administrator() -> Person | None:
    """None when they were renamed, demoted or sent away: then nothing is added behind the administrators' backs."""
    living = Person.objects.across_tenants().filter(active=True, departed_at=None, roles__contains=["administrator"])
    return living.filter(tenant__name=FIRST, login=ADMINISTRATOR).first()


def _add_token(person: Person, secret: str) -> None:
    token = Token.objects.across_tenants().filter(hash=token_hash(secret)).first()
    if token is None:
        create_token(command_line(person.tenant_id), person=person, name=FROM_SETTINGS, secret=secret)
    elif token.revoked_at is not None:
        raise RevokedAdminToken


def _end_former_tokens(secret: str) -> None:
    """Whoever changes the setting wants the one before to open nothing any more, whoever's it was."""
    living = Token.objects.across_tenants().filter(name=FROM_SETTINGS, revoked_at=None)
    for token in living.exclude(hash=token_hash(secret)):
        revoke_token(command_line(token.tenant_id), token.id)
        log.warning("TIDINGS_ADMIN_TOKEN was changed: the token that it named before has ended")


def _add_account(person: Person, password: str) -> None:
    """A sign-in that is there keeps its password: the setting is for the first start only."""
    account, _ = Account.objects.get_or_create(
        login=person.login, defaults={"password": make_password(password), "home": person.tenant}
    )
    person.account = account
    person.save(update_fields=["account"])
    record_change(
        person.tenant_id,
        command_line(person.tenant_id).name,
        "sign_in",
        "user",
        person.login,
        before=None,
        after={"account": account.login},
        stale=(),
    )


def _checked_name(name: str) -> str:
    name = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable():
        raise invalid(f"A tenant's name has 1 to {NAME_LENGTH} characters, all of them visible.")
    return name
