"""A row about a person: what an administrator says of them, and the methods they are told by."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from tidings.accounts.permissions import Caller
from tidings.channels.registry import CHANNELS
from tidings.directory.enrol import Put, Wanted, judge_members, lock_members, problems_with, put_members
from tidings.directory.profile import Profile
from tidings.imports.kinds import Cells, Kind, Verdict, refused, verdict, words
from tidings.kernel.problems import Problem, invalid
from tidings.preferences.methods import choose_methods
from tidings.preferences.shape import checked_methods

COLUMNS = (
    "login",
    "name",
    "email",
    "mobile",
    "external_id",
    "roles",
    "methods",
    "language",
    "timezone",
    "active",
)
_TEXTS = ("name", "email", "mobile", "external_id", "language", "timezone")
_YES, _NO = frozenset({"true", "yes", "1", "on", "是"}), frozenset({"false", "no", "0", "off", "否"})


@dataclass(frozen=True, slots=True)
class _Row:
    wanted: Wanted
    methods: tuple[str, ...] | None


def judge(caller: Caller, rows: Sequence[Cells]) -> list[Verdict]:
    read = [_read(cells) for cells in rows]
    puts = judge_members(caller, [one.wanted for one in read if isinstance(one, _Row)])
    return _verdicts(read, puts)


@transaction.atomic
def put(caller: Caller, rows: Sequence[Cells]) -> list[Verdict]:
    read = [_read(cells) for cells in rows]
    readable = [one for one in read if isinstance(one, _Row)]
    puts = put_members(caller, [one.wanted for one in readable])
    verdicts = _verdicts(read, puts)
    chosen = [
        (done.person, row.methods)
        for row, done in zip(readable, puts, strict=True)
        if isinstance(done, Put) and row.methods is not None
    ]
    choose_methods(caller, chosen)
    return verdicts


def _verdicts(read: Sequence[_Row | Problem], puts: Sequence[Put | Problem]) -> list[Verdict]:
    following = iter(puts)
    return [refused(row) if isinstance(row, Problem) else _verdict(row, next(following)) for row in read]


def _verdict(row: _Row, done: Put | Problem) -> Verdict:
    if isinstance(done, Problem):
        return refused(done)
    had = [method for method in done.person.methods if method in CHANNELS]
    methods = had if row.methods is None else list(row.methods)
    before = None if done.before is None else {**done.before, "methods": had}
    return verdict(before, {**done.after, "methods": methods})


def _read(cells: Cells) -> _Row | Problem:
    """Of a row that cannot be read, everything that is wrong with it."""
    given: dict[str, Any] = {part: cells[part] for part in _TEXTS if part in cells}
    if "roles" in cells:
        given["roles"] = words(cells["roles"].lower())
    methods: tuple[str, ...] | None = None
    errors: list[Mapping[str, Any]] = []
    try:
        if cells.get("active"):
            given["active"] = _active(cells["active"])
    except Problem as problem:
        errors += problem.errors
    try:
        if "methods" in cells:
            methods = checked_methods(words(cells["methods"].lower()))
    except Problem as problem:
        errors += problem.errors
    wanted = Wanted(cells["login"], Profile(**given))
    if not errors:
        return _Row(wanted, methods)
    return invalid("This row cannot be used: see errors.", [*problems_with(wanted), *errors])


def _active(cell: str) -> bool:
    if (said := cell.lower()) in _YES | _NO:
        return said in _YES
    raise invalid("active must be true or false.", [{"field": "active", "problem": "must be true or false"}])


def _once(cells: Cells) -> Mapping[str, str]:
    """As far as can be said without looking at each closely; what only looks different is found when it is put."""
    login = unicodedata.normalize("NFC", cells["login"])
    mobile = "".join(letter for letter in cells.get("mobile", "") if letter in "+0123456789")
    said = {"login": login, "email": cells.get("email", "").lower(), "mobile": mobile}
    return {**said, "external_id": cells.get("external_id", "")}


def _lock(tenant_id: UUID, rows: Sequence[Cells]) -> object:
    return lock_members(tenant_id, [cells["login"] for cells in rows])


PEOPLE = Kind(
    columns=COLUMNS,
    needs=("login",),
    roles=("administrator",),
    key=lambda cells: cells["login"],
    once=_once,
    depth=lambda _cells: 0,
    lock=_lock,
    judge=judge,
    put=put,
)
