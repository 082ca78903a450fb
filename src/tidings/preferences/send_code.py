"""Send a person the code that proves an address is theirs."""

import logging
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from django.db import transaction
from msgspec.structs import replace

from tidings.accounts.models import Person, Tenant
from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.audit.record import record_change
from tidings.channels.at_once import Room
from tidings.channels.check import check_values
from tidings.channels.configure import settings_in_use
from tidings.channels.contract import Channel, Code, Outcome, Refused, Sent, TryLater, Values, Wire
from tidings.channels.send_aside import send_aside
from tidings.directory.contact_points import end_codes, opened
from tidings.directory.countries import spelled, within
from tidings.directory.members import known_member
from tidings.directory.models import ContactPoint, Verification
from tidings.kernel.clock import now
from tidings.kernel.ids import uuid7
from tidings.kernel.problems import Problem, invalid
from tidings.kernel.secrets import fingerprint, fingerprints, seal
from tidings.preferences.limits import HOLDS, REMEMBERED, SENDS, SENDS_OF_TENANT, until_next
from tidings.preferences.methods import KIND
from tidings.preferences.provable import address_of, code_text, provable

log = logging.getLogger("tidings.preferences")
_WORDS = {Sent: "sent", TryLater: "try_later", Refused: "refused"}
CODE, ADDRESS = "verification code", "address to verify"
"""Purposes of keyed hashes: changing one of them ends every code that is under way."""


def send_code(caller: Caller, channel: str, address: str | None, room: Room) -> None:
    """To `address`, which becomes the contact point when the code comes back; else to the one there is. Nothing tells
    the caller what came of it, not even how long it takes: that would say which addresses are known to somebody else
    (a mobile without a DingTalk account, say, is answered sooner). The record does.

    A code that waits to be sent lives in this process only; at its end it is lost, and another can be asked for after a
    minute. Raises 403, 404, 409 `channel_off`, `contact_missing`, 422, and 429 `too_many_codes`, `locked`.
    """
    person = caller.as_person()
    caller.require_scope("write")
    kind = provable(channel, by="code")
    contact = _contact(person, kind, address)
    _refuse_abroad(caller.tenant_id, kind, contact)
    settings = settings_in_use(caller.tenant_id, kind)
    moment = now()
    digits = _issue(caller.tenant_id, person.login, kind, contact, moment)
    minutes = int(HOLDS.total_seconds()) // 60
    code = Code(uuid7(), digits, minutes, person.language, contact, settings, moment)

    async def sending(wire: Wire) -> Outcome:
        if now() >= moment + HOLDS:
            return Refused("code_expired", of="message")
        return await kind.send_code(replace(code, now=now()), wire)

    def told(outcome: Outcome) -> None:
        _record(caller, person, kind, contact, outcome)

    send_aside(room, kind, kind.code_budgets(code), sending, told)


def _contact(person: Person, kind: Channel, address: str | None) -> Values:
    point = ContactPoint.objects.for_tenant(person.tenant_id).filter(person=person, channel=kind.code).first()
    stored = opened(point)
    if address is None:
        if not stored:
            text = f'There is no address for {kind.code} yet: say which one is meant, {{"address": "..."}}.'
            raise Problem(409, "contact_missing", text)
        return stored
    try:
        return check_values(kind.contact, {kind.contact[0].name: address}, stored)
    except Problem as problem:
        # What the channel calls it is not what was asked for.
        errors = [{**error, "field": "address"} for error in problem.errors]
        raise invalid("This address cannot be used: see errors.", errors) from None


def _refuse_abroad(tenant_id: UUID, kind: Channel, contact: Values) -> None:
    # What a code costs, and whom it pays, depends on where it goes; within DingTalk it costs nothing.
    if kind.code != "sms":
        return
    countries = Tenant.objects.get(id=tenant_id).sms_countries
    if not within(countries, address_of(kind, contact)):
        there = f"to numbers that begin with {', '.join(spelled(countries))}" if countries else "to no number at all"
        text = f"is in another country: codes are sent {there}. An administrator can confirm it without a code"
        raise invalid("No code can be sent to this number.", [{"field": "address", "problem": text}])


@transaction.atomic
def _issue(tenant_id: UUID, login: str, kind: Channel, contact: Values, moment: datetime) -> str:
    """The digits, counted as sent. The tenant's lock orders all who count."""
    lock_tenant(tenant_id)
    person = known_member(tenant_id, login)
    address = address_of(kind, contact)
    # A mailbox is the same one however its name is written, and so are its limits.
    key = "\0".join((str(person.id), kind.code, address.casefold()))
    ours = Verification.objects.for_tenant(tenant_id).filter(person=person, channel=kind.code)
    row = ours.filter(address__in=fingerprints(ADDRESS, key)).first()
    row = row or Verification(tenant_id=tenant_id, person=person, channel=kind.code, address=fingerprint(ADDRESS, key))
    row.sent_at = [sent for sent in row.sent_at if sent > moment - REMEMBERED]
    _refuse_too_many(row, _sent_by_tenant(tenant_id, moment), moment)
    end_codes(person, kind.code)
    digits = f"{secrets.randbelow(1_000_000):06}"
    row.sealed, row.code = seal(dict(contact)), fingerprint(CODE, code_text(person, kind, address, digits))
    row.sent_at, row.expires_at, row.touched_at = [*row.sent_at, moment], moment + HOLDS, moment
    row.save()
    return digits


def _refuse_too_many(row: Verification, of_tenant: Sequence[datetime], moment: datetime) -> None:
    if row.locked_until and row.locked_until > moment:
        raise locked(row.locked_until - moment)
    if wait := until_next(row.sent_at, SENDS, moment):
        raise _too_many("Codes for this address are limited to one a minute, 5 an hour and 10 a day.", wait)
    if wait := until_next(of_tenant, SENDS_OF_TENANT, moment):
        raise _too_many("Your organisation has used its codes of today; an administrator can confirm addresses.", wait)


def _sent_by_tenant(tenant_id: UUID, moment: datetime) -> list[datetime]:
    lately = Verification.objects.for_tenant(tenant_id).filter(touched_at__gt=moment - REMEMBERED)
    return [sent for row in lately.values_list("sent_at", flat=True) for sent in row if sent > moment - REMEMBERED]


def locked(wait: timedelta) -> Problem:
    text = "Too many wrong codes were tried for this address; wait, then ask for a new one."
    return Problem(429, "locked", text, headers=_after(wait))


def _too_many(text: str, wait: timedelta) -> Problem:
    return Problem(429, "too_many_codes", text, headers=_after(wait))


def _after(wait: timedelta) -> dict[str, str]:
    return {"Retry-After": str(max(1, ceil(wait.total_seconds())))}


def _record(caller: Caller, person: Person, kind: Channel, contact: Values, outcome: Outcome) -> None:
    """What the person may not hear, administrators can look up."""
    reason = "" if isinstance(outcome, Sent) else outcome.reason
    if reason:
        told = {"channel": kind.code, "reason": reason, "tenant": str(caller.tenant_id)}
        log.warning("a verification code was not taken", extra=told)
    after = {
        "channel": kind.code,
        "address": kind.address(contact),
        "outcome": _WORDS[type(outcome)],
        "reason": reason,
    }
    record_change(caller.tenant_id, caller.name, "send_code", KIND, person.login, before=None, after=after, stale=())
