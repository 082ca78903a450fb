"""A person tries their own robot or webhook: where the test message arrives, others may follow."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction

from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.channels.at_once import Room
from tidings.channels.configure import settings_in_use
from tidings.channels.contract import Budget, Channel, Outcome, Sent
from tidings.channels.try_out import try_out
from tidings.directory.contact_points import locked_points, opened
from tidings.directory.members import known_member
from tidings.directory.models import ContactPoint
from tidings.directory.reach import reader_of
from tidings.kernel.problems import Problem
from tidings.preferences.provable import provable
from tidings.preferences.verify import confirm

TESTS, TESTS_PER = 5, timedelta(minutes=10)
"""A test may keep one of a node's two threads for 15 seconds: nobody may keep on doing that."""


def try_own(caller: Caller, channel: str, room: Room) -> tuple[Outcome, bool]:
    """What came of a test message, and whether the contact point is verified now. One that was switched off because a
    provider refused it is tried too, and is in use again when it works.

    Five tests in ten minutes; then `TryLater("too_many_tests")`.

    Blocks for 15 s at most, so no transaction may be open. Raises 403, 404, 409 `channel_off`, `contact_missing`,
    `verified_otherwise`, and 429 `busy`.
    """
    person = caller.as_person()
    caller.require_scope("write")
    kind = provable(channel, by="test")
    settings = settings_in_use(caller.tenant_id, kind)
    point = ContactPoint.objects.for_tenant(caller.tenant_id).filter(person=person, channel=kind.code).first()
    contact = opened(point)
    if point is None or not contact:
        text = f"There is no address for {kind.code} yet: PUT /api/v1/me/notification-settings gives one."
        raise Problem(409, "contact_missing", text)
    often = Budget(f"test:{person.id}", TESTS, TESTS_PER, "too_many_tests")
    outcome = try_out(caller.tenant_id, kind, reader_of(person), contact, settings, room, also=[often])
    return outcome, isinstance(outcome, Sent) and _confirm(caller, person.login, kind, point.id, bytes(point.sealed))


@transaction.atomic
def _confirm(caller: Caller, login: str, kind: Channel, point_id: UUID, sealed: bytes) -> bool:
    """Not if it became another one while the message was on its way."""
    point = locked_points(caller.tenant_id, login).get(kind.code)
    lock_tenant(caller.tenant_id)
    if point is None or point.id != point_id or bytes(point.sealed) != sealed:
        return False
    if point.verified_at is None or point.disabled_at is not None:
        confirm(caller, known_member(caller.tenant_id, login), kind, point, opened(point), by="test")
    return True
