"""Who answers for an instance, a database, a table: one DBA an instance, up to three owners on each level."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from tidings.accounts.models import Person
from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.audit.record import record_change
from tidings.directory.models import Resource
from tidings.directory.profile import looked_up, unprintable
from tidings.kernel.problems import invalid, not_found
from tidings.kernel.versions import Expected

KEEPERS = ("administrator", "dba")
NAME_LENGTH = 200
OWNERS_AT_MOST = 3


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
        return ("instance", "database", "table")[len(self.names) - 1]

    @property
    def parents(self) -> tuple["Path", ...]:
        return tuple(Path(*self.names[:count]) for count in range(1, len(self.names)))


@dataclass(frozen=True, slots=True)
class Holding:
    """Logins; None leaves a part as it is, an empty one clears it."""

    dba: str | None = None
    owners: Sequence[str] | None = None


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


def resources_in(caller: Caller, parent: Path | None = None, *, q: str = "") -> QuerySet[Resource]:
    """The instances, or what lies directly in one of them or in a database; `q` is part of a name. Raises 403, 404."""
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
    return found.filter(**{f"{name}__icontains": q}) if q else found


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
def put_holders(caller: Caller, path: Path, holding: Holding, expected: Expected) -> tuple[Held, bool]:
    """The resource, and whether it is new; the database and instance it lies in come with it where they are missing.

    Raises 403, 412, and 422 naming logins that nobody has.
    """
    caller.require(*KEEPERS)
    _check_names(path)
    if holding.dba and path.level != "instance":
        text = "only an instance has one"
        raise invalid(f"A {path.level} has owners and no DBA: {text}.", [{"field": "dba", "problem": text}])
    lock_tenant(caller.tenant_id)
    row = _find(caller.tenant_id, path)
    [before] = shown([row]) if row else [None]
    expected.check(before.version if before else 0, before and content(before))
    for parent in path.parents:
        if _find(caller.tenant_id, parent) is None:
            [made] = shown([_row(caller.tenant_id, parent)])
            _record(caller, "create", parent, None, content(made))
    row = row or _row(caller.tenant_id, path, version=0)
    _set(row, holding, before)
    [after] = shown([row])
    if before is None or content(before) != content(after):
        row.version += 1
        row.save()
        was = content(before) if before else None
        _record(caller, "change" if before else "create", path, was, content(after))
    return shown([row])[0], before is None


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
    _record(caller, "delete", path, content(held) | ({"inside": lost} if lost else {}), None)


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


def _row(tenant_id: UUID, path: Path, *, version: int = 1) -> Resource:
    row = Resource(
        tenant_id=tenant_id, instance=path.instance, database=path.database, table=path.table, version=version
    )
    if version:
        row.save()
    return row


def _set(row: Resource, holding: Holding, before: Held | None) -> None:
    wanted = {*(holding.owners or ()), *([holding.dba] if holding.dba else [])}
    already = {*before.owners, *([before.dba] if before.dba else [])} if before else set()
    ids = _ids(row.tenant_id, wanted, already)
    problems: list[dict[str, Any]] = []
    for field, logins in (("dba", [holding.dba] if holding.dba else []), ("owners", holding.owners or ())):
        if unknown := [login for login in logins if login not in ids]:
            text = f"names {', '.join(unknown)}: nobody here has this login"
            problems.append({"field": field, "problem": text, "users": unknown})
    owners = list(dict.fromkeys(ids[login] for login in holding.owners or () if login in ids))
    if len(owners) > OWNERS_AT_MOST:
        problems.append({"field": "owners", "problem": f"may be {OWNERS_AT_MOST} at most"})
    if problems:
        told = " ".join(f"{one['field']} {one['problem']}." for one in problems)
        raise invalid(f"Nothing was changed: {told}", problems)
    if holding.dba is not None:
        row.dba_id = ids[holding.dba] if holding.dba else None
    if holding.owners is not None:
        row.owners = owners


def _ids(tenant_id: UUID, logins: Iterable[str], already: set[str]) -> dict[str, UUID]:
    """By login as it was written. Who has departed can stay a holder, and cannot become one."""
    written = {looked_up(login): login for login in logins}
    people = Person.objects.for_tenant(tenant_id).filter(login__in=[login for login in written if login])
    return {
        written[person.login]: person.id for person in people if person.departed_at is None or person.login in already
    }


def _logins(rows: Sequence[Resource]) -> Mapping[UUID, str]:
    ids = {owner for row in rows for owner in row.owners} | {row.dba_id for row in rows if row.dba_id}
    if not ids:
        return {}
    return dict(Person.objects.for_tenant(rows[0].tenant_id).filter(id__in=ids).values_list("id", "login"))


def _check_names(path: Path) -> None:
    levels = ("instance", "database", "table")
    text = f"must be 1 to {NAME_LENGTH} characters without /, line breaks and other control characters"
    wrong = [
        {"field": level, "problem": text}
        for level, name in zip(levels, path.names, strict=False)
        if len(name) > NAME_LENGTH or "/" in name or name in (".", "..") or name.isspace() or unprintable(name)
    ]
    if wrong:
        raise invalid(f"This name cannot be used: it {text}.", wrong)


def _record(
    caller: Caller, action: str, path: Path, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    record_change(
        caller.tenant_id, caller.name, action, path.level, str(path), before=before, after=after, stale=("directory",)
    )
