"""Where a person can be reached on a channel, or why not and what to do about it."""

from uuid import UUID

from tidings.accounts.models import Person
from tidings.channels.contract import Values
from tidings.directory.contact_points import opened
from tidings.directory.models import ContactPoint
from tidings.kernel.problems import Problem, not_found
from tidings.messages.document import Reader


def reach(tenant_id: UUID, login: str, channel: str) -> tuple[Person, Values]:
    """Who it is, and the address, opened. Raises 404, and 409 with the reason why nothing would be sent."""
    person = Person.objects.for_tenant(tenant_id).filter(login=login, departed_at=None).first()
    if person is None:
        raise not_found("user")
    point = ContactPoint.objects.for_tenant(tenant_id).filter(person=person, channel=channel).first()
    values = opened(point)
    if point is None or not values:
        raise Problem(
            409, "contact_missing", f"{login} has no address for {channel}: give one in the notification settings."
        )
    if point.disabled_at is not None:
        why = f"{login}'s address for {channel} is switched off ({point.disabled_reason}): give it again, or another."
        raise Problem(409, "contact_disabled", why)
    if point.verified_at is None:
        raise Problem(409, "contact_unverified", f"{login} has not confirmed the address for {channel} yet.")
    return person, values


def reader_of(person: Person) -> Reader:
    """Of a message that comes to them for no reason but that somebody asked for it."""
    return Reader(person.login, person.name, person.language, person.timezone, (), person.external_id)
