"""Look at the next rows of an import, or put them: some at a time, so that nothing is busy for long, and whoever asks
sees how far it is. Nothing but the database remembers, so any node can go on."""

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from tidings.accounts.permissions import Caller
from tidings.audit.record import record_change
from tidings.imports.begin import OF, cells_of
from tidings.imports.find import import_of, rows_of
from tidings.imports.kinds import Cells, Verdict
from tidings.imports.models import Import, Row
from tidings.kernel.ids import child_of
from tidings.kernel.problems import Problem

SLICES = {"checking": 200, "applying": 100}
"""Rows a call: a tenth of a second or two. Fewer would have every node read the directory again more often."""
_LEFT = {
    "field": "",
    "problem": "was left as it is: it changed after it had been checked. Check again",
    "code": "changed_meanwhile",
}


@transaction.atomic
def go_on(caller: Caller, import_id: UUID) -> Import:
    """One step; when there is none, it is as it was. Raises 403, 404."""
    one = _locked(caller, import_id)
    if one.state in ("checked", "applied"):
        return one
    first, last = child_of(one.id, one.done + 1), child_of(one.id, one.done + SLICES[one.state])
    rows = list(rows_of(one).filter(id__gte=first, id__lte=last).order_by("id"))
    if one.state == "checking":
        _check(caller, one, rows)
    else:
        _apply(caller, one, rows)
    fields = ["fate", "outcome", "changes", "problems"]
    Row.objects.for_tenant(one.tenant_id).bulk_create(
        rows, update_conflicts=True, unique_fields=["id"], update_fields=fields
    )
    one.counts = dict(_counted(one, rows) + Counter(one.counts))
    one.done += len(rows)
    if one.done >= one.rows:
        one.state = "checked" if one.state == "checking" else "applied"
    one.save(update_fields=["counts", "done", "state", "changed_at"])
    return one


@transaction.atomic
def apply_import(caller: Caller, import_id: UUID) -> Import:
    """From now on `go_on` puts what was shown. Raises 403, 404, and 409 `not_checked` before all was shown."""
    one = _locked(caller, import_id)
    if one.state == "checking":
        raise Problem(409, "not_checked", "It is not known yet what this would change: go on checking first.")
    if one.state == "checked":
        told = {"name": one.name, "of": one.kind, **one.counts}
        record_change(one.tenant_id, caller.name, "apply", "import", str(one.id), before=None, after=told, stale=())
        return _start(one, "applying", one.counts)
    return one


@transaction.atomic
def check_again(caller: Caller, import_id: UUID) -> Import:
    """All of it from the start, as the directory is now. Raises 403, 404, and 409 `applying` while it is put."""
    one = _locked(caller, import_id)
    if one.state == "applying":
        raise Problem(409, "applying", "This is being put just now: go on to its end first.")
    rows_of(one).filter(unusable=False).update(fate="", outcome="", changes={}, problems=[])
    return _start(one, "checking", {})


@transaction.atomic
def discard_import(caller: Caller, import_id: UUID) -> None:
    """What it put stays. Raises 403, 404."""
    one = _locked(caller, import_id)
    rows_of(one).delete()
    one.delete()


def _locked(caller: Caller, import_id: UUID) -> Import:
    """One step at a time, whoever asks."""
    one = import_of(caller, import_id)
    caller.require(*OF[one.kind].roles)
    return Import.objects.for_tenant(caller.tenant_id).select_for_update().get(id=one.id)


def _start(one: Import, state: str, counts: dict[str, int]) -> Import:
    one.state, one.done, one.counts = state, 0, counts
    one.save(update_fields=["state", "done", "counts", "changed_at"])
    return one


def _check(caller: Caller, one: Import, rows: Iterable[Row]) -> None:
    usable = [row for row in rows if not row.unusable]
    for row, verdict in zip(usable, OF[one.kind].judge(caller, _cells(one, usable)), strict=True):
        _take(row, verdict)


def _apply(caller: Caller, one: Import, rows: Iterable[Row]) -> None:
    """What was shown, and nothing else: what would be another change by now is left as it is."""
    kind, shown = OF[one.kind], [row for row in rows if row.fate in ("new", "changed") and not row.outcome]
    kind.lock(one.tenant_id, _cells(one, shown))
    same: list[Row] = []
    for row, verdict in zip(shown, kind.judge(caller, _cells(one, shown)), strict=True):
        if verdict.fate == row.fate and verdict.changes == row.changes:
            same.append(row)
        else:
            row.outcome, row.problems = "left", [*verdict.problems] or [_LEFT]
    for row, verdict in zip(same, kind.put(caller, _cells(one, same)), strict=True):
        row.outcome, row.problems = ("left" if verdict.fate == "refused" else "applied"), [*verdict.problems]


def _cells(one: Import, rows: Iterable[Row]) -> list[Cells]:
    needed = dict.fromkeys(OF[one.kind].needs, "")
    return [{**needed, **cells_of(one.columns, row.cells)} for row in rows]


def _take(row: Row, verdict: Verdict) -> None:
    row.fate, row.changes, row.problems = verdict.fate, dict(verdict.changes), [*verdict.problems]


def _counted(one: Import, rows: Iterable[Row]) -> Counter[str]:
    said = [row.fate if one.state == "checking" else row.outcome for row in rows]
    return Counter(each for each in said if each)
