"""What a source may say of a body: where in it the parts of an event are, and how its sender signs."""

import re
from typing import Literal

from tidings.channels.contract import Field, InvalidField, Values
from tidings.channels.field_words import words_beside
from tidings.events.sources.json.expression import checked_expression
from tidings.events.sources.json.signature import SCHEMES
from tidings.events.sources.zone import checked_zone

WORDS = words_beside(__file__)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
PEOPLE_BY: tuple[Literal["login", "email", "external_id", "mobile"], ...] = ("login", "email", "external_id", "mobile")


def _header(text: str) -> str:
    if not _HEADER.fullmatch(text):
        raise InvalidField("is no name of a header: letters, digits and dashes, such as X-Signature")
    return text


def _expression(name: str) -> Field:
    return Field(name, "text", WORDS[name], check=checked_expression)


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
    Field("people_by", "choice", WORDS["people_by"], default="login", choices=PEOPLE_BY),
    Field("timezone", "text", WORDS["timezone"], check=checked_zone),
    Field("signature", "choice", WORDS["signature"], default=SCHEMES[0], choices=SCHEMES),
    Field("signature_header", "text", WORDS["signature_header"], check=_header),
)


def describes(options: Values) -> bool:
    """Whether the source says anything of where things are."""
    return any(options.get(field.name) for field in EXPRESSIONS)
