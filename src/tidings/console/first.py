"""Of a list as long as a source likes, what a page shows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Kept = TypeVar("Kept")
Shown = TypeVar("Shown")
SHOWN_AT_MOST = 30
"""Of one list; the others are counted."""


@dataclass(frozen=True, slots=True)
class First(Generic[Shown]):
    """The first of them, and how many more there are."""

    shown: tuple[Shown, ...] = ()
    more: int = 0

    def __iter__(self) -> Iterator[Shown]:
        return iter(self.shown)

    def __bool__(self) -> bool:
        return bool(self.shown)


def first(kept: Sequence[Kept], show: Callable[[Kept], Shown]) -> First[Shown]:
    return First(tuple(map(show, kept[:SHOWN_AT_MOST])), max(0, len(kept) - SHOWN_AT_MOST))
