"""Notification settings as JSON: `{"methods", "email", "mobile", "dingtalk_user_id", "webhook": {"url", ...}, ...}`.
What one reads can be written back as it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidings.channels.check import masked
from tidings.channels.contract import Channel, Value, Values
from tidings.channels.registry import CHANNELS
from tidings.kernel.problems import invalid

# What people call a part of a contact point, and where it belongs; a channel with none of these is an object under its
# own code. One mobile leads to both: DingTalk finds by it whoever gave no user id.
FLAT: Mapping[str, Mapping[str, str]] = {
    "email": {"email": "address"},
    "mobile": {"sms": "mobile", "dingtalk": "mobile"},
    "dingtalk_user_id": {"dingtalk": "user_id"},
}
_FLAT = frozenset(code for places in FLAT.values() for code in places)
# Only told, never written.
TOLD = ("channels", "note")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is left out (None, or a channel that is not there) stays; a channel's None takes its contact point away. Of
    a channel that is no object of its own, what is left out of its contact point stays too: see `whole`."""

    methods: tuple[str, ...] | None = None
    contacts: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Point:
    """A channel as one person has it; `values` are None without a contact point. `on` is the tenant's switch."""

    on: bool
    values: Values | None = None
    address: str = ""
    verified: bool = False
    disabled_reason: str = ""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """`made` are secrets made just now, by channel and field: shown this once."""

    methods: tuple[str, ...]
    points: Mapping[str, Point]
    version: str
    made: Mapping[str, Values] = field(default_factory=dict)


def read_settings(body: Mapping[str, Any]) -> Wanted:
    """Raises 422 naming all that does not fit."""
    keys = [key for code in CHANNELS for key in _keys(code)]
    contacts: dict[str, Any] = {}
    problems: list[dict[str, str]] = []
    for key, value in body.items():
        if key == "methods" or key in TOLD:
            continue
        if key not in keys:
            # A channel that other versions have: that it is not set here is true.
            if value is not None:
                text = f"is not known here; the fields are: {', '.join(dict.fromkeys(('methods', *keys)))}"
                problems.append({"field": key[:100], "problem": text})
        elif key in FLAT:
            for code, name in FLAT[key].items():
                if code in CHANNELS:
                    contacts.setdefault(code, {})[name] = value
        elif value is None or isinstance(value, dict):
            contacts[key] = value
        else:
            names = ", ".join(one.name for one in CHANNELS[key].contact)
            problems.append({"field": key, "problem": f"must be an object with {names}, or null"})
    methods, refused = _methods(body.get("methods"))
    if problems := refused + problems:
        raise invalid("These settings do not fit: see errors.", problems)
    return Wanted(methods, contacts)


def write_settings(shown: Shown) -> dict[str, Any]:
    """`channels` tells how each of them stands."""
    body: dict[str, Any] = {"methods": list(shown.methods)}
    for code, point in shown.points.items():
        for key in _keys(code):
            if key in FLAT:
                body[key] = _first(shown.points, FLAT[key])
            else:
                body[key] = None if point.values is None else _contact(CHANNELS[code], point.values, shown)
    body["channels"] = {code: standing(point) for code, point in shown.points.items()}
    if waiting := [code for code, point in shown.points.items() if point.values is not None and not point.verified]:
        calls = ", ".join(f"POST /api/v1/me/contact-points/{code}/{CHANNELS[code].verified_by}" for code in waiting)
        body["note"] = (
            f"Nothing is sent yet by {', '.join(waiting)}: a new address has to be verified first. Its owner does that "
            f"({calls}), or an administrator confirms the address by saving it."
        )
    return body


def news(wanted: Wanted, shown: Shown) -> Wanted:
    """Without what only says again what was shown. A word that two channels share may be true of one of them: where the
    other leads elsewhere it stays there, and where it leads nowhere it still does, unless it is selected."""
    contacts = dict(wanted.contacts)
    methods = shown.methods if wanted.methods is None else wanted.methods
    for places in FLAT.values():
        known = _first(shown.points, places)
        for code, name in places.items():
            given = contacts.get(code)
            if known is None or given is None or given.get(name) != known:
                continue
            values = shown.points[code].values
            if (values is None and code not in methods) or (values and values.get(name) not in (None, known)):
                contacts[code] = {other: value for other, value in given.items() if other != name}
    return Wanted(wanted.methods, {code: given for code, given in contacts.items() if given != {} or code not in _FLAT})


def standing(point: Point) -> dict[str, Any]:
    return {
        "address": point.address or None,
        "verified": point.verified,
        "disabled": point.disabled,
        "disabled_reason": point.disabled_reason or None,
        "enabled": point.on,
    }


def whole(code: str, given: Mapping[str, Any] | None, stored: Values) -> Mapping[str, Any] | None:
    """The contact point that is wanted, with what stays of it; None for one with nothing in it."""
    if given is None or code not in _FLAT:
        return given
    merged = {**stored, **given}
    if merged.get("user_id"):
        # Who is known by an ID need not be found by a mobile; beside it, another mobile would be another address.
        merged["mobile"] = None
    return merged if any(value not in (None, "") for value in merged.values()) else None


def field_of(code: str, name: str) -> str:
    """What people call this part of a channel's contact point."""
    return next((key for key, places in FLAT.items() if places.get(code) == name), f"{code}.{name}")


def _first(points: Mapping[str, Point], places: Mapping[str, str]) -> Value:
    """What two channels may share, of the first that has it."""
    values = [point.values.get(name) for code, name in places.items() if (point := points.get(code)) and point.values]
    return next((value for value in values if value is not None), None)


def _contact(kind: Channel, values: Values, shown: Shown) -> dict[str, Any]:
    return masked(kind.contact, values) | dict(shown.made.get(kind.code, {}))


def checked_methods(methods: list[str]) -> tuple[str, ...]:
    """Each once. Raises 422."""
    chosen, problems = _methods(methods)
    if problems:
        raise invalid(f"These methods cannot be chosen: {problems[0]['problem']}.", problems)
    return chosen or ()


def _methods(methods: Any) -> tuple[tuple[str, ...] | None, list[dict[str, str]]]:
    if methods is None:
        return None, []
    if not isinstance(methods, list) or not all(isinstance(one, str) for one in methods):
        return None, [{"field": "methods", "problem": "must be a list of channels"}]
    if unknown := [one[:100] for one in methods if one not in CHANNELS]:
        text = f"has {', '.join(unknown)}, which is not known here; the methods are: {', '.join(CHANNELS)}"
        return None, [{"field": "methods", "problem": text}]
    return tuple(dict.fromkeys(methods)), []


def _keys(code: str) -> list[str]:
    return [key for key, places in FLAT.items() if code in places] or [code]
