"""Lists, a page at a time. A cursor says where a page ended, so pages neither repeat nor lose what was there when the
first was asked for, however much is added meanwhile."""

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet

from tidings.kernel.problems import invalid

M = TypeVar("M", bound=models.Model)
T = TypeVar("T")
U = TypeVar("U")


class Asked(Protocol):
    """What a part of a list is asked for by."""

    @property
    def cursor(self) -> str | None: ...

    @property
    def limit(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Part:
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    rows: list[T]
    next_cursor: str | None

    def listed(self, shown: Callable[[T], U]) -> dict[str, Any]:
        return {"items": [shown(row) for row in self.rows], "next_cursor": self.next_cursor}


def page_of(rows: QuerySet[M], paging: Asked, *, by: str = "-id") -> Page[M]:
    """One query. `by` is a field or an annotation, unique among `rows`; with a minus, the greatest come first."""
    name = by.removeprefix("-")
    after = cursor_of(paging.cursor, lambda key: _python(rows, name, key))
    if after is not None:
        rows = rows.filter(**{f"{name}__{'lt' if by.startswith('-') else 'gt'}": after})
    return cut_page(rows.order_by(by)[: paging.limit + 1], paging, lambda row: getattr(row, name))


def cut_page(rows: Iterable[T], paging: Asked, key: Callable[[T], object]) -> Page[T]:
    """A page from one row more than it may have."""
    found = list(rows)
    kept = found[: paging.limit]
    return Page(kept, write_cursor(key(kept[-1])) if len(found) > paging.limit else None)


def cursor_of(cursor: str | None, read: Callable[[str], U]) -> U | None:
    """The key a page starts after. `read` raises ValueError for what is none."""
    if not cursor:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return read(storable(base64.b64decode(padded, altchars=b"-_", validate=True).decode()))
    except (ValueError, binascii.Error):
        problem = "Use the next_cursor of the page before, as it was, or none to start anew."
        raise invalid("This cursor is not one of ours.", [{"field": "cursor", "problem": problem}]) from None


def storable(text: str) -> str:
    """PostgreSQL can neither store nor search U+0000. Raises ValueError."""
    if "\0" in text:
        raise ValueError("must not hold the character U+0000")
    return text


def write_cursor(key: object) -> str:
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def _python(rows: QuerySet[M], name: str, key: str) -> Any:
    annotated = rows.query.annotations.get(name)
    field = annotated.output_field if annotated else rows.model._meta.get_field(name)
    assert isinstance(field, models.Field)
    try:
        return field.clean(key, None)
    except ValidationError:
        raise ValueError(key) from None
