"""A row about an instance, a database or a table: who answers for it."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from tidings.accounts.models import Person
from tidings.accounts.permissions import Caller
from tidings.accounts.tenants import lock_tenant
from tidings.directory.assign import Holding, Put, Wanted, judge_holders, put_all_holders
from tidings.directory.holders import KEEPERS, LEVELS, Path, content
from tidings.imports.kinds import Cells, Kind, Verdict, refused, verdict, words
from tidings.kernel.problems import Problem, invalid

COLUMNS = (*LEVELS, "dba", "owners")
_MAY_BE_IN_LOGINS = ",;，；|"


def judge(caller: Caller, rows: Sequence[Cells]) -> list[Verdict]:
    read = _read_all(caller.tenant_id, rows)
    return _verdicts(read, judge_holders(caller, [one for one in read if isinstance(one, Wanted)]))


def put(caller: Caller, rows: Sequence[Cells]) -> list[Verdict]:
    read = _read_all(caller.tenant_id, rows)
    return _verdicts(read, put_all_holders(caller, [one for one in read if isinstance(one, Wanted)]))


def path_in(cells: Cells) -> Path:
    return Path(*(cells.get(level, "") for level in LEVELS))


def _verdicts(read: Sequence[Wanted | Problem], puts: Sequence[Put | Problem]) -> list[Verdict]:
    following = iter(puts)
    return [refused(row) if isinstance(row, Problem) else _verdict(next(following)) for row in read]


def _verdict(done: Put | Problem) -> Verdict:
    if isinstance(done, Problem):
        return refused(done)
    return verdict(content(done.before) if done.before else None, content(done.after))


def _read_all(tenant_id: UUID, rows: Sequence[Cells]) -> list[Wanted | Problem]:
    """Logins may hold what people separate them by: then it counts as a separator unless somebody is called so."""
    doubtful = {
        word
        for cells in rows
        for word in words(cells.get("owners", ""), "、")
        if any(letter in _MAY_BE_IN_LOGINS for letter in word)
    }
    people = Person.objects.for_tenant(tenant_id).filter(login__in=doubtful).values_list("login", flat=True)
    logins = set(people) if doubtful else set()
    return [_read(cells, logins) for cells in rows]


def _read(cells: Cells, logins: set[str]) -> Wanted | Problem:
    path = path_in(cells)
    if not path.instance or (path.table and not path.database):
        missing = "database" if path.instance else "instance"
        return invalid(f"{missing} is missing.", [{"field": missing, "problem": "is missing"}])
    owners = None
    if "owners" in cells:
        owners = [one for word in words(cells["owners"], "、") for one in ([word] if word in logins else words(word))]
    dba = cells.get("dba")
    if dba == "" and path.level != "instance":
        dba = None
    return Wanted(path, Holding(dba, owners))


def _once(cells: Cells) -> Mapping[str, str]:
    return {"instance": str(path_in(cells))}


RESOURCES = Kind(
    columns=COLUMNS,
    needs=("instance",),
    roles=KEEPERS,
    key=lambda cells: str(path_in(cells)),
    once=_once,
    depth=lambda cells: len(path_in(cells).names),
    lock=lambda tenant_id, _rows: lock_tenant(tenant_id),
    judge=judge,
    put=put,
)
