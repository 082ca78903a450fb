"""Set several sources up at once, as a file has them: all of them or none, each change on record."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from tidings.accounts.issue import create_source
from tidings.accounts.models import Source
from tidings.accounts.permissions import Caller
from tidings.events.sources.set_up import ShownMapping, mapping_of, put_mapping
from tidings.events.sources.suppose import Supposed
from tidings.kernel.problems import Problem, invalid
from tidings.kernel.versions import Expected


@dataclass(frozen=True, slots=True)
class Applied:
    """`before` None: nobody had set it up; `new`: there was no such source."""

    name: str
    before: ShownMapping | None
    after: ShownMapping
    new: bool

    @property
    def differs(self) -> bool:
        return self.new or self.before != self.after


@transaction.atomic
def apply_sources(caller: Caller, wanted: Mapping[str, Supposed], *, dry_run: bool = False) -> list[Applied]:
    """What changed, or would; a source that is missing is made. Raises 403, and 422 with everything that is wrong with
    any of them, each field after the name of its source."""
    caller.require("administrator", to_write=not dry_run)
    applied: list[Applied] = []
    problems: list[dict[str, str]] = []
    for name, one in wanted.items():
        try:
            applied.append(_applied(caller, name, one))
        except Problem as problem:
            if problem.status != 422:
                raise
            errors = problem.errors or [{"field": "", "problem": problem.detail}]
            problems += [
                {"field": f"{name}: {each['field']}".rstrip(": "), "problem": str(each["problem"])} for each in errors
            ]
    if problems:
        raise invalid("These sources cannot be set up so; nothing was changed.", problems)
    if dry_run:
        transaction.set_rollback(True)
    return [one for one in applied if one.differs]


def _applied(caller: Caller, name: str, one: Supposed) -> Applied:
    new = not Source.objects.for_tenant(caller.tenant_id).filter(name=name).exists()
    if new:
        create_source(caller, name)
    before = mapping_of(caller, name)
    same = before.version > 0 and one.adapter in (None, before.adapter)
    if one.adapter is None and not same:
        raise invalid("Say which adapter.", [{"field": "adapter", "problem": "is missing, and none is stored"}])
    rows = one.rows if one.rows is not None else before.rows if same else []
    after = put_mapping(caller, name, one.adapter or before.adapter, rows, one.ignored_people, one.options, Expected())
    return Applied(name, before if before.version else None, after, new)
