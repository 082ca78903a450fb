"""What a source may say of a body: where in it the parts of an event are, and how its sender signs."""

import re
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from tidings.channels.contract import Field, InvalidField, Values
from tidings.channels.field_words import words_beside
from tidings.events.sources.json.expression import checked_expression
from tidings.events.sources.json.signature import SCHEMES

_WORDS = words_beside(__file__)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OFFSET = re.compile(r"([+-])([01][0-9]):([0-5][0-9])")
PEOPLE_BY: tuple[Literal["login", "email", "external_id", "mobile"], ...] = ("login", "email", "external_id", "mobile")


def _zone_text(text: str) -> str:
    if _zone(text) is None:
        raise InvalidField("is no time zone: write +08:00, or a name such as Asia/Shanghai")
    return text


def zone_of(options: Values) -> tzinfo:
    return _zone(str(options.get("zone") or "")) or UTC


def _zone(text: str) -> tzinfo | None:
    if found := _OFFSET.fullmatch(text):
        ahead = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(ahead if found[1] == "+" else -ahead)
    try:
        return ZoneInfo(text) if text else None
    except (ValueError, OSError, KeyError):  # a name that is a folder is an OSError, an unknown one a KeyError
        return None


def _header(text: str) -> str:
    if not _HEADER.fullmatch(text):
        raise InvalidField("is no name of a header: letters, digits and dashes, such as X-Signature")
    return text


def _expression(name: str) -> Field:
    return Field(name, "text", _WORDS[name], check=checked_expression)


EXPRESSIONS = (
    _expression("events"),
    _expression("only_if"),
    _expression("type"),
    _expression("what"),
    _expression("status"),
    _expression("subject_kind"),
    _expression("subject_id"),
    _expression("title"),
    _expression("url"),
    _expression("id"),
    _expression("time"),
    _expression("submitter"),
    _expression("approvers"),
    _expression("related"),
    _expression("actor"),
    _expression("resources"),
    _expression("details"),
)
OPTIONS = (
    *EXPRESSIONS,
    Field("people_by", "choice", _WORDS["people_by"], default="login", choices=PEOPLE_BY),
    Field("zone", "text", _WORDS["zone"], check=_zone_text),
    Field("signature", "choice", _WORDS["signature"], default=SCHEMES[0], choices=SCHEMES),
    Field("signature_header", "text", _WORDS["signature_header"], check=_header),
)


def describes(options: Values) -> bool:
    """Whether the source says anything of where things are."""
    return any(options.get(field.name) for field in EXPRESSIONS)
