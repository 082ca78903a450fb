"""A long list, a slice at a time: the address of the next one says where this one ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Slice:
    """What `console/_pager.html` goes by."""

    items: Sequence[Any]
    next_cursor: str | None


def newest(rows: QuerySet[M], size: int, cursor: str) -> tuple[list[M], str | None]:
    """The newest first, by a key that orders by time, and where the next slice begins. A cursor that is none of ours
    starts anew."""
    if (after := uuid_of(cursor)) is not None:
        rows = rows.filter(id__lt=after)
    found = list(rows.order_by("-id")[: size + 1])
    return found[:size], str(found[size - 1].pk) if len(found) > size else None


def uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
