"""What an expression gave becomes a part of an event, or is refused by name. Pure."""

from typing import Any

import msgspec

from tidings.events.event import PersonKey, PersonRef, Resource
from tidings.events.sources.understand import line, text

PEOPLE_AT_MOST, RESOURCES_AT_MOST = 1_000, 100
ONE_OF = ("external_id", "email", "mobile", "login")
"""Of an object that names a person in several ways, which one counts: the surest first."""


class Unfit(Exception):
    """It cannot be that part; the text says what it is."""


def empty(value: Any) -> bool:
    """As JMESPath has it: neither 0."""
    return value is None or value is False or value in ("", [], {})


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int | float):
        raise Unfit(f"is {shown(value)}, and has to be a text or a number")
    try:
        return text(str(value))
    except ValueError:  # Python writes no more than 4,300 digits
        raise Unfit("is a number of thousands of digits, and has to be a text or a shorter number") from None


def as_people(value: Any, by: str) -> list[PersonRef]:
    """Each once, in the order they are named in."""
    people = (_person(each, by) for each in _listed(value, PEOPLE_AT_MOST, "people"))
    return list(dict.fromkeys(one for one in people if one))


def as_person(value: Any, by: str) -> PersonRef | None:
    found = as_people(value, by)
    if len(found) > 1:
        raise Unfit(f"names {len(found)} people, and has to name one")
    return found[0] if found else None


def as_resources(value: Any) -> list[Resource]:
    resources = (_resource(each) for each in _listed(value, RESOURCES_AT_MOST, "resources"))
    return list(dict.fromkeys(one for one in resources if one))


def as_details(value: Any) -> dict[str, Any]:
    """Without members that say nothing."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unfit(f"is {shown(value)}, and has to be an object: {{environment: item.env}}")
    return {name: each for name, each in value.items() if each is not None}


def shown(value: Any) -> str:
    """What came, for people: its kind, and how it begins."""
    kinds = {
        str: "the text",
        bool: "the value",
        int: "the number",
        float: "the number",
        list: "a list",
        dict: "an object",
    }
    try:
        written = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return "no JSON"
    return f"{kinds.get(type(value), 'nothing:')} {line(written[:100])}"


def _listed(value: Any, at_most: int, what: str) -> list[Any]:
    listed = value if isinstance(value, list) else [value]
    if len(listed) > at_most:
        raise Unfit(f"has {len(listed):,} {what}, and an event may have {at_most:,}")
    return listed


def _person(value: Any, by: str) -> PersonRef | None:
    if isinstance(value, dict):
        if strange := sorted(value.keys() - set(ONE_OF)):
            raise Unfit(f"has a person with {line(strange[0])!r}; the members are {', '.join(ONE_OF)}")
        named = [(way, said) for way in ONE_OF if (said := as_text(value.get(way)))]
        by, said = named[0] if named else (by, "")
    else:
        said = as_text(value)
    if not said:
        return None
    return said if by == "login" else PersonKey(**{by: said})


def _resource(value: Any) -> Resource | None:
    if not isinstance(value, dict):
        name = as_text(value)
        return Resource(name) if name else None
    known = ("instance", "database", "table")
    if strange := sorted(value.keys() - set(known)):
        raise Unfit(f"has a resource with {line(strange[0])!r}; the members are {', '.join(known)}")
    said = {name: as_text(value.get(name)) for name in known}
    if any(said.values()) and not said["instance"]:
        raise Unfit(f"has a resource without its instance: {shown(value)}")
    return Resource(**said) if said["instance"] else None


def as_items(value: Any, at_most: int) -> list[Any]:
    if not isinstance(value, list | dict):
        raise Unfit(f"is {shown(value)}, and has to be a list of objects")
    items = value if isinstance(value, list) else [value]
    if len(items) > at_most:
        raise Unfit(f"has {len(items)} events, and one body may carry {at_most}: have them sent in several")
    return items
