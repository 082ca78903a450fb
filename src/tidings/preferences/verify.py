"""A person proves that an address is theirs: with the code that was sent there."""

import unicodedata
from datetime import datetime

from django.db import transaction

from tidings.accounts.models import Person
from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.audit.record import record_change
from tidings.channels.contract import Channel, Values
from tidings.directory.contact_points import locked_points, write_point
from tidings.directory.members import known_member
from tidings.directory.models import ContactPoint, Verification
from tidings.kernel.clock import now
from tidings.kernel.problems import Problem, invalid
from tidings.kernel.secrets import SecretUnreadable, recognised, unseal
from tidings.preferences.limits import LOCKED, TRIES
from tidings.preferences.methods import KIND, current_settings
from tidings.preferences.provable import address_of, code_text, provable
from tidings.preferences.send_code import CODE, locked
from tidings.preferences.shape import Shown

DIGITS = 6


def verify(caller: Caller, channel: str, code: str) -> Shown:
    """The settings, with the address the code was sent to as the contact point, verified.

    Raises 403, 404, 409 `verified_otherwise`, 422 `wrong_code`, `code_expired`, and 429 `locked`.
    """
    person = caller.as_person()
    caller.require_change()
    kind, digits = provable(channel, by="code"), _digits(code)
    verdict = _decide(caller, person.login, kind, digits)
    if isinstance(verdict, Problem):
        raise verdict
    return verdict


@transaction.atomic
def _decide(caller: Caller, login: str, kind: Channel, digits: str) -> Shown | Problem:
    """A problem is returned, not raised: a wrong try counts, so its transaction must be committed."""
    points = locked_points(caller.tenant_id, login)
    lock_tenant(caller.tenant_id)
    person, moment = known_member(caller.tenant_id, login), now()
    ours = Verification.objects.for_tenant(caller.tenant_id).filter(person=person, channel=kind.code)
    row = ours.filter(code__isnull=False).first()
    if row is None or row.code is None or row.expires_at is None:
        return _expired()
    if row.locked_until and row.locked_until > moment:
        return locked(row.locked_until - moment)
    try:
        contact = unseal(bytes(row.sealed))
    except SecretUnreadable:
        return _expired()
    if row.expires_at <= moment:
        return _expired()
    if not recognised(bytes(row.code), CODE, code_text(person, kind, address_of(kind, contact), digits)):
        return _wrong(caller, person, kind, contact, row, moment)
    row.wrong, row.locked_until, row.touched_at = 0, None, moment
    row.save(update_fields=["wrong", "locked_until", "touched_at"])
    return confirm(caller, person, kind, points.get(kind.code), contact, by="code")


def confirm(
    caller: Caller, person: Person, kind: Channel, point: ContactPoint | None, contact: Values, *, by: str
) -> Shown:
    """The person has shown that this is theirs. Needs the locks of their contact points and of the tenant."""
    before = {"address": point.shown, "verified": point.verified_at is not None} if point else None
    write_point(person, kind, point, contact, verified=True)
    person.version += 1
    person.save(update_fields=["version"])
    after = {"channel": kind.code, "address": kind.address(contact), "verified": True, "by": by}
    record_change(
        caller.tenant_id, caller.name, "verify", KIND, person.login, before=before, after=after, stale=("directory",)
    )
    return current_settings(person)


def _wrong(
    caller: Caller, person: Person, kind: Channel, contact: Values, row: Verification, moment: datetime
) -> Problem:
    row.wrong, row.touched_at = row.wrong + 1, moment
    left = TRIES - row.wrong
    if left <= 0:
        row.wrong, row.locked_until = 0, moment + LOCKED
        after = {"channel": kind.code, "address": kind.address(contact), "locked_until": row.locked_until.isoformat()}
        record_change(
            caller.tenant_id, caller.name, "lock_address", KIND, person.login, before=None, after=after, stale=()
        )
    row.save(update_fields=["wrong", "locked_until", "touched_at"])
    then = f"{left} more can be tried." if left > 0 else "No more can be tried for an hour."
    return Problem(422, "wrong_code", f"This is not the code that was sent last. {then}")


def _expired() -> Problem:
    detail = "No code is under way, or it was sent more than 10 minutes ago; ask for a new one."
    return Problem(422, "code_expired", detail)


def _digits(code: str) -> str:
    """As people type and paste them: full-width, with a space in the middle."""
    digits = "".join(unicodedata.normalize("NFKC", code).split())
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        text = f"must be the {DIGITS} digits that were sent"
        raise invalid(f"This is no code: it {text}.", [{"field": "code", "problem": text}])
    return digits
