"""Tokens: made once, shown once, kept as a hash, revocable."""

import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tidings.accounts.models import SCOPES, Person, Source, Token
from tidings.accounts.permissions import Caller
from tidings.audit.record import record_change
from tidings.kernel.problems import forbidden, invalid, not_found
from tidings.kernel.secrets import token_hash

PREFIX = "tdg_"
# The name of those that came from the setting of this name, and of no other.
FROM_SETTINGS = "TIDINGS_ADMIN_TOKEN"
FOR_SOURCES = ("events:write",)


def new_secret() -> str:
    """256 bits; the prefix lets scanners and people recognise it."""
    return PREFIX + secrets.token_urlsafe(32)


@transaction.atomic
def create_token(
    caller: Caller,
    *,
    person: Person | None = None,
    source: Source | None = None,
    scopes: Sequence[str] = (),
    name: str = "",
    secret: str | None = None,
) -> tuple[Token, str]:
    """The token and its secret, which nobody can read again. Scopes default to all that its holder can use.

    A token can do no more than the one it was made with. Raises 403, 422.
    """
    wanted = tuple(scopes) or (SCOPES if person else FOR_SOURCES)
    if unknown := set(wanted) - set(SCOPES):
        raise invalid(f"Unknown scope {sorted(unknown)[0]!r}; known are {', '.join(SCOPES)}.")
    if source and set(wanted) - set(FOR_SOURCES):
        raise invalid("A source's token can only have the scope events:write.")
    if more := set(wanted) - caller.scopes:
        raise forbidden(f"a token that itself has the scope {min(more)}")
    secret = secret or new_secret()
    token = Token.objects.create(
        tenant_id=caller.tenant_id,
        person=person,
        source=source,
        name=name,
        scopes=sorted(set(wanted)),
        hash=token_hash(secret),
    )
    after = {"name": name, "scopes": token.scopes, "person": person and person.login, "source": source and source.name}
    _record(caller, "create", token, after)
    return token, secret


@transaction.atomic
def revoke_token(caller: Caller, token_id: UUID) -> None:
    """Holds for every request after this is answered, on every node. Raises 404."""
    token = Token.objects.for_tenant(caller.tenant_id).select_for_update().filter(id=token_id, revoked_at=None).first()
    if token is None:
        raise not_found("token")
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    _record(caller, "revoke", token, None)


def _record(caller: Caller, action: str, token: Token, after: dict[str, Any] | None) -> None:
    key = str(token.id)
    record_change(caller.tenant_id, caller.name, action, "token", key, before=None, after=after, stale=("access",))


def caller_of(secret: str) -> Caller | None:
    """Who speaks with this token; None when it was revoked, never existed, or its person may not act any more."""
    token = (
        Token.objects.across_tenants()
        .select_related("person", "source")
        .filter(hash=token_hash(secret), revoked_at=None)
        .first()
    )
    if token is None:
        return None
    person, source = token.person, token.source
    if person and (not person.active or person.departed_at):
        return None
    name = person.login if person else f"source:{source.name}" if source else ""
    return Caller(token.tenant_id, name, frozenset(token.scopes), person, source.name if source else "")
