"""What is said of a person, in the one form in which people are compared."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from tidings.accounts.models import SYSTEM_ROLES
from tidings.channels.contract import InvalidField
from tidings.channels.mobiles import checked_mobile
from tidings.directory.spelling import checked_email
from tidings.kernel.problems import invalid

LOGIN_LENGTH = 100
TEXT_LENGTH = 200
NAMED_LENGTH = 100
"""Of what cannot be used, where it is named."""
# What people and systems write, and the language it stands for.
LANGUAGES: Mapping[str, str] = {
    "en": "en",
    "en-us": "en",
    "en-gb": "en",
    "zh": "zh-hans",
    "zh-cn": "zh-hans",
    "zh-hans": "zh-hans",
    "zh-hans-cn": "zh-hans",
}
# In the IANA database, or beside it on some machines, without being a zone where somebody lives.
NO_ZONES = frozenset({"Factory", "localtime", "posixrules"})
# Spaces, controls, formats (zero-width characters and direction marks among them), lone surrogates, private use.
_NOT_IN_LOGINS = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co"})
# Letters and marks by category, yet nothing to be seen (Unicode, Default_Ignorable_Code_Point).
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Profile:
    """What an administrator says of a person; None leaves a part as it is, an empty one clears it."""

    name: str | None = None
    email: str | None = None
    mobile: str | None = None
    external_id: str | None = None
    roles: Sequence[str] | None = None
    language: str | None = None
    timezone: str | None = None
    active: bool | None = None

    def given(self) -> dict[str, Any]:
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in pairs if value is not None}


def checked_profile(profile: Profile) -> Profile:
    """Every part in its normal form. Raises 422 naming all that cannot be used."""
    values: dict[str, Any] = {}
    problems: list[dict[str, str]] = []
    for name, value in profile.given().items():
        check = _CHECKS.get(name)
        try:
            values[name] = check(value) if check and value else value
        except InvalidField as error:
            problems.append({"field": name, "problem": str(error)})
    if problems:
        raise invalid("Some of this cannot be used: see errors.", problems)
    return Profile(**values)


def checked_login(text: str) -> str:
    """NFC. Raises 422."""
    login = unicodedata.normalize("NFC", text)
    hidden = _INVISIBLE.search(login) or any(unicodedata.category(letter) in _NOT_IN_LOGINS for letter in login)
    if not 1 <= len(login) <= LOGIN_LENGTH or hidden or "/" in login or login in (".", ".."):
        problem = f"must be 1 to {LOGIN_LENGTH} characters without /, spaces and characters that cannot be seen"
        raise invalid(f"This login cannot be used: it {problem}.", [{"field": "login", "problem": problem}])
    return login


def looked_up(login: str) -> str:
    """The form to search for; what could never be a login is found nowhere."""
    login = unicodedata.normalize("NFC", login)
    return "" if len(login) > LOGIN_LENGTH or unprintable(login) else login


def unprintable(text: str) -> bool:
    """Whether it has what no line of text shows and PostgreSQL may not store."""
    return bool(_UNPRINTABLE.search(text))


def checked_language(text: str) -> str:
    try:
        return LANGUAGES[text.strip().lower().replace("_", "-")]
    except KeyError:
        known = ", ".join(sorted(set(LANGUAGES.values())))
        raise InvalidField(f"is not known here; the languages are: {known}") from None


def checked_timezone(text: str) -> str:
    if text not in timezones():
        raise InvalidField("is no time zone; write it as the IANA database does, such as Asia/Shanghai or UTC")
    return text


@cache
def timezones() -> frozenset[str]:
    return frozenset({"UTC", *available_timezones()} - NO_ZONES)


def _roles(roles: Sequence[str]) -> list[str]:
    if unknown := sorted(set(roles) - set(SYSTEM_ROLES)):
        named = ", ".join(unknown)[:NAMED_LENGTH]
        raise InvalidField(f"has {named}, which is not known; the roles are: {', '.join(SYSTEM_ROLES)}")
    return [role for role in SYSTEM_ROLES if role in roles]


def _text(text: str) -> str:
    text = unicodedata.normalize("NFC", text).strip()
    if len(text) > TEXT_LENGTH:
        raise InvalidField(f"is longer than {TEXT_LENGTH} characters")
    if unprintable(text):
        raise InvalidField("has a line break or another control character in it; take it out")
    return text


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "name": _text,
    "email": checked_email,
    "mobile": checked_mobile,
    "external_id": _text,
    "roles": _roles,
    "language": checked_language,
    "timezone": checked_timezone,
}
