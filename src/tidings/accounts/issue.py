"""Give out tokens and take them back, as far as the caller may; bring in the systems that send."""

import unicodedata
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from tidings.accounts.models import Person, Source, Token
from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.accounts.tokens import FROM_SETTINGS, create_token, revoke_token
from tidings.audit.record import record_change
from tidings.kernel.problems import Problem, invalid, not_found

TOKEN_NAME_LENGTH = 100
SOURCE_NAME_LENGTH = 200
# Our own notices come from it.
RESERVED_SOURCE = "tidings"


def tokens_seen_by(caller: Caller, *, login: str | None = None, source: str | None = None) -> QuerySet[Token]:
    """The living ones, of one person or source where it is named: all of the tenant for administrators, their own for
    others. Raises 403."""
    caller.require_scope("read")
    tokens = _reached_by(caller).filter(revoked_at=None).select_related("person", "source")
    if login is not None:
        tokens = tokens.filter(person__login=login)
    return tokens if source is None else tokens.filter(source__name=source)


def token_of(caller: Caller, token_id: UUID) -> Token:
    """A living one that the caller may see. Raises 403, 404."""
    token = tokens_seen_by(caller).filter(id=token_id).first()
    if token is None:
        raise not_found("token")
    return token


@transaction.atomic
def issue_token(
    caller: Caller, *, login: str | None = None, source: str | None = None, scopes: Sequence[str] = (), name: str = ""
) -> tuple[Token, str]:
    """A token and its secret: for the caller themself, unless an administrator names a person or a source.

    Raises 403, 422.
    """
    caller.require_scope("write")
    name = _checked_name(name, "token", at_most=TOKEN_NAME_LENGTH, may_be_empty=True)
    if name == FROM_SETTINGS:
        raise invalid(f"{name} is what the token from the settings is called; choose another name.")
    if login is not None and source is not None:
        raise invalid("A token speaks for a person or for a source, not for both.")
    if source is not None:
        caller.require_role("administrator")
        return create_token(caller, source=_source(caller, source), scopes=scopes, name=name)
    person = _person(caller, login)
    return create_token(caller, person=person, scopes=scopes or sorted(caller.scopes), name=name)


@transaction.atomic
def withdraw_token(caller: Caller, token_id: UUID) -> None:
    """Raises 403, 404."""
    caller.require_scope("write")
    if not _reached_by(caller).filter(id=token_id).exists():
        raise not_found("token")
    revoke_token(caller, token_id)


def sources(caller: Caller) -> QuerySet[Source]:
    """Raises 403."""
    caller.require("administrator", to_write=False)
    return Source.objects.for_tenant(caller.tenant_id)


@transaction.atomic
def create_source(caller: Caller, name: str) -> Source:
    """Raises 403, 409 `source_exists`, 422."""
    caller.require_role("administrator")
    caller.require_scope("write")
    name = _checked_name(name, "source", at_most=SOURCE_NAME_LENGTH)
    if name.lower() == RESERVED_SOURCE:
        raise invalid(f"{name!r} is where our own notices come from; choose another name.")
    if not {".", ".."}.isdisjoint(name.split("/")):
        problem = "has a step in it, . or .. between slashes: no URL leads there"
        raise invalid(f"This name cannot be used: it {problem}.", [{"field": "name", "problem": problem}])
    lock_tenant(caller.tenant_id)
    if Source.objects.for_tenant(caller.tenant_id).filter(name=name).exists():
        raise Problem(
            409, "source_exists", f"There is a source {name!r} already; POST /api/v1/tokens gives it a token."
        )
    source = Source.objects.create(tenant_id=caller.tenant_id, name=name)
    record_change(caller.tenant_id, caller.name, "create", "source", name, before=None, after={"name": name}, stale=())
    return source


def _reached_by(caller: Caller) -> QuerySet[Token]:
    tokens = Token.objects.for_tenant(caller.tenant_id)
    return tokens if caller.holds("administrator") else tokens.filter(person=caller.as_person())


def _person(caller: Caller, login: str | None) -> Person:
    if login is None or (caller.person and login == caller.person.login):
        return caller.as_person()
    caller.require_role("administrator")
    person = Person.objects.for_tenant(caller.tenant_id).filter(login=_storable(login), departed_at=None).first()
    if person is None:
        raise invalid(f"Nobody here has the login {login!r}.", [{"field": "person", "problem": "is nobody here"}])
    return person


def _source(caller: Caller, name: str) -> Source:
    source = Source.objects.for_tenant(caller.tenant_id).filter(name=_storable(name)).first()
    if source is None:
        raise invalid(
            f"There is no source {name!r}; POST /api/v1/sources makes one.",
            [{"field": "source", "problem": "is not known"}],
        )
    return source


def _storable(text: str) -> str:
    """What PostgreSQL cannot store is nobody's name."""
    return text if text.isprintable() else ""


def _checked_name(text: str, what: str, *, at_most: int, may_be_empty: bool = False) -> str:
    name = unicodedata.normalize("NFC", text).strip()
    if len(name) > at_most or not name.isprintable() or not (name or may_be_empty):
        problem = f"has {0 if may_be_empty else 1} to {at_most} characters, all of them visible"
        raise invalid(f"A {what}'s name {problem}.", [{"field": "name", "problem": problem}])
    return name
