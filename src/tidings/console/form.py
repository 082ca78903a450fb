"""A form made of what a channel or an adapter declares. What is stored as a secret never gets here: only whether it is
set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import get_language

from tidings.channels.check import existing
from tidings.channels.contract import Field, Value, Values
from tidings.channels.field_words import Text, in_language
from tidings.console.spoken import spoken

LONG = 80
"""Characters of a text from which it gets several lines to be written in."""
REMOVE = "remove"
"""The name of the boxes that take a secret away."""
_TYPES = {"text": "text", "url": "url", "number": "text", "secret": "password"}


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Input:
    """One field as it is shown. `set`, of a secret: one is stored. `removable`: it may be taken away; `made`: another
    one is made instead. `decides`: other fields exist only for one of its values."""

    name: str
    kind: str
    label: str
    help: str
    required: bool
    value: str = ""
    placeholder: str = ""
    choices: Sequence[Choice] = ()
    set: bool = False
    removable: bool = False
    made: bool = False
    removing: bool = False
    decides: bool = False
    problem: str = ""

    @property
    def type(self) -> str:
        return _TYPES.get(self.kind, "text")

    @property
    def described_by(self) -> str:
        return f"{self.name}-help" + (f" {self.name}-problem" if self.problem else "")


@dataclass(frozen=True, slots=True)
class Declared:
    """What a form is made of: the fields, what stands in them now (masked), and in which version."""

    fields: Sequence[Field]
    values: Values
    version: int

    def label_of(self, name: str) -> str:
        return next((said(each.words.label) for each in self.fields if each.name == name), name)


@dataclass(frozen=True, slots=True)
class Form:
    """`differs`: what somebody else has changed meanwhile, and stands there now: (label, theirs)."""

    inputs: Sequence[Input]
    version: int
    problems: Sequence[tuple[str, str]] = ()
    differs: Sequence[tuple[str, str]] = field(default=())

    @property
    def refused(self) -> bool:
        return bool(self.problems or self.differs)


def stored_form(kept: Declared) -> Form:
    """As it is kept."""
    return Form(_inputs(kept, kept.values, frozenset(), {}), kept.version)


def written_form(
    kept: Declared, post: QueryDict, problems: Mapping[str, str] | None = None, *, changed: bool = False
) -> Form:
    """As somebody has filled it in, without the secrets they wrote. `changed`: somebody else was quicker, and `kept`
    is what stands there now."""
    written = _written(kept.fields, post)
    problems = {name: spoken(problem) for name, problem in (problems or {}).items()}
    inputs = _inputs(kept, written, frozenset(post.getlist(REMOVE)), problems)
    labels = {each.name: each.label for each in inputs}
    elsewhere = [(labels.get(name, name), problem) for name, problem in problems.items()]
    return Form(inputs, kept.version, elsewhere, _differences(kept, written) if changed else ())


def given(fields: Sequence[Field], post: QueryDict) -> dict[str, Any]:
    """What `configure` is to be told: a secret that was left empty is not mentioned, one to be removed is null."""
    written, removed = _written(fields, post), post.getlist(REMOVE)
    values: dict[str, Any] = {}
    for each in existing(fields, written):
        value = post.get(each.name, "")
        if each.kind != "secret" or value:
            values[each.name] = value
        elif each.name in removed:
            values[each.name] = None
    return values


def said(words: Text) -> str:
    return in_language(words, get_language() or "en")


def _written(fields: Sequence[Field], post: QueryDict) -> Values:
    return {each.name: post.get(each.name, "") for each in fields if each.kind != "secret" and each.name in post}


def _inputs(kept: Declared, values: Values, removed: frozenset[str], problems: Mapping[str, str]) -> list[Input]:
    deciding = {each.when[0] for each in kept.fields if each.when}
    return [
        _input(each, kept, values.get(each.name, each.default), removed, problems.get(each.name, ""), deciding)
        for each in existing(kept.fields, values)
    ]


def _input(
    one: Field, kept: Declared, value: Value, removed: frozenset[str], problem: str, deciding: set[str]
) -> Input:
    secret = one.kind == "secret"
    is_set = secret and bool(kept.values.get(one.name))
    text = "" if secret or value is None else str(value)
    return Input(
        name=one.name,
        kind="long" if one.kind == "text" and len(text) > LONG else one.kind,
        label=said(one.words.label),
        help=said(one.words.help),
        required=one.required and one.default is None and not is_set,
        value=text,
        placeholder="" if one.default is None or text else str(one.default),
        choices=[Choice(each, said(one.words.choices.get(each, {})) or each, each == text) for each in one.choices],
        set=is_set,
        removable=is_set and not one.required,
        made=one.generate is not None,
        removing=one.name in removed,
        decides=one.name in deciding,
        problem=problem,
    )


def _differences(kept: Declared, written: Values) -> list[tuple[str, str]]:
    now = {name: "" if value is None else str(value) for name, value in kept.values.items()}
    return [
        (said(each.words.label), now.get(each.name, ""))
        for each in kept.fields
        if each.kind != "secret" and each.name in written and written[each.name] != now.get(each.name, "")
    ]
