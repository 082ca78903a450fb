"""Invite a person to sign in: a link by which they choose a password, or join with the sign-in they have."""

from datetime import timedelta
from uuid import UUID

from django.core import signing
from django.db import transaction

from tidings.accounts.models import Account, Person
from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.audit.record import record_change
from tidings.kernel.problems import Problem, not_found
from tidings.kernel.secrets import fingerprint, recognised
from tidings.kernel.settings import settings

PATH = "/console/welcome/"
HOLDS = timedelta(days=7)
_SALT = "tidings.invitation"


def invite(caller: Caller, login: str) -> str:
    """The link, good for seven days or until it is used; who has a sign-in already chooses a new password by it.

    Raises 403, 404, and 409 `signs_in_elsewhere`: a link that sets the password of somebody who is also in another
    tenant would open that one too.
    """
    caller.require("administrator")
    person = Person.objects.for_tenant(caller.tenant_id).filter(login=login, departed_at=None).first()
    if person is None:
        raise not_found("user")
    if not caller.unlimited and _is_elsewhere(person):
        text = f"{login} signs in to another organisation too: only they can set a new password, by mail."
        raise Problem(409, "signs_in_elsewhere", text)
    record_change(caller.tenant_id, caller.name, "invite", "user", login, before=None, after=None, stale=())
    return link_for(person, by_operator=caller.unlimited)


def link_for(person: Person, *, by_operator: bool = False) -> str:
    content = [str(person.id), _state(person).hex(), by_operator]
    return f"{settings().base_url}{PATH}{signing.dumps(content, salt=_SALT)}"


def invited(key: str) -> Person | None:
    """Whom this key invites; None when it is no key, too old, or used, or when its person has come to sign in to
    another tenant too since an administrator of this one made it."""
    try:
        person_id, state, by_operator = signing.loads(key, salt=_SALT, max_age=HOLDS)
        kept = bytes.fromhex(state)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    people = Person.objects.across_tenants().select_related("account", "tenant")
    person = people.filter(id=UUID(person_id), active=True, departed_at=None).first()
    if person is None or not recognised(kept, _SALT, _text(person)):
        return None
    return person if by_operator or not _is_elsewhere(person) else None


@transaction.atomic
def accept(key: str, account: Account) -> Person:
    """The invited person signs in as `account` from now on. Raises 404 for a key that is not good any more."""
    found = invited(key)
    if found is not None:
        lock_tenant(found.tenant_id)
        found = invited(key)
    if found is None or (found.account_id is not None and found.account_id != account.id):
        raise not_found("invitation")
    if found.account_id is None:
        # Who is two people of one tenant would act as either.
        here = Person.objects.for_tenant(found.tenant_id).filter(account=account, departed_at=None)
        if here.exists():
            raise Problem(409, "here_already", "This sign-in is somebody else's in this organisation already.")
        found.account = account
        found.save(update_fields=["account"])
    after = {"account": account.login}
    record_change(found.tenant_id, found.login, "sign_in", "user", found.login, before=None, after=after, stale=())
    return found


def _is_elsewhere(person: Person) -> bool:
    """Whether their sign-in opens more than this tenant."""
    if person.account_id is None:
        return False
    others = Person.objects.across_tenants().filter(account_id=person.account_id)
    return others.exclude(tenant_id=person.tenant_id).exists()


def _state(person: Person) -> bytes:
    return fingerprint(_SALT, _text(person))


def _text(person: Person) -> str:
    """Changes when the invitation is used: with the first sign-in, and with each new password."""
    account = person.account
    return "\0".join((str(person.id), str(account.id) if account else "", account.password if account else ""))
