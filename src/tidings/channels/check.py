"""Settings and contact values as they come in: checked against their declaration, all problems told at once; and as
they go out: without secrets."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from tidings.channels.contract import Field, InvalidField, Value, Values
from tidings.channels.words import CUT
from tidings.kernel.problems import invalid
from tidings.kernel.urls import UrlRefused, read_url

MASK = "********"
MAX_LENGTH = 2_000
# The greatest that every reader of JSON keeps exactly; DingTalk's AgentIds are beyond 31 bits.
MAX_NUMBER = 2**53 - 1
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NOT_IN_URLS = re.compile(r"[\s\\]")


def check_values(fields: Sequence[Field], given: Mapping[str, Any], stored: Values) -> dict[str, Value]:
    """The values to store. Raises `Problem` 422 with `errors` [{"field", "problem"}]. A field that does not exist
    beside the others' values is not looked at and not kept.

    A secret that is missing or masked keeps the stored one, unless it would be sent elsewhere than before or belongs to
    a host that is left; null takes it away (or has a new one made, where one can be made). What is shown shortened is
    kept like a secret. Anything else that is missing falls back to its default.
    """
    values: dict[str, Value] = {}
    problems: list[dict[str, str]] = []
    failed: set[str] = set()
    for field in fields:
        if not _exists(field, values):
            continue
        try:
            value = _checked(field, given, {} if _made_anew(field, given, values, stored) else stored)
            if field.check_with and isinstance(value, str):
                value = field.check_with(value, values)
        except InvalidField as error:
            failed.add(field.name)
            problems.append({"field": field.name, "problem": str(error)})
        else:
            if value is not None:
                values[field.name] = value
    problems = _misplaced(fields, given, values, failed) + problems
    if not problems:
        problems = [*_moved_secrets(fields, given, values, stored)]
    if problems:
        raise invalid("Some values cannot be used: see errors.", problems)
    return values


def existing(fields: Sequence[Field], values: Values) -> list[Field]:
    """Those of them that exist (see `Field.when`), given the values of the others."""
    whole = {field.name: field.default for field in fields} | dict(values)
    return [field for field in fields if _exists(field, whole)]


def masked(fields: Sequence[Field], values: Values) -> dict[str, Value]:
    """What may be shown: every field that exists, a secret only as set or not set. PUT accepts it as it is."""
    return {field.name: _shown(field, values) for field in existing(fields, values)}


def checked_url(text: str) -> str:
    """http or https with a host and without a user, as the HTTP client itself reads it."""
    if _NOT_IN_URLS.search(text):
        raise InvalidField("has a space or a backslash in it; percent-encode it or take it out")
    try:
        return read_url(text).url
    except UrlRefused as error:
        if error.reason == "user_info":
            raise InvalidField("must not carry a user name or password; take out what stands before the @") from None
        raise InvalidField("must be a whole URL, such as https://hooks.example.com/tidings") from None


def _shown(field: Field, values: Values) -> Value:
    value = values.get(field.name, field.default)
    if field.kind == "secret":
        return MASK if value else None
    return field.shown(str(value)) if field.shown and value else value


def _exists(field: Field, values: Values) -> bool:
    """A field stands after the one that decides whether there is any use for it."""
    return field.when is None or values.get(field.when[0]) == field.when[1]


def _misplaced(
    fields: Sequence[Field], given: Mapping[str, Any], values: Values, failed: Collection[str]
) -> list[dict[str, str]]:
    """What is given for no field at all, or for one that does not exist with these values; where the field that decides
    is wrong itself, nothing is said of those that hang on it."""
    names = [field.name for field in fields if _exists(field, values)]
    undecided = {field.name: field.when for field in fields if field.name not in names}
    problems: list[dict[str, str]] = []
    for name, value in given.items():
        when = undecided.get(name)
        if name not in names and when is None:
            text = f"is not known here; the fields are: {', '.join(names) or 'none'}"
            problems.append({"field": str(name)[:100], "problem": text})
        elif when is not None and when[0] not in failed and value not in (None, ""):
            text = f"exists only where {when[0]} is {when[1]}, and it is {values.get(when[0])}; leave it out"
            problems.append({"field": name, "problem": text})
    return problems


def _checked(field: Field, given: Mapping[str, Any], stored: Values) -> Value:
    value = given.get(field.name)
    if _keeps(field, given, stored):
        value = stored.get(field.name)
        if value is not None:
            return value
        if given.get(field.name) == MASK:
            raise InvalidField("is masked, and nothing is stored to keep; give the secret itself or leave it out")
    if field.shown and isinstance(value, str) and CUT in value:
        raise InvalidField("is shortened, and not as the stored one is shown; give the whole one, or leave it out")
    if isinstance(value, str) and field.kind != "secret":  # a password may begin or end with a space
        value = value.strip()
    if value is None or value == "":
        return _absent(field)
    return _number(field, value) if field.kind == "number" else _text(field, value)


def _keeps(field: Field, given: Mapping[str, Any], stored: Values) -> bool:
    if field.kind == "secret":
        return field.name not in given or given[field.name] == MASK
    return field.shown is not None and (field.name not in given or given[field.name] == _shown(field, stored))


def _made_anew(field: Field, given: Mapping[str, Any], values: Values, stored: Values) -> bool:
    """A secret that nobody speaks of, whose host is left; nobody has to think one up where one can be made."""
    return field.generate is not None and field.name not in given and _leaves(field, values, stored)


def _leaves(field: Field, values: Values, stored: Values) -> bool:
    """Whether the host that knows this secret is another one from now on."""
    before, after = stored.get(field.known_at), values.get(field.known_at)
    if not before or not after:
        return False
    one, other = read_url(str(before)), read_url(str(after))
    return (one.host, one.port) != (other.host, other.port)


def _moved_secrets(
    fields: Sequence[Field], given: Mapping[str, Any], values: Values, stored: Values
) -> Iterator[dict[str, str]]:
    """A problem for each stored secret that would be kept, and used elsewhere than before."""
    before = {field.name: stored.get(field.name, field.default) for field in fields}
    for field in fields:
        if not _exists(field, values):
            continue  # it goes away with the provider it belonged to
        if stored.get(field.name) is None or not _keeps(field, given, stored):
            continue
        if moved := " and ".join(name for name in field.goes_to if values.get(name) != before[name]):
            text = (
                f"must be given anew, because {moved} will change: a stored secret goes only where it was meant to go"
            )
            yield {"field": field.name, "problem": text}
        elif _leaves(field, values, stored) and values.get(field.name) == stored[field.name]:
            otherwise = "leave it out to have one made" if field.generate else "say null where there is none"
            text = f"must be given anew, because {field.known_at} leads to another host, which need not know it; or"
            yield {"field": field.name, "problem": f"{text} {otherwise}"}


def _absent(field: Field) -> Value:
    if field.generate is not None:
        return field.generate()
    if field.required and field.default is None:
        raise InvalidField(f"is missing. {field.help}")
    return field.default


def _number(field: Field, value: object) -> int:
    # Forms send digits, JSON sends numbers; true is neither.
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:17])
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_NUMBER:
        raise InvalidField("must be a whole number")
    return int(field.check(str(value))) if field.check else value


def _text(field: Field, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidField("must be a text")
    if len(value) > MAX_LENGTH:
        raise InvalidField(f"is longer than {MAX_LENGTH:,} characters")
    if _UNPRINTABLE.search(value):
        raise InvalidField("has a line break or another control character in it; take it out")
    if field.choices and value not in field.choices:
        raise InvalidField(f"must be one of: {', '.join(field.choices)}")
    if field.kind == "url":
        value = checked_url(value)
    return field.check(value) if field.check else value
