"""Read what one person's expectations depend on: their part of what a node holds of their whole tenant."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q
from msgspec import Struct

from tidings.accounts.models import Person
from tidings.accounts.permissions import Caller
from tidings.catalog.extend import catalog_of
from tidings.channels.models import ChannelSetting
from tidings.directory.as_member import as_member
from tidings.directory.lookup import Directory
from tidings.directory.members import known_member
from tidings.directory.models import ContactPoint, Resource
from tidings.directory.people import Member, people_of
from tidings.directory.resources import Holders, Resources
from tidings.planning.expect import Expectation, expect
from tidings.planning.view import View
from tidings.rules.match import RuleFacts
from tidings.rules.models import Rule

HELD_AT_MOST = 1_000


class Expectations(Struct, frozen=True):
    """`dba_of` and `owns` are paths, in order; 1,000 of both stand for more."""

    person: Person
    dba_of: Sequence[str]
    owns: Sequence[str]
    items: Sequence[Expectation]


def own_expectations(caller: Caller) -> Expectations:
    """Raises 403."""
    person = caller.as_person()
    caller.require_scope("read")
    return _expectations(person)


def expectations_of(caller: Caller, login: str) -> Expectations:
    """Raises 403, 404."""
    caller.require("administrator", to_write=False)
    return _expectations(known_member(caller.tenant_id, login))


def _expectations(person: Person) -> Expectations:
    """Five queries, whatever the tenant has."""
    points = ContactPoint.objects.for_tenant(person.tenant_id).filter(person=person)
    member, held = as_member(person, points), _held(person)
    paths = {path: "/".join(part for part in path if part) for path in held}
    return Expectations(
        person=person,
        dba_of=[paths[path] for path, holders in held.items() if holders.dba == person.id],
        owns=[paths[path] for path, holders in held.items() if person.id in holders.owners],
        items=expect(member, _view(person.tenant_id, member, Resources(held))),
    )


def _view(tenant_id: UUID, member: Member, resources: Resources) -> View:
    """As a node would hold it, but of the people and resources only those that matter here."""
    rules = Rule.objects.for_tenant(tenant_id)
    on = ChannelSetting.objects.for_tenant(tenant_id).filter(enabled=True).values_list("channel", flat=True)
    return View(
        tenant_id=tenant_id,
        rules_version=0,
        directory_version=0,
        access_version=0,
        rules={
            one.event_type: RuleFacts(one.enabled, tuple(one.optional_roles), tuple(one.additional_users))
            for one in rules
        },
        catalog=catalog_of(tenant_id),
        channels={},
        channels_on=frozenset(on),
        directory=Directory(people_of([member]), resources),
        grants={},
    )


def _held(person: Person) -> dict[tuple[str, str, str], Holders]:
    """Index: resource_path (its tenant prefix): the tenant's resources are read once."""
    mine = Q(dba=person) | Q(owners__contains=[person.id])
    rows = Resource.objects.for_tenant(person.tenant_id).filter(mine).order_by("instance", "database", "table")
    return {
        (row.instance, row.database, row.table): Holders(row.dba_id, tuple(row.owners)) for row in rows[:HELD_AT_MOST]
    }
