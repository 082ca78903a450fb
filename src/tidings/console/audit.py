"""The record of changes: who, when, what, from what to what; found by filters that stand in the address, and taken
along as a file."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as text

from tidings.accounts.models import Person
from tidings.audit.find import Which, as_lines, as_sheet, changes, for_a_file
from tidings.audit.models import Change
from tidings.channels.field_words import in_language
from tidings.channels.registry import CHANNELS
from tidings.console.changed import Line, difference
from tidings.console.page import Asked, page, show
from tidings.kernel.downloads import ROWS_AT_MOST, download
from tidings.kernel.ids import made_at
from tidings.kernel.pages import Part, page_of
from tidings.kernel.sheets import CONTENT_TYPE

PER_PAGE = 50
LINES_AT_MOST = 12
NDJSON = "application/x-ndjson"
KINDS: Mapping[str, str | Promise] = {
    "user": text("Person"),
    "notification_settings": text("Notification settings"),
    "rule": text("Rule"),
    "channel": text("Channel"),
    "instance": text("Instance"),
    "database": text("Database"),
    "table": text("Table"),
    "import": text("Import"),
    "source": text("Source"),
    "source_secret": text("Secret of a source"),
    "token": text("Token"),
    "feature": text("Feature"),
    "event": text("Event"),
    "delivery": text("Delivery"),
    "deliveries": text("Deliveries"),
    "tenant": text("Organisation"),
    "mapping": text("Mapping"),
    "secrets": text("Sealed secrets"),
}
ACTIONS: Mapping[str, str | Promise] = {
    "create": text("created"),
    "change": text("changed"),
    "delete": text("deleted"),
    "depart": text("seen off"),
    "switch": text("switched"),
    "apply": text("applied from a file"),
    "follow": text("follows the catalogue"),
    "configure": text("set up"),
    "set": text("set"),
    "revoke": text("ended"),
    "invite": text("invited"),
    "sign_in": text("may sign in"),
    "send_code": text("asked for a code"),
    "verify": text("confirmed an address"),
    "lock_address": text("address locked after wrong codes"),
    "unsubscribe": text("stopped a method by the link in a message"),
    "retry": text("sent again"),
    "rotate": text("sealed under a new key"),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """As they stand in the address; days are those of whoever reads."""

    kind: str = ""
    key: str = ""
    actor: str = ""
    action: str = ""
    since: str = ""
    until: str = ""

    @property
    def any(self) -> bool:
        return bool(self.query)

    @property
    def query(self) -> str:
        return urlencode({name: value for name, value in asdict(self).items() if value})

    def which(self) -> Which:
        return Which(
            self.kind or None,
            self.key or None,
            self.actor or None,
            self.action or None,
            _midnight(self.since),
            _midnight(self.until, days=1),
        )


@dataclass(frozen=True, slots=True)
class Told:
    """A change in words; `more` lines are not shown."""

    change: Change
    at: datetime
    name: str
    kind: str | Promise
    action: str | Promise
    lines: list[Line]
    more: int


@page("administrator")
def audit(request: Asked) -> HttpResponse:
    filters = _filters(request)
    part = Part(request.GET.get("cursor"), PER_PAGE)
    found = page_of(changes(request.caller, filters.which()), part)
    names = _names(request, found.rows)
    context = {
        "filters": filters,
        "kinds": KINDS.items(),
        "actions": ACTIONS.items(),
        "page": {"items": [_told(change, names) for change in found.rows], "next_cursor": found.next_cursor},
        "at_most": ROWS_AT_MOST,
    }
    return show(request, "console/audit/audit.html", context)


def _file(name: str, content_type: str, write: Callable[[Iterable[Change]], bytes]) -> Callable[..., HttpResponse]:
    @page("administrator")
    def view(request: Asked) -> HttpResponse:
        """From the page on which one is, with its filters."""
        part = Part(request.GET.get("cursor"), ROWS_AT_MOST)
        found = page_of(for_a_file(changes(request.caller, _filters(request).which())), part)
        return download(request, name, write(found.rows), found.next_cursor, content_type)

    return view


def _filters(request: Asked) -> Filters:
    return Filters(**{name: _given(request, name) for name in Filters.__dataclass_fields__})


def _given(request: Asked, name: str) -> str:
    given = request.GET.get(name, "").replace("\0", "").strip()[:640]
    return given if name not in ("since", "until") or _midnight(given) else ""


def _midnight(day: str, *, days: int = 0) -> datetime | None:
    """Where the reader is; days that nothing can have happened on say nothing."""
    try:
        found = parse_date(day)
        if found is None or not 1970 < found.year < 9999:
            return None
    except ValueError:
        return None
    return timezone.make_aware(datetime.combine(found + timedelta(days=days), time.min))


def _names(request: Asked, found: Iterable[Change]) -> Mapping[str, str]:
    people = Person.objects.for_tenant(request.caller.tenant_id).filter(login__in={each.actor for each in found})
    return dict(people.values_list("login", "name"))


def _told(change: Change, names: Mapping[str, str]) -> Told:
    lines = difference(change.before, change.after, _settings(change.key) if change.kind == "channel" else {})
    return Told(
        change,
        made_at(change.id),
        names.get(change.actor, ""),
        KINDS.get(change.kind, change.kind.replace("_", " ")),
        ACTIONS.get(change.action, change.action.replace("_", " ")),
        lines[:LINES_AT_MOST],
        max(len(lines) - LINES_AT_MOST, 0),
    )


def _settings(channel: str) -> Mapping[str, str]:
    """What its fields are called."""
    kind = CHANNELS.get(channel)
    language = get_language() or "en"
    return {each.name: in_language(each.words.label, language) for each in kind.settings} if kind else {}


def _for_excel(found: Iterable[Change]) -> bytes:
    return as_sheet(found, for_excel=True)


urlpatterns = [
    path("audit", audit, name="audit"),
    path("audit/changes.csv", _file("changes.csv", CONTENT_TYPE, _for_excel), name="audit-csv"),
    path("audit/changes.ndjson", _file("changes.ndjson", NDJSON, as_lines), name="audit-ndjson"),
]
