"""What can be imported, and what a row of it means."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from tidings.kernel.problems import Problem

Cells = Mapping[str, str]
"""Of one row, by column. What is not there is left as it is; an empty one clears."""
Fate = Literal["new", "changed", "unchanged", "refused"]
Changes = Mapping[str, Sequence[Any]]
"""{field: [before, after]}; before is None for what is new."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a row would bring about, or did."""

    fate: Fate
    changes: Changes = field(default_factory=dict)
    problems: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """`roles` may do it. `key` says what a row is about; `once` what may stand in one row of a file only, by column;
    `depth` puts what others lie in before them. `judge` and `put` answer for each row; a row that cannot be put leaves
    the others alone. `lock` holds still what both depend on until the transaction ends."""

    columns: tuple[str, ...]
    needs: tuple[str, ...]
    roles: tuple[str, ...]
    key: Callable[[Cells], str]
    once: Callable[[Cells], Mapping[str, str]]
    depth: Callable[[Cells], int]
    lock: Callable[[UUID, Sequence[Cells]], object]
    judge: Callable[[Any, Sequence[Cells]], list[Verdict]]
    put: Callable[[Any, Sequence[Cells]], list[Verdict]]


def verdict(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Verdict:
    """Of what is new, what it has."""
    if before is None:
        return Verdict("new", {name: [None, value] for name, value in after.items() if value})
    changes = {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}
    return Verdict("changed" if changes else "unchanged", changes)


def refused(problem: Problem) -> Verdict:
    return Verdict("refused", problems=problems_of(problem))


def problems_of(problem: Problem) -> list[dict[str, Any]]:
    told = [{"field": str(one.get("field", "")), "problem": str(one["problem"])} for one in problem.errors]
    return told or [{"field": "", "problem": problem.detail, "code": problem.code}]


def words(cell: str, separators: str = ",;，；、|") -> list[str]:
    """Of a cell that lists some, separated by spaces or one of these."""
    return [word for word in re.split(rf"[\s{re.escape(separators)}]+", cell) if word]
