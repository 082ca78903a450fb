"""People and resources as a file, in the columns in which they can be handed in again."""

from collections.abc import Iterable, Iterator

from tidings.accounts.models import Person
from tidings.channels.registry import CHANNELS
from tidings.directory.holders import Held
from tidings.imports import people, resources
from tidings.kernel.sheets import write_sheet


def people_sheet(found: Iterable[Person], *, for_excel: bool = False) -> bytes:
    return write_sheet(people.COLUMNS, map(_person, found), for_excel=for_excel)


def resources_sheet(found: Iterable[Held], *, for_excel: bool = False) -> bytes:
    return write_sheet(resources.COLUMNS, _resources(found), for_excel=for_excel)


def _person(one: Person) -> tuple[str, ...]:
    methods = " ".join(method for method in one.methods if method in CHANNELS)
    said = (one.login, one.name, one.email, one.mobile, one.external_id)
    return (*said, " ".join(one.roles), methods, one.language, one.timezone, "true" if one.active else "false")


def _resources(found: Iterable[Held]) -> Iterator[tuple[str, ...]]:
    for one in found:
        path = one.path
        yield path.instance, path.database, path.table, one.dba or "", " ".join(one.owners)
