"""Channels that other packages bring: entry points of one group, each named after the code of its channel.

    [project.entry-points."tidings.channels"]
    slack = "tidings_slack.channel:SlackChannel"

What is installed and cannot be used ends the process with a word about whose fault it is: to leave a channel out would
fail the deliveries of those who chose it.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import EntryPoint

from tidings.channels.contract import Channel
from tidings.channels.field_words import missing_words
from tidings.messages.wording import LANGUAGES

GROUP = "tidings.channels"
# Of notification settings, where every other key is the code of a channel.
TAKEN = frozenset({"methods", "channels", "note", "mobile", "dingtalk_user_id"})
_CODE = re.compile(r"[a-z][a-z0-9_]{0,29}")
_DECLARED = ("label", "contact", "verified_by")


class PlugInUnusable(Exception):
    """An installed package promises a channel and gives none; `message` and `hint` are for the operator."""

    def __init__(self, point: EntryPoint, problem: str) -> None:
        package = _package(point)
        self.message = f'the channel "{point.name}" of the package {package} cannot be used: {problem}'
        self.hint = f"Mend that package or take it away: pip uninstall {package}"
        super().__init__(self.message)


def plugged_in(points: Iterable[EntryPoint], built_in: Collection[str]) -> Mapping[str, Channel]:
    """In the order of their codes. Raises `PlugInUnusable`, of the first that cannot be used."""
    channels: dict[str, Channel] = {}
    whose: dict[str, str] = {}
    for point in sorted(points, key=lambda point: (point.name, _package(point))):
        if point.name in built_in:
            raise PlugInUnusable(point, "Tidings has a channel of that name itself, which nobody may replace")
        if point.name in TAKEN or not _CODE.fullmatch(point.name):
            raise PlugInUnusable(
                point, f"a code is at most 30 of a-z, 0-9 and _, begins with a letter, and is none of {_list(TAKEN)}"
            )
        if point.name in channels:
            raise PlugInUnusable(point, f"the package {whose[point.name]} has brought a channel of that name")
        channels[point.name], whose[point.name] = _loaded(point), _package(point)
    return channels


def _loaded(point: EntryPoint) -> Channel:
    try:
        kind = point.load()
    except Exception as error:  # whatever somebody else's module does while it is imported
        raise PlugInUnusable(point, f"{point.value} cannot be loaded ({_said(error)})") from error
    if not (isinstance(kind, type) and issubclass(kind, Channel)):
        raise PlugInUnusable(point, f"{point.value} is no subclass of {Channel.__module__}.{Channel.__name__}")
    if missing := [*sorted(kind.__abstractmethods__), *(name for name in _DECLARED if not hasattr(kind, name))]:
        raise PlugInUnusable(point, f"{point.value} lacks {', '.join(missing)}")
    if (code := getattr(kind, "code", None)) != point.name:
        raise PlugInUnusable(point, f"{point.value} calls itself {code!r}, and its entry point has to be named so")
    if not kind.contact or set(LANGUAGES) - set(kind.label):
        raise PlugInUnusable(point, f"{point.value} needs a contact field, and a label in {_list(LANGUAGES)}")
    for field in (*kind.settings, *kind.contact):
        if missing := [*missing_words(field.words, field.choices, LANGUAGES)]:
            raise PlugInUnusable(point, f"{point.value} has no words for {field.name}: {_list(missing)}")
    try:
        return kind()
    except Exception as error:
        raise PlugInUnusable(point, f"{point.value} cannot be made ({_said(error)})") from error


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "?"


def _said(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
