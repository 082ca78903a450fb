"""What changed, in the words of who reads: the parts that differ, each with what it was and what it is."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as text

from tidings.catalog.features import built_in
from tidings.channels.registry import CHANNELS
from tidings.console.templatetags.tidings import SCOPE_WORDS, STATES
from tidings.messages.explain import explain

# Parts of what can be changed; another is called by its name.
PARTS: Mapping[str, str | Promise] = {
    "login": text("Login"),
    "name": text("Name"),
    "email": text("E-mail"),
    "mobile": text("Mobile number"),
    "external_id": text("External ID"),
    "roles": text("Roles"),
    "methods": text("Notification methods"),
    "language": text("Language"),
    "timezone": text("Time zone"),
    "active": text("Active"),
    "departed": text("Has left"),
    "tokens_revoked": text("Tokens ended"),
    "contact_points": text("Addresses"),
    "contact_points_changed": text("Addresses changed"),
    "account": text("Signs in as"),
    "instance": text("Instance"),
    "database": text("Database"),
    "table": text("Table"),
    "dba": text("DBA"),
    "owners": text("Data owners"),
    "inside": text("What lay in it"),
    "enabled": text("On"),
    "optional_roles": text("Optional notification role"),
    "additional_users": text("Additional notification User"),
    "settings": text("Settings"),
    "new_secrets": text("New secrets"),
    "scopes": text("Scopes"),
    "person": text("Person"),
    "source": text("Source"),
    "sms_countries": text("Countries for text messages"),
    "fallback": text("Another way when nothing arrives"),
    "channel": text("Channel"),
    "address": text("Address"),
    "reason": text("Reason"),
    "verified": text("Confirmed"),
    "disabled": text("Switched off"),
    "disabled_reason": text("Why it was switched off"),
    "line": text("Line"),
    "state": text("State"),
    "outcome": text("Result"),
    "by": text("Confirmed by"),
    "locked_until": text("Locked until"),
    "retried": text("Sent again"),
    "deliveries": text("Deliveries"),
    "recipient": text("Recipient"),
    "event_type": text("Event"),
    "since": text("From"),
    "until": text("Until"),
}
# What stands in a part that speaks in codes.
CODES: Mapping[str, Mapping[str, str | Promise]] = {
    "state": {state: words for state, (_, _, words) in STATES.items()},
    "outcome": {"sent": text("sent"), "try_later": text("to be tried again"), "refused": text("refused")},
    "scopes": SCOPE_WORDS,
    "by": {"code": text("a code"), "test": text("a test message")},
}
LANGUAGES = {"en": "English", "zh-hans": "简体中文"}
# What rises by itself, and what is said elsewhere.
UNTOLD = ("version", "login")
NO_SETTINGS: Mapping[str, str] = {}
LENGTH = 300


@dataclass(frozen=True, slots=True)
class Line:
    """One part; "" for nothing. Of a list, what came and what went."""

    label: str
    before: str
    after: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def part_name(part: str) -> str:
    return str(PARTS.get(part, part.replace("_", " ").capitalize()))


def role_name(role: str) -> str:
    known = built_in().roles.get(role)
    language = get_language() or "en"
    return (known.labels.get(language) or known.labels["en"]) if known else role


def difference(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, settings: Mapping[str, str] = NO_SETTINGS
) -> list[Line]:
    """Only what differs; of what is new or gone, whatever it says. What `after` does not speak of did not change: of
    who has left it only says so. `settings`: what those of a channel are called."""
    was, now = before or {}, after or {}
    return _differing(was, now, now if before and after else (*was, *now), settings)


def _differing(
    was: Mapping[str, Any], now: Mapping[str, Any], parts: Iterable[str], settings: Mapping[str, str]
) -> list[Line]:
    told = [part for part in dict.fromkeys(parts) if part not in UNTOLD]
    return [line for part in told for line in _lines(part, was.get(part), now.get(part), settings)]


def changes_in_words(changes: Mapping[str, Sequence[Any]]) -> list[Line]:
    """Of {part: [before, after]}."""
    return [line for part, (before, after) in changes.items() for line in _lines(part, before, after, NO_SETTINGS)]


def _lines(part: str, before: Any, after: Any, settings: Mapping[str, str]) -> list[Line]:
    if before == after or (_is_empty(before) and _is_empty(after)):
        return []
    label = settings.get(part) or part_name(part)
    if isinstance(before, dict) or isinstance(after, dict):
        was_in, now_in = _as_dict(before), _as_dict(after)
        inner = _differing(was_in, now_in, (*was_in, *now_in), settings)
        return [replace(one, label=f"{label}{gettext(': ')}{one.label}") for one in inner]
    if isinstance(before, list) or isinstance(after, list):
        named = settings if part == "new_secrets" else NO_SETTINGS
        was, now = ([_word(part, each, named) for each in given or ()] for given in (before, after))
        added = tuple(each for each in now if each not in was)
        removed = tuple(each for each in was if each not in now)
        return [Line(label, _listed(was), _listed(now), added, removed)]
    return [Line(label, _word(part, before), _word(part, after))]


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {} or (value == 0 and value is not False)


def _as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(words: Sequence[str]) -> str:
    return gettext(", ").join(words)


def _word(part: str, value: Any, named: Mapping[str, str] = NO_SETTINGS) -> str:
    if _is_empty(value):
        return ""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)[:LENGTH]
    if part in ("roles", "optional_roles"):
        return role_name(value)
    if value in named:
        return named[value]
    if part in CODES and value in CODES[part]:
        return str(CODES[part][value])
    if part in ("reason", "disabled_reason"):
        return explain(value, get_language() or "en").says
    if part in ("methods", "contact_points", "contact_points_changed", "channel") and (kind := CHANNELS.get(value)):
        return kind.label.get(get_language() or "en", kind.label["en"])
    return LANGUAGES.get(value, value) if part == "language" else value[:LENGTH]
