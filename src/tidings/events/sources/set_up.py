"""Set a source up for another system's own payloads: rows of its own for the mapping, a key that signs; and see what
could not be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from tidings.accounts.models import Source
from tidings.accounts.permissions import Caller
from tidings.audit.record import record_change
from tidings.catalog.extend import catalog_of
from tidings.catalog.features import SYSTEM_FEATURE
from tidings.channels.check import MASK, check_values, masked
from tidings.channels.contract import Field, Values
from tidings.events.models import Intake, Parked
from tidings.events.sources.contract import Adapter
from tidings.events.sources.mapping import Row
from tidings.events.sources.registry import ADAPTERS
from tidings.events.sources.rows import ROWS_AT_MOST, checked_rows, read_rows, write_row
from tidings.kernel.problems import invalid, not_found
from tidings.kernel.secrets import seal
from tidings.kernel.versions import Expected

SECRET_LENGTH = 500


@dataclass(frozen=True, slots=True)
class ShownMapping:
    """A source's own rows, and those of the adapter after them; what it says of the system, by the names of `fields`;
    whom its payloads name though they are nobody here. Version 0: nobody has set it up yet."""

    adapter: str
    parts: tuple[str, ...]
    rows: list[dict[str, Any]]
    fields: tuple[Field, ...]
    options: Values
    ignored_people: list[str]
    built_in: list[dict[str, Any]]
    version: int


def mapping_of(caller: Caller, name: str, adapter: str | None = None) -> ShownMapping:
    """Of the adapter it is set up for, or the one that is asked for. Raises 403, 404, 422."""
    caller.require("administrator", to_write=False)
    source = source_of(caller, name)
    intake = Intake.objects.for_tenant(caller.tenant_id).filter(source_id=source.id).first()
    return _shown(intake, adapter_of(adapter or (intake.adapter if intake else "") or next(iter(ADAPTERS))))


@transaction.atomic
def put_mapping(
    caller: Caller,
    name: str,
    adapter: str,
    rows: Sequence[Mapping[str, Any]],
    ignored_people: Sequence[str] | None,
    options: Mapping[str, Any] | None,
    expected: Expected,
) -> ShownMapping:
    """All of the source's own rows; `ignored_people` or `options` None: they stay. It holds for every push after this
    is answered. Raises 403, 404, 409, 412, 422."""
    caller.require("administrator")
    source, kind = source_of(caller, name), adapter_of(adapter)
    checked = rows_for(caller, kind, rows)
    intake = _locked(source)
    before = _shown(intake, adapter_of(intake.adapter or adapter))
    expected.check(before.version, {**_content(before), "version": before.version})
    written = [write_row(kind.mapping.parts, row) for row in checked]
    ignored = before.ignored_people if ignored_people is None else sorted(set(ignored_people))
    kept = intake.options if intake.adapter == adapter else {}
    said = check_values(kind.options, kept if options is None else options, kept)
    if (intake.adapter, intake.mapping, intake.options, intake.ignored_people) == (adapter, written, said, ignored):
        return before
    intake.adapter, intake.mapping, intake.options, intake.ignored_people = adapter, written, said, ignored
    intake.version += 1
    Intake.objects.for_tenant(caller.tenant_id).bulk_update(
        [intake], ["adapter", "mapping", "options", "ignored_people", "version"]
    )
    after = _shown(intake, kind)
    _record(caller, name, _content(before), _content(after))
    return after


@transaction.atomic
def choose_adapter(caller: Caller, name: str, adapter: str) -> None:
    """Whose words the source speaks; empty: Tidings' own. What it said of another system, words and options, goes; its
    key and whom it names stay. Raises 403, 404, 422."""
    caller.require("administrator")
    source = source_of(caller, name)
    if adapter:
        adapter_of(adapter)
    intake = _locked(source)
    if intake.adapter == adapter:
        return
    before = {"adapter": intake.adapter, "rows": list(intake.mapping), "options": dict(intake.options)}
    intake.adapter, intake.mapping, intake.options = adapter, [], {}
    intake.version += 1
    Intake.objects.for_tenant(caller.tenant_id).bulk_update([intake], ["adapter", "mapping", "options", "version"])
    _record(caller, name, before, {"adapter": adapter, "rows": [], "options": {}})


def has_secret(caller: Caller, name: str) -> bool:
    """Raises 403, 404."""
    caller.require("administrator", to_write=False)
    source = source_of(caller, name)
    return Intake.objects.for_tenant(caller.tenant_id).filter(source_id=source.id, sealed__isnull=False).exists()


@transaction.atomic
def put_secret(caller: Caller, name: str, secret: str | None) -> None:
    """With one, what is not signed with it is refused; None ends that, a masked one keeps it. Raises 403, 404, 422."""
    caller.require("administrator")
    source = source_of(caller, name)
    if secret == MASK and has_secret(caller, name):
        return
    if secret == MASK:
        problem = "is masked, and nothing is stored to keep; give the secret itself, or null"
        raise invalid(f"This secret {problem}.", [{"field": "secret", "problem": problem}])
    if secret is not None and not (0 < len(secret) <= SECRET_LENGTH and secret.isprintable()):
        problem = f"must have 1 to {SECRET_LENGTH} characters, all of them visible; null takes it away"
        raise invalid(f"A source's secret {problem}.", [{"field": "secret", "problem": problem}])
    intake = _locked(source)
    before, intake.sealed = intake.sealed is not None, None if secret is None else seal({"secret": secret})
    Intake.objects.for_tenant(caller.tenant_id).bulk_update([intake], ["sealed"])
    record_change(
        caller.tenant_id,
        caller.name,
        "change",
        "source_secret",
        name,
        before={"set": before},
        after={"set": secret is not None},
        stale=("access",),
    )


def parked_of(caller: Caller, name: str, *, resolved: bool = False) -> QuerySet[Parked]:
    """What waits, or what was read in the end. Raises 403, 404. Index: parked_waiting; parked_once for the others."""
    caller.require("administrator", to_write=False)
    source = source_of(caller, name)
    return Parked.objects.for_tenant(caller.tenant_id).filter(source=source.name, resolved_at__isnull=not resolved)


def rows_for(caller: Caller, kind: Adapter, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Rows as people write them, checked. Raises 422."""
    if len(rows) > ROWS_AT_MOST:
        raise invalid(f"A source may have {ROWS_AT_MOST} rows of its own.", code="too_many_rows")
    checked, problems = checked_rows(kind.mapping.parts, rows)
    catalog = catalog_of(caller.tenant_id)
    for number, row in enumerate(checked):
        known = None if row.type is None else catalog.event_types.get(row.type)
        if row.type is not None and (known is None or known.feature == SYSTEM_FEATURE):
            nearest = " or ".join(catalog.nearest(row.type)) or "one that GET /api/v1/catalog lists"
            text = f"{row.type} is Tidings' own" if known else f"there is no {row.type}; did you mean {nearest}?"
            problems.append({"field": f"rows.{number}.type", "problem": text})
    if problems:
        raise invalid("This mapping does not fit: see errors.", problems)
    return checked


