"""The systems that can be a source: where somebody finds theirs, and what is to be done in it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as text

from tidings.console.sources.lines import address
from tidings.events.sources.contract import Adapter, Group
from tidings.events.sources.registry import ADAPTERS
from tidings.kernel.problems import not_found
from tidings.kernel.settings import settings

OWN = "events"
"""Stands for no adapter: whoever posts Tidings' own events."""
GROUPS: Sequence[tuple[Group, str | Promise, str]] = (
    ("tickets", text("Ticket platforms"), "list-check"),
    ("flows", text("Task flows"), "route"),
    ("warehouses", text("Warehouses, and what is built in them"), "database"),
    ("anything", text("Anything else"), "plug"),
)
_PLACE = re.compile(r"(`[^`\n]+`|\{url\}|\{base\}|\{token\})")


@dataclass(frozen=True, slots=True)
class System:
    code: str
    label: str | Promise
    about: str | Promise
    icon: str
    signs: bool = False
    adapter: Adapter | None = None

    @property
    def name(self) -> str:
        """What a source of it may be called."""
        return self.code.replace("_", "-") if self.adapter else "my-platform"


@dataclass(frozen=True, slots=True)
class Piece:
    """Of a step: text, a word of code within it, or a line of its own that is there to be copied."""

    kind: Literal["text", "code", "copy"]
    text: str
    number: str = ""


def system(code: str) -> System:
    """Raises 404."""
    if code == OWN:
        return _own()
    if code not in ADAPTERS:
        raise not_found("system")
    return _of(ADAPTERS[code])


def gallery() -> list[tuple[str | Promise, list[System]]]:
    """By group, each in the order of their names; what anybody can write themself comes last."""
    found = []
    for group, label, _ in GROUPS:
        own = [_own()] if group == "anything" else []
        mine = sorted((each for each in ADAPTERS.values() if each.group == group), key=label_of)
        if mine or own:
            found.append((label, [*own, *map(_of, mine)]))
    return found


def label_of(adapter: Adapter) -> str:
    return adapter.labels.get(get_language() or "en") or adapter.label


def steps_of(adapter: Adapter, token: str) -> list[list[Piece]]:
    """With the address and the token in them; `token` empty: it is shown no more."""
    steps = adapter.steps.get(get_language() or "en") or adapter.steps["en"]
    return [list(_pieces(step, adapter, token, number)) for number, step in enumerate(steps, 1)]


def _pieces(step: str, adapter: Adapter, token: str, number: int) -> Iterator[Piece]:
    meant = {
        "{url}": address(f"sources/{adapter.code}?token={token or '<token>'}"),
        "{base}": settings().base_url,
        "{token}": token or "<token>",
    }
    for place, piece in enumerate(_PLACE.split(step)):
        if piece in meant:
            yield Piece("copy", meant[piece], f"{number}-{place}")
        elif place % 2:
            yield Piece("code", piece.strip("`"))
        elif piece:
            yield Piece("text", piece)


def _of(adapter: Adapter) -> System:
    language = get_language() or "en"
    icon = next(icon for group, _, icon in GROUPS if group == adapter.group)
    about = adapter.about.get(language) or adapter.about.get("en", "")
    return System(adapter.code, label_of(adapter), about, icon, adapter.signs, adapter)


def _own() -> System:
    about = text("Your own code posts them: one by one or many at once, as JSON or CloudEvents.")
    return System(OWN, text("Events over HTTP"), about, "send")
