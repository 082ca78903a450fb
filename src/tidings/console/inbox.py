"""My notifications: what I was told of, what of it waits for me, and the number in the header; all of it live."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext, ngettext

from tidings.catalog.extend import catalog_of
from tidings.catalog.features import Catalog
from tidings.console.asked import is_ours
from tidings.console.page import Asked, is_part, page, say, show
from tidings.delivery.read_inbox import Item, asks_to_act, worded
from tidings.events.inbox import Row, Which, count_unread, inbox, mark_all_read, mark_read
from tidings.kernel.ids import event_of, last_of
from tidings.kernel.problems import invalid, not_found

PER_PAGE = 20
PINNED = 5
CHANGED = "inbox-read"
"""The browser's event that says: ask again how many are unread."""


@dataclass(frozen=True, slots=True)
class Filters:
    """`show`: "", "unread" or "waiting"."""

    show: str = ""
    feature: str = ""

    @property
    def none(self) -> bool:
        return not (self.show or self.feature)

    @property
    def query(self) -> str:
        return urlencode({name: value for name, value in (("show", self.show), ("feature", self.feature)) if value})


@dataclass(frozen=True, slots=True)
class Listed:
    """As `_pager.html` wants it."""

    items: Sequence[Item]
    next_cursor: str | None


@page()
def my_inbox(request: Asked) -> HttpResponse:
    filters, catalog = _filters(request), catalog_of(request.person.tenant_id)
    after = _key(request.GET.get("cursor"))
    rows, following = inbox(request.person, _which(filters, catalog), limit=PER_PAGE, after=after)
    context = {
        "filters": filters,
        "features": catalog.features.values(),
        "page": Listed(worded(request.person, rows, catalog), str(following) if following else None),
        "first": after is None,
        "newest": rows[0].event_id if rows else UUID(int=0),
        **(_waiting(request, catalog) if filters.none and after is None else {}),
    }
    return show(request, "console/inbox/inbox.html", context)


@page()
def news(request: Asked, newest: UUID) -> HttpResponse:
    """What came after this one, to be put before it; and where to ask from the next time."""
    filters, catalog = _filters(request), catalog_of(request.person.tenant_id)
    rows, _ = inbox(request.person, _which(filters, catalog), limit=PER_PAGE)
    items = worded(request.person, [row for row in rows if row.event_id > newest], catalog)
    context = {
        "filters": filters,
        "items": items,
        "newest": max([newest, *(item.row.event_id for item in items)]),
        "said": _said(items),
    }
    return show(request, "console/inbox/_news.html", context)


@page()
def waiting(request: Asked) -> HttpResponse:
    return show(request, "console/inbox/_waiting.html", _waiting(request, catalog_of(request.person.tenant_id)))


@page()
def unread(request: Asked) -> HttpResponse:
    return show(request, "console/inbox/_unread.html", {"unread": count_unread(request.person)})


@page()
def open_item(request: Asked, event_id: UUID) -> HttpResponse:
    """To the ticket, and read from now on. A link, so that it opens wherever links open; who follows it twice changes
    nothing."""
    item = _item(request, _own(request, event_id))
    mark_read(request.person, [event_id])
    return redirect(item.url or reverse("inbox"))


@page(methods=("POST",))
def read(request: Asked) -> HttpResponse:
    """Those that were chosen, or all up to the last one that the page showed."""
    chosen = [_key(each) for each in request.POST.getlist("id")]
    if "all" in request.POST:
        done = mark_all_read(request.person, _key(request.POST.get("until")))
    else:
        done = mark_read(request.person, [key for key in chosen if key])
    say(request, ngettext("%d notification is read now.", "%d notifications are read now.", done) % done)
    back = request.POST.get("back", "")
    return redirect(back if is_ours(back, reverse("inbox")) else "inbox")


@page(methods=("POST",))
def read_one(request: Asked, event_id: UUID) -> HttpResponse:
    mark_read(request.person, [event_id])
    item = _item(request, _own(request, event_id))
    if not is_part(request):
        return redirect("inbox")
    answer = show(request, "console/inbox/_item.html", {"item": item, "focus": True})
    answer["HX-Trigger-After-Swap"] = CHANGED
    return answer


def _waiting(request: Asked, catalog: Catalog) -> dict[str, Any]:
    """Of what waits for an act, the newest."""
    rows, following = inbox(request.person, _which(Filters("waiting"), catalog), limit=PINNED)
    return {"waiting": worded(request.person, rows, catalog), "more_waiting": following is not None}


def _own(request: Asked, event_id: UUID) -> Row:
    """Raises 404 unless this person was told of this event."""
    upto = UUID(int=last_of(event_of(event_id)).int + 1)
    rows, _ = inbox(request.person, Which(), limit=1, after=upto)
    if not rows or rows[0].event_id != event_id:
        raise not_found("notification")
    return rows[0]


def _item(request: Asked, row: Row) -> Item:
    items = worded(request.person, [row], catalog_of(request.person.tenant_id))
    if not items:
        raise not_found("notification")
    return items[0]


def _which(filters: Filters, catalog: Catalog) -> Which:
    asked = asks_to_act(catalog) if filters.show == "waiting" else None
    return Which(filters.show == "unread", filters.feature or None, asked)


def _filters(request: Asked) -> Filters:
    shown = request.GET.get("show", "")
    return Filters(
        shown if shown in ("unread", "waiting") else "", request.GET.get("feature", "")[:100].replace("\0", "")
    )


def _key(text: str | None) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise invalid(gettext("This link is not whole. Start again from the first page.")) from None


def _said(items: Sequence[Item]) -> str:
    """Read out when they arrive."""
    if not items:
        return ""
    count = ngettext("%d new notification", "%d new notifications", len(items)) % len(items)
    return f"{count}: {items[0].headline}"


urlpatterns = [
    path("inbox", my_inbox, name="inbox"),
    path("inbox/unread", unread, name="unread"),
    path("inbox/waiting", waiting, name="inbox-waiting"),
    path("inbox/news/<uuid:newest>", news, name="inbox-news"),
    path("inbox/read", read, name="inbox-read"),
    path("inbox/<uuid:event_id>/open", open_item, name="inbox-open"),
    path("inbox/<uuid:event_id>/read", read_one, name="inbox-read-one"),
]
