"""What a source might be set up with, to be tried before it is saved: checked as strictly, and nothing is changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidings.accounts.permissions import Caller
from tidings.channels.check import check_values
from tidings.events.models import Intake
from tidings.events.sources.contract import Adapter
from tidings.events.sources.park import SetUp
from tidings.events.sources.registry import ADAPTERS
from tidings.events.sources.rows import read_rows
from tidings.events.sources.set_up import adapter_of, rows_for, source_of


@dataclass(frozen=True, slots=True)
class Supposed:
    """None: as it is stored."""

    adapter: str | None = None
    rows: Sequence[Mapping[str, Any]] | None = None
    options: Mapping[str, Any] | None = None
    ignored_people: Sequence[str] | None = None


def suppose(caller: Caller, name: str, supposed: Supposed) -> tuple[Adapter, SetUp]:
    """As the source would be set up with this. Raises 403, 404, and 422 for what could not be saved."""
    caller.require("administrator", to_write=False)
    source = source_of(caller, name)
    return _in_place_of(
        Intake.objects.for_tenant(caller.tenant_id).filter(source_id=source.id).first(), caller, supposed
    )


def suppose_new(caller: Caller, supposed: Supposed) -> tuple[Adapter, SetUp]:
    """As a source that nobody has set up yet. Raises 403, 422."""
    caller.require("administrator", to_write=False)
    return _in_place_of(None, caller, supposed)


def _in_place_of(intake: Intake | None, caller: Caller, supposed: Supposed) -> tuple[Adapter, SetUp]:
    kind = adapter_of(supposed.adapter or (intake.adapter if intake else "") or next(iter(ADAPTERS)))
    mine = intake if intake and intake.adapter == kind.code else None
    kept = mine.options if mine else {}
    if supposed.rows is None:
        rows = read_rows(kind.code, mine.mapping) if mine else []
    else:
        rows = rows_for(caller, kind, supposed.rows)
    options = kept if supposed.options is None else check_values(kind.options, supposed.options, kept)
    ignored = (intake.ignored_people if intake else []) if supposed.ignored_people is None else supposed.ignored_people
    return kind, SetUp(kind.code, rows, options, frozenset(ignored))
