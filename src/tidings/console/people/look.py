"""The people there are, found by filters that stand in the address, with what reaches each of them and what would."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import get_language, gettext

from tidings.accounts.models import SYSTEM_ROLES, Person
from tidings.channels.registry import CHANNELS
from tidings.console.changed import role_name
from tidings.console.page import Asked, page, show
from tidings.directory.members import members
from tidings.directory.ways import Ways, ways_of
from tidings.imports.export import people_sheet
from tidings.kernel.downloads import ROWS_AT_MOST, download
from tidings.kernel.pages import Part, page_of
from tidings.messages.explain import explain

PER_PAGE = 50
FOUND_AT_MOST = 12
COUNTED_AT_MOST = 1_000
STATES = ("", "active", "off", "left")


@dataclass(frozen=True, slots=True)
class Filters:
    """As they stand in the address. `state`: active, off or left; `reached`: yes or no."""

    q: str = ""
    role: str = ""
    state: str = ""
    reached: str = ""

    @property
    def any(self) -> bool:
        return bool(self.query)

    @property
    def query(self) -> str:
        return urlencode({name: value for name, value in asdict(self).items() if value})

    def found(self, request: Asked) -> QuerySet[Person]:
        return members(
            request.caller,
            q=self.q,
            role=self.role or None,
            active={"active": True, "off": False}.get(self.state),
            departed=self.state == "left",
            reachable={"yes": True, "no": False}.get(self.reached),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A person; `whys` say why what they chose leads nowhere, `could` names what would lead to them."""

    person: Person
    roles: list[str]
    by: list[str]
    whys: list[str]
    could: list[str]


@page("administrator")
def people(request: Asked) -> HttpResponse:
    filters = _filters(request)
    found = page_of(filters.found(request), Part(request.GET.get("cursor"), PER_PAGE), by="login")
    ways = ways_of(request.caller.tenant_id, found.rows)
    unreached = members(request.caller, active=True, reachable=False)[: COUNTED_AT_MOST + 1].count()
    context = {
        "filters": filters,
        "roles": [(role, role_name(role)) for role in SYSTEM_ROLES],
        "page": {
            "items": [row_of(person, ways[person.id]) for person in found.rows],
            "next_cursor": found.next_cursor,
        },
        "unreached": unreached,
        "counted": COUNTED_AT_MOST,
        "at_most": ROWS_AT_MOST,
    }
    return show(request, "console/people/people.html", context)


@page("administrator")
def people_csv(request: Asked) -> HttpResponse:
    """From the page on which one is, with its filters."""
    found = page_of(_filters(request).found(request), Part(request.GET.get("cursor"), ROWS_AT_MOST), by="login")
    return download(request, "people.csv", people_sheet(found.rows, for_excel=True), found.next_cursor)


@page("administrator", "dba")
def suggestions(request: Asked) -> HttpResponse:
    """Who may be meant by what is being typed, for a field that takes a login, whatever its name."""
    typed = str(next(iter(request.GET.values()), "")).replace("\0", "").strip()[:200]
    found = members(request.caller, search=typed).order_by("login")[:FOUND_AT_MOST] if typed else []
    return show(request, "console/people/_suggestions.html", {"people": found})


def row_of(person: Person, ways: Ways) -> Row:
    language = get_language() or "en"
    return Row(
        person,
        [role_name(role) for role in person.roles],
        [_channel(code) for code in ways.by],
        [
            gettext("%(channel)s: %(why)s") % {"channel": _channel(code), "why": explain(why, language).says}
            for code, why in ways.not_by
        ],
        [_channel(code) for code in ways.could],
    )


def _channel(code: str) -> str:
    """One that is not here any more is called by its code."""
    kind = CHANNELS.get(code)
    return kind.label.get(get_language() or "en", kind.label["en"]) if kind else code


def _filters(request: Asked) -> Filters:
    return Filters(**dict(_given(request)))


def _given(request: Asked) -> Iterator[tuple[str, str]]:
    possible = {"role": SYSTEM_ROLES, "state": STATES, "reached": ("yes", "no")}
    for name in Filters.__dataclass_fields__:
        value = request.GET.get(name, "").replace("\0", "").strip()[:200]
        if name == "q" or value in possible[name]:
            yield name, value