def _shown(intake: Intake | None, kind: Adapter) -> ShownMapping:
    parts = kind.mapping.parts
    mine = intake if intake and intake.adapter == kind.code else None
    return ShownMapping(
        kind.code,
        parts,
        [write_row(parts, row) for row in (read_rows(kind.code, mine.mapping) if mine else ())],
        kind.options,
        masked(kind.options, mine.options if mine else {}),
        list(intake.ignored_people) if intake else [],
        [write_row(parts, row) for row in kind.mapping.rows],
        intake.version if intake else 0,
    )


def _record(caller: Caller, name: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    record_change(caller.tenant_id, caller.name, "change", "mapping", name, before=before, after=after, stale=())


def _content(shown: ShownMapping) -> dict[str, Any]:
    return {
        "adapter": shown.adapter,
        "rows": shown.rows,
        "options": shown.options,
        "ignored_people": shown.ignored_people,
    }


def _locked(source: Source) -> Intake:
    """Of two who are the first to set a source up, the second waits here for the first."""
    new = Intake(
        source_id=source.id,
        tenant_id=source.tenant_id,
        adapter="",
        mapping=[],
        options={},
        ignored_people=[],
        version=0,
    )
    rows = Intake.objects.for_tenant(source.tenant_id)
    rows.bulk_create([new], ignore_conflicts=True)
    return rows.select_for_update().get(source_id=source.id)


def adapter_of(code: str) -> Adapter:
    """Raises 422."""
    if code not in ADAPTERS:
        problem = f"is not known here; the adapters are: {', '.join(ADAPTERS)}"
        raise invalid(f"There is no adapter {code!r}.", [{"field": "adapter", "problem": problem}])
    return ADAPTERS[code]


def source_of(caller: Caller, name: str) -> Source:
    """Raises 404."""
    # PostgreSQL cannot even be asked for U+0000.
    found = Source.objects.for_tenant(caller.tenant_id).filter(name=name).first() if name.isprintable() else None
    if found is None:
        raise not_found("source")
    return found
