"""Notification settings as JSON: `{"methods", "email", "mobile", "dingtalk_user_id", "webhook": {"url", ...}, ...}`.
What one reads can be written back as it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidings.channels.check import masked
from tidings.channels.contract import Channel, Values
from tidings.channels.registry import CHANNELS
from tidings.kernel.problems import invalid

# Channels whose contact point is one value, and what people call it; every other one is an object under its own code.
FLAT: Mapping[str, str] = {"email": "email", "sms": "mobile", "dingtalk": "dingtalk_user_id"}
# Only told, never written.
TOLD = ("channels", "note")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is left out (None, or a channel that is not there) stays; a channel's None takes its contact point away."""

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
    code_of = {_key(code): code for code in CHANNELS}
    contacts: dict[str, Mapping[str, Any] | None] = {}
    problems: list[dict[str, str]] = []
    for key, value in body.items():
        if key == "methods" or key in TOLD:
            continue
        code = code_of.get(key)
        if code is None:
            # A channel that other versions have: that it is not set here is true.
            if value is not None:
                text = f"is not known here; the fields are: {', '.join(('methods', *code_of))}"
                problems.append({"field": key[:100], "problem": text})
        elif code in FLAT:
            contacts[code] = None if value in (None, "") else {CHANNELS[code].contact[0].name: value}
        elif value is None or isinstance(value, dict):
            contacts[code] = value
        else:
            names = ", ".join(one.name for one in CHANNELS[code].contact)
            problems.append({"field": key, "problem": f"must be an object with {names}, or null"})
    methods, refused = _methods(body.get("methods"))
    if problems := refused + problems:
        raise invalid("These settings do not fit: see errors.", problems)
    return Wanted(methods, contacts)


def write_settings(shown: Shown) -> dict[str, Any]:
    """`channels` tells how each of them stands."""
    body: dict[str, Any] = {"methods": list(shown.methods)}
    for code, point in shown.points.items():
        body[_key(code)] = None if point.values is None else _contact(CHANNELS[code], point.values, shown)
    body["channels"] = {code: standing(point) for code, point in shown.points.items()}
    if waiting := [code for code, point in shown.points.items() if point.values is not None and not point.verified]:
        calls = ", ".join(f"POST /api/v1/me/contact-points/{code}/{CHANNELS[code].verified_by}" for code in waiting)
        body["note"] = (
            f"Nothing is sent yet by {', '.join(waiting)}: a new address has to be verified first. Its owner does that "
            f"({calls}), or an administrator confirms the address by saving it."
        )
    return body


def standing(point: Point) -> dict[str, Any]:
    return {
        "address": point.address or None,
        "verified": point.verified,
        "disabled": point.disabled,
        "disabled_reason": point.disabled_reason or None,
        "enabled": point.on,
    }


def field_of(code: str, name: str) -> str:
    """What people call this part of a channel's contact point."""
    return FLAT.get(code, f"{code}.{name}")


def _contact(kind: Channel, values: Values, shown: Shown) -> Any:
    contact = masked(kind.contact, values) | dict(shown.made.get(kind.code, {}))
    return contact[kind.contact[0].name] if kind.code in FLAT else contact


def _methods(methods: Any) -> tuple[tuple[str, ...] | None, list[dict[str, str]]]:
    if methods is None:
        return None, []
    if not isinstance(methods, list) or not all(isinstance(one, str) for one in methods):
        return None, [{"field": "methods", "problem": "must be a list of channels"}]
    if unknown := [one[:100] for one in methods if one not in CHANNELS]:
        text = f"has {', '.join(unknown)}, which is not known here; the methods are: {', '.join(CHANNELS)}"
        return None, [{"field": "methods", "problem": text}]
    return tuple(dict.fromkeys(methods)), []


def _key(code: str) -> str:
    return FLAT.get(code, code)
