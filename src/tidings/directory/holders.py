"""Who answers for an instance, a database, a table: one DBA an instance, up to three owners on each level."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Concat

from tidings.accounts.models import Person
from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.audit.record import record_change
from tidings.directory.models import Resource
from tidings.directory.profile import unprintable
from tidings.kernel.problems import not_found
from tidings.kernel.versions import Expected

KEEPERS = ("administrator", "dba")
NAMED_AT_MOST = 1_000
LEVELS = ("instance", "database", "table")


@dataclass(frozen=True, slots=True)
class Path:
    """Names are kept as the database server writes them: it, too, may tell apart what looks the same."""

    instance: str
    database: str = ""
    table: str = ""

    def __str__(self) -> str:
        return "/".join(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.instance, self.database, self.table) if name)

    @property
    def level(self) -> str:
        return LEVELS[len(self.names) - 1]

    @property
    def parents(self) -> tuple["Path", ...]:
        return tuple(Path(*self.names[:count]) for count in range(1, len(self.names)))


@dataclass(frozen=True, slots=True)
class Held:
    """A resource as people read it."""

    path: Path
    dba: str | None
    owners: tuple[str, ...]
    version: int


def holders(caller: Caller, path: Path) -> Held:
    """Raises 403, 404."""
    caller.require(*KEEPERS, to_write=False)
    return shown([_known(caller.tenant_id, path)])[0]


def resources_in(
    caller: Caller, parent: Path | None = None, *, q: str = "", held: bool | None = None
) -> QuerySet[Resource]:
    """The instances, or what lies directly in one of them or in a database; `q` is part of a name; `held`: somebody
    answers for it, as DBA or owner. Raises 403, 404."""
    caller.require(*KEEPERS, to_write=False)
    found = Resource.objects.for_tenant(caller.tenant_id)
    if parent is None:
        found, name = found.filter(database=""), "instance"
    else:
        _known(caller.tenant_id, parent)
        if parent.database:
            found, name = found.filter(instance=parent.instance, database=parent.database).exclude(table=""), "table"
        else:
            found, name = found.filter(instance=parent.instance, table="").exclude(database=""), "database"
    if held is not None:
        by_nobody = Q(dba=None, owners=[])
        found = found.filter(~by_nobody if held else by_nobody)
    return found.filter(**{f"{name}__icontains": q}) if q else found


def all_resources(caller: Caller, *, instance: str | None = None) -> QuerySet[Resource]:
    """Of every level, each after what it lies in, by `path`. Raises 403."""
    caller.require(*KEEPERS, to_write=False)
    found = Resource.objects.for_tenant(caller.tenant_id)
    if instance is not None:
        found = found.filter(instance=instance)
    return found.annotate(path=Concat("instance", Value("/"), "database", Value("/"), "table"))


def held_by(caller: Caller, person: Person) -> QuerySet[Resource]:
    """What this person is the DBA or an owner of. Anybody may see what they hold themself. Raises 403."""
    if caller.person is None or caller.person.id != person.id:
        caller.require(*KEEPERS, to_write=False)
    caller.require_scope("read")
    return Resource.objects.for_tenant(caller.tenant_id).filter(Q(dba=person) | Q(owners__contains=[person.id]))


def shown(resources: Iterable[Resource]) -> list[Held]:
    """One query, for the logins of all."""
    rows = list(resources)
    logins = _logins(rows)
    return [
        Held(
            Path(row.instance, row.database, row.table),
            logins[row.dba_id] if row.dba_id else None,
            tuple(logins[owner] for owner in row.owners if owner in logins),
            row.version,
        )
        for row in rows
    ]


@transaction.atomic
def remove_resource(caller: Caller, path: Path, expected: Expected) -> None:
    """With all that lies in it; what is gone stands in the record. Raises 403, 404, 412."""
    caller.require(*KEEPERS)
    lock_tenant(caller.tenant_id)
    row = _known(caller.tenant_id, path)
    [held] = shown([row])
    expected.check(held.version, content(held))
    inside = Resource.objects.for_tenant(caller.tenant_id).filter(instance=path.instance).exclude(id=row.id)
    if path.database:
        inside = inside.filter(database=path.database)
    if path.table:
        inside = inside.none()
    lost = {str(child.path): content(child) for child in shown(inside.order_by("database", "table"))}
    inside.delete()
    row.delete()
    gone = content(held) | ({"inside": lost} if lost else {})
    record_change(
        caller.tenant_id, caller.name, "delete", path.level, str(path), before=gone, after=None, stale=("directory",)
    )


def content(held: Held) -> dict[str, Any]:
    """What administrators and DBAs decide of a resource."""
    owners = {"owners": list(held.owners)}
    return owners if held.path.database else {"dba": held.dba, **owners}


def _find(tenant_id: UUID, path: Path) -> Resource | None:
    if unprintable(str(path)):
        return None
    at = {"instance": path.instance, "database": path.database, "table": path.table}
    return Resource.objects.for_tenant(tenant_id).filter(**at).first()


def _known(tenant_id: UUID, path: Path) -> Resource:
    row = _find(tenant_id, path)
    if row is None:
        raise not_found(path.level)
    return row


def _logins(rows: Sequence[Resource]) -> Mapping[UUID, str]:
    ids = {owner for row in rows for owner in row.owners} | {row.dba_id for row in rows if row.dba_id}
    if not ids:
        return {}
    people = Person.objects.for_tenant(rows[0].tenant_id)
    # For a whole file's worth it is quicker to read everybody than to name them one by one.
    named = people.filter(id__in=ids) if len(ids) <= NAMED_AT_MOST else people
    return dict(named.values_list("id", "login"))
