"""Take a channel out of a person's methods, at the word of whoever has the link in one of their messages."""

from dataclasses import dataclass

from django.db import transaction

from tidings.accounts.models import Person
from tidings.accounts.tenants import lock_tenant
from tidings.audit.record import record_change
from tidings.directory.contact_points import opened
from tidings.directory.models import ContactPoint
from tidings.kernel.clock import now
from tidings.preferences.link import Link
from tidings.preferences.methods import KIND

BY = "unsubscribe link"
"""How the record calls whoever did it: a link knows nobody."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """`address` as it may be shown; `chosen`: messages go there. `former`: the message went to an address that is used
    no longer, whose reader learns nothing of the new one."""

    language: str
    address: str = ""
    chosen: bool = False
    former: bool = False


def subscription(link: Link) -> Subscription | None:
    """None when the person is gone."""
    person = _person(link)
    return _told(person, link) if person else None


@transaction.atomic
def unsubscribe(link: Link) -> Subscription | None:
    """The address stays, so that choosing the channel again is all it takes to come back. What waits to be sent there
    is cancelled when its turn comes. Nothing happens where the address was changed since. None when the person is gone.
    """
    if _person(link) is None:
        return None
    lock_tenant(link.tenant_id)
    person = _person(link)
    if person is None:
        return None
    told = _told(person, link)
    if told.former:
        return told
    points = ContactPoint.objects.for_tenant(link.tenant_id).filter(person=person, channel=link.channel)
    left = points.filter(left_at=None).update(left_at=now())
    if left or link.channel in person.methods:
        before = list(person.methods)
        person.methods = [method for method in before if method != link.channel]
        person.version += 1
        person.save(update_fields=["methods", "version"])
        record_change(
            link.tenant_id,
            BY,
            "unsubscribe",
            KIND,
            person.login,
            before={"methods": before},
            after={"methods": person.methods},
            stale=("directory",),
        )
    return _told(person, link)


def _person(link: Link) -> Person | None:
    return Person.objects.for_tenant(link.tenant_id).filter(id=link.person_id, departed_at=None).first()


def _told(person: Person, link: Link) -> Subscription:
    point = ContactPoint.objects.for_tenant(link.tenant_id).filter(person=person, channel=link.channel).first()
    if point is None or not link.is_of(opened(point)):
        return Subscription(person.language, former=True)
    return Subscription(person.language, point.shown, link.channel in person.methods)
