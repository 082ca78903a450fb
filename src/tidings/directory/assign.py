"""Say who answers for instances, databases and tables, one or many at once: the same checks, the same record."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from tidings.accounts.models import Person
from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.audit.record import Entry, record_changes
from tidings.directory.holders import KEEPERS, LEVELS, Held, Path, content
from tidings.directory.models import Resource
from tidings.directory.profile import looked_up, unprintable
from tidings.kernel.problems import Problem, invalid
from tidings.kernel.versions import Expected

NAME_LENGTH = 200
OWNERS_AT_MOST = 3
ANY_VERSION = Expected()


@dataclass(frozen=True, slots=True)
class Holding:
    """Logins; None leaves a part as it is, an empty one clears it."""

    dba: str | None = None
    owners: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    path: Path
    holding: Holding
    expected: Expected = ANY_VERSION


@dataclass(frozen=True, slots=True)
class Put:
    """A resource as it is now, and as it was before: None for a new one."""

    before: Held | None
    after: Held


@transaction.atomic
def put_holders(caller: Caller, path: Path, holding: Holding, expected: Expected) -> tuple[Held, bool]:
    """The resource, and whether it is new; the database and instance it lies in come with it where they are missing.

    Raises 403, 412, and 422 naming logins that nobody has.
    """
    [put] = put_all_holders(caller, [Wanted(path, holding, expected)])
    if isinstance(put, Problem):
        raise put
    return put.after, put.before is None


@transaction.atomic
def put_all_holders(caller: Caller, wanted: Sequence[Wanted]) -> list[Put | Problem]:
    """Each of them, or why not: the others are put all the same. Raises 403."""
    caller.require(*KEEPERS)
    lock_tenant(caller.tenant_id)
    known = _known(caller.tenant_id, wanted)
    puts = _decided(wanted, known)
    _write(caller, known)
    return puts


def judge_holders(caller: Caller, wanted: Sequence[Wanted]) -> list[Put | Problem]:
    """What `put_all_holders` would do; nothing is written. Raises 403."""
    caller.require(*KEEPERS)
    return _decided(wanted, _known(caller.tenant_id, wanted))


@dataclass(slots=True)
class _Known:
    """What a decision depends on, read at once for all, and what was decided before in the same go."""

    tenant_id: UUID
    rows: dict[Path, Resource]
    people: Mapping[str, Person]
    logins: Mapping[UUID, str]
    touched: dict[Path, Entry]


def _known(tenant_id: UUID, wanted: Iterable[Wanted]) -> _Known:
    paths = {path for one in wanted for path in (*one.path.parents, one.path) if not unprintable(str(path))}
    rows = {path_of(row): row for row in _rows(tenant_id, sorted(paths, key=str))}
    sought = {login for one in wanted for named in _named(one.holding) if (login := looked_up(named))}
    held = {owner for row in rows.values() for owner in (row.dba_id, *row.owners) if owner}
    people = list(Person.objects.for_tenant(tenant_id).filter(Q(login__in=sought) | Q(id__in=held)))
    return _Known(tenant_id, rows, {one.login: one for one in people}, {one.id: one.login for one in people}, {})


# Index: resource_path.
_ROWS = """
SELECT r.* FROM unnest(%s::text[], %s::text[], %s::text[]) AS p(instance, database, "table")
JOIN directory_resource r ON (r.instance, r.database, r."table") = (p.instance, p.database, p."table")
WHERE r.tenant_id = %s
"""


def _rows(tenant_id: UUID, paths: Sequence[Path]) -> Iterable[Resource]:
    columns = [[getattr(path, level) for path in paths] for level in LEVELS]
    return Resource.objects.for_tenant(tenant_id).raw(_ROWS, [*columns, tenant_id])


def path_of(row: Resource) -> Path:
    return Path(row.instance, row.database, row.table)


def _named(holding: Holding) -> list[str]:
    return [*(holding.owners or ()), *([holding.dba] if holding.dba else [])]


def _decided(wanted: Sequence[Wanted], known: _Known) -> list[Put | Problem]:
    decided: list[Put | Problem] = []
    for one in wanted:
        try:
            decided.append(_decide(one, known))
        except Problem as problem:
            decided.append(problem)
    return decided


def _decide(one: Wanted, known: _Known) -> Put:
    """Raises 412, 422."""
    path, holding = one.path, one.holding
    _check_names(path)
    if holding.dba and path.level != "instance":
        text = "only an instance has one"
        raise invalid(f"A {path.level} has owners and no DBA: {text}.", [{"field": "dba", "problem": text}])
    row = known.rows.get(path)
    before = _shown(row, known) if row else None
    one.expected.check(before.version if before else 0, before and content(before))
    row = row or _row(known.tenant_id, path, version=0)
    _set(row, holding, before, known)
    for parent in path.parents:
        if parent not in known.rows:
            known.rows[parent] = made = _row(known.tenant_id, parent, version=1)
            _touch(known, parent, None, _shown(made, known))
    known.rows[path] = row
    after = _shown(row, known)
    if before is None or content(before) != content(after):
        row.version += 1
        after = _shown(row, known)
        _touch(known, path, before, after)
    return Put(before, after)


def _shown(row: Resource, known: _Known) -> Held:
    owners = tuple(known.logins[owner] for owner in row.owners if owner in known.logins)
    return Held(path_of(row), known.logins[row.dba_id] if row.dba_id else None, owners, row.version)


def _row(tenant_id: UUID, path: Path, *, version: int) -> Resource:
    return Resource(
        tenant_id=tenant_id, instance=path.instance, database=path.database, table=path.table, version=version
    )


def _touch(known: _Known, path: Path, before: Held | None, after: Held) -> None:
    was = content(before) if before else None
    known.touched[path] = Entry("change" if before else "create", str(path), was, content(after), ("directory",))


def _set(row: Resource, holding: Holding, before: Held | None, known: _Known) -> None:
    already = {*before.owners, before.dba} if before else set()
    ids = {named: person.id for named in _named(holding) if (person := _may_hold(named, already, known))}
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


def _may_hold(named: str, already: Iterable[str | None], known: _Known) -> Person | None:
    """Who has departed can stay a holder, and cannot become one."""
    person = known.people.get(looked_up(named))
    return person if person and (person.departed_at is None or person.login in already) else None


def _check_names(path: Path) -> None:
    text = f"must be 1 to {NAME_LENGTH} characters without /, line breaks and other control characters"
    wrong = [
        {"field": level, "problem": text}
        for level, name in zip(LEVELS, path.names, strict=False)
        if len(name) > NAME_LENGTH or "/" in name or name in (".", "..") or name.isspace() or unprintable(name)
    ]
    if wrong:
        raise invalid(f"This name cannot be used: it {text}.", wrong)


def _write(caller: Caller, known: _Known) -> None:
    Resource.objects.for_tenant(caller.tenant_id).bulk_create(
        [known.rows[path] for path in known.touched],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["dba", "owners", "version"],
    )
    by_level: dict[str, list[Entry]] = {}
    for path, entry in known.touched.items():
        by_level.setdefault(path.level, []).append(entry)
    for level, entries in by_level.items():
        record_changes(caller.tenant_id, caller.name, level, entries)
