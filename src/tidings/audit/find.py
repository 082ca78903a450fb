"""Look through the record of changes, and take it along."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db.models import QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce

from tidings.accounts.permissions import Caller
from tidings.audit.models import Change
from tidings.kernel.ids import first_at, made_at
from tidings.kernel.sheets import write_sheet

COLUMNS = ("id", "at", "actor", "action", "kind", "key", "before", "after", "address")


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


def for_a_file(found: QuerySet[Change]) -> QuerySet[Change]:
    """`before` and `after` as the text they are kept as: to read and write the JSON of 10,000 changes takes longer
    than all else."""
    texts = {
        f"{part}_text": Coalesce(Cast(part, TextField()), Value(""), output_field=TextField())
        for part in ("before", "after")
    }
    return found.defer("before", "after").annotate(**texts)


def as_sheet(found: Iterable[Change], *, for_excel: bool = False) -> bytes:
    """Of changes `for_a_file`; `before` and `after` are JSON."""
    rows = ((*_said(change), *_texts(change), change.address) for change in found)
    return write_sheet(COLUMNS, rows, for_excel=for_excel)


def as_lines(found: Iterable[Change]) -> bytes:
    """Of changes `for_a_file`: NDJSON, one a line."""
    return b"".join(msgspec.json.encode(_line(change)) + b"\n" for change in found)


def described(change: Change) -> dict[str, Any]:
    return dict(zip(COLUMNS, (*_said(change), change.before, change.after, change.address), strict=True))


def _said(change: Change) -> tuple[str, ...]:
    at = made_at(change.id).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(change.id), at, change.actor, change.action, change.kind, change.key


def _texts(change: Change) -> list[str]:
    return [getattr(change, f"{part}_text") for part in ("before", "after")]


def _line(change: Change) -> dict[str, Any]:
    raw = [msgspec.Raw(text.encode() or b"null") for text in _texts(change)]
    return dict(zip(COLUMNS, (*_said(change), *raw, change.address), strict=True))
