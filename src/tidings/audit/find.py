"""Look through the record of changes, and take it along."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from tidings.accounts.permissions import Caller
from tidings.audit.models import Change
from tidings.kernel.ids import first_at, made_at
from tidings.kernel.sheets import write_sheet

COLUMNS = ("id", "at", "actor", "action", "kind", "key", "before", "after")


@dataclass(frozen=True, slots=True)
class Which:
    """None asks for all. `key` is what was changed: a login, an event type, a path, a channel ..."""

    kind: str | None = None
    key: str | None = None
    actor: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def changes(caller: Caller, which: Which) -> QuerySet[Change]:
    """Their ids are in the order they were made. Raises 403."""
    caller.require("administrator", to_write=False)
    same = {name: value for name in ("kind", "key", "actor", "action") if (value := getattr(which, name)) is not None}
    found = Change.objects.for_tenant(caller.tenant_id).filter(**same)
    if which.since:
        found = found.filter(id__gte=first_at(which.since))
    return found.filter(id__lt=first_at(which.until)) if which.until else found


def as_sheet(found: Iterable[Change], *, for_excel: bool = False) -> bytes:
    """`before` and `after` are JSON."""
    return write_sheet(COLUMNS, _rows(found), for_excel=for_excel)


def as_lines(found: Iterable[Change]) -> bytes:
    """NDJSON: one change a line."""
    return b"".join(_json(described(change)).encode() + b"\n" for change in found)


def described(change: Change) -> dict[str, Any]:
    return {
        "id": str(change.id),
        "at": made_at(change.id).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "actor": change.actor,
        "action": change.action,
        "kind": change.kind,
        "key": change.key,
        "before": change.before,
        "after": change.after,
    }


def _rows(found: Iterable[Change]) -> Iterator[list[str]]:
    for change in found:
        told = described(change)
        yield [told[name] if isinstance(told[name], str) else _json(told[name]) for name in COLUMNS]


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)
