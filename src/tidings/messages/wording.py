"""The words of every message, in every language: read once from `templates/*.toml`, checked, and cut into pieces.

A template is cut at its placeholders when it is loaded. Filling one is plain concatenation, so titles and names from
outside are never parsed: a brace or a percent sign in them comes out as it came. Pure: neither Django nor network.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES: tuple[str, ...] = ("en", "zh-hans")

PLAIN_LABELS = (
    "what", "subject", "where", "when", "status", "risk", "environment", "affected_rows", "comment",
    "approval_node", "failed_tasks", "exec_mode", "window", "to_do", "why", "open",
    "submitter", "concerns", "approvers", "actor",
    "somebody", "cut", "test_headline", "test_body", "custom_todo", "code_subject", "code_why", "farewell_body",
    "unsubscribe",
    "unsubscribe_question", "unsubscribe_effect", "unsubscribe_button", "unsubscribed", "unsubscribed_return",
    "unsubscribe_former", "unsubscribe_former_todo",
    "unsubscribe_broken", "unsubscribe_broken_todo", "reason",
)  # fmt: skip
FILLED_LABELS = {
    "earlier_status": ("then", "now"),
    "custom_headline": ("feature", "event", "title"),
    "code_text": ("digits", "minutes"),
    "farewell_headline": ("name",),
}

# In the order in which a person reads them: their own part in it first, then what they hold, then what they are.
ROLES = (
    "submitter", "approver", "related_person", "data_owner", "instance_dba", "dba", "administrator",
    "security_administrator", "additional_user",
)  # fmt: skip
ROLES_OF_SOMETHING = ("data_owner", "instance_dba")
"""Held over a resource: `data_owner` names it, `data_owner_any` is said where it is not known."""
JOINS = ("because_join", "because_last_join", "of_join", "of_last_join")
NAMES_SHOWN = 3

VALUE_TABLES = ("risk", "environment", "exec_mode", "reason", "reason_todo", "reason_todo_failed")
SHARED_TABLES = ("labels", "because", *VALUE_TABLES)


class WordingError(Exception):
    """A text is missing, unknown or malformed; says which, in which file. Raised when the files are read."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text cut at its placeholders: `start`, then for each placeholder its name and the text after it."""

    start: str
    rest: tuple[tuple[str, str], ...]

    def fill(self, **values: str) -> str:
        text = self.start
        for name, following in self.rest:
            text += values[name] + following
        return text


@dataclass(frozen=True, slots=True)
class Because:
    """How to say why a person gets a message."""

    line: Template
    join: str
    last_join: str
    of_join: str
    of_last_join: str
    of_all: Template
    of_more: Template
    plain: Mapping[str, str]
    of_something: Mapping[str, Template]

    def sentence(self, reasons: Sequence[tuple[str, str | None]]) -> str:
        held: dict[str, set[str]] = {}
        for role, of in reasons:
            held.setdefault(role if role in ROLES else "other", set()).update({of} if of else ())
        phrases = [self._phrase(role, held[role]) for role in (*ROLES, "other") if role in held]
        return self.line.fill(reasons=_listed(phrases, self.join, self.last_join)) if phrases else ""

    def _phrase(self, role: str, of: set[str]) -> str:
        if not of or role not in self.of_something:
            return self.plain[role]
        return self.of_something[role].fill(of=self._names(sorted(of)))

    def _names(self, names: Sequence[str]) -> str:
        """All of them, or three and how many more; "and 1 more" would save nothing, so the fourth is still named."""
        if len(names) <= NAMES_SHOWN + 1:
            return self.of_all.fill(names=_listed(names, self.of_join, self.of_last_join))
        return self.of_more.fill(names=self.of_join.join(names[:NAMES_SHOWN]), more=str(len(names) - NAMES_SHOWN))


@dataclass(frozen=True, slots=True)
class Wording:
    """All words of one language; `wording(language)` gives it. What has no text of its own is a tenant's event type."""

    language: str
    _headlines: Mapping[str, tuple[str, str]]
    _todos: Mapping[str, str]
    _labels: Mapping[str, str]
    _filled: Mapping[str, Template]
    _because: Because
    _values: Mapping[str, Mapping[str, str]]

    @property
    def event_types(self) -> frozenset[str]:
        """Those with a text of their own."""
        return frozenset(self._headlines)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Those that have words."""
        return tuple(self._values["reason"])

    def headline(self, event_type: str, title: str, *, feature_label: str = "", event_label: str = "") -> str:
        """What happened. The labels are said only of a tenant's own event type; without them its code is."""
        around = self._headlines.get(event_type)
        if around is not None:
            return around[0] + title + around[1]
        feature, _, event = event_type.partition(".")
        return self._filled["custom_headline"].fill(
            feature=feature_label or feature, event=event_label or event, title=title
        )

    def todo(self, event_type: str) -> str:
        return self._todos.get(event_type) or self._labels["custom_todo"]

    def label(self, key: str) -> str:
        """A fixed word or text. What takes values is a method of its own."""
        return self._labels[key]

    def earlier_status(self, then: str, now: str) -> str:
        """Said by a message that a newer status overtook: `then` is a time, `now` the newer status."""
        return self._filled["earlier_status"].fill(then=then, now=now)

    def code_text(self, digits: str, minutes: int) -> str:
        """The code, said first: it is what a list of messages shows of it."""
        return self._filled["code_text"].fill(digits=digits, minutes=str(minutes))

    def farewell_headline(self, name: str) -> str:
        return self._filled["farewell_headline"].fill(name=name)

    def because(self, reasons: Sequence[tuple[str, str | None]]) -> str:
        """One sentence from (role, of) pairs, whatever their order and however often they repeat; none: ""."""
        return self._because.sentence(reasons)

    def value(self, table: str, value: str) -> str:
        """A word of one of `VALUE_TABLES`; what is not known there is not said: nobody knows what it holds."""
        return self._values[table].get(value.strip().lower(), "")


def wording(language: str) -> Wording:
    """The nearest there is: any Chinese (`zh`, `zh-cn`, `zh_Hans_CN`) becomes Simplified Chinese, all else English."""
    every = _every_language()
    return every.get(language) or every[_nearest(language)]


def _nearest(language: str) -> str:
    tag = language.strip().lower().replace("_", "-")
    if tag in LANGUAGES:
        return tag
    return "zh-hans" if tag.partition("-")[0] == "zh" else "en"


@cache
def _every_language() -> Mapping[str, Wording]:
    folder = files("tidings.messages") / "templates"
    return compile_all({code: tomllib.loads((folder / f"{code}.toml").read_text("utf-8")) for code in LANGUAGES})


def compile_all(tables_of: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Wording]:
    """Every language's tables, checked one by one and against each other: what one can say, all must be able to."""
    every = {code: _Reader(code, tables).wording() for code, tables in tables_of.items()}
    first = tables_of[LANGUAGES[0]]
    for code, tables in tables_of.items():
        _same_keys(f"{code}.toml", tables, first)
        for name in VALUE_TABLES:
            _same_keys(f"{code}.toml [{name}]", tables[name], first[name])
        _same_keys(f"{code}.toml [reason_todo]", tables["reason_todo"], tables["reason"])
    return every


class _Reader:
    """One language's tables while they are checked and compiled; knows where it is, to say so in an error."""

    def __init__(self, code: str, tables: Mapping[str, Any]) -> None:
        self.code = code
        self.tables = tables

    def wording(self) -> Wording:
        event_types = [name for name in self.tables if name not in SHARED_TABLES]
        for event_type in event_types:
            self._only(event_type, {"headline", "todo"})
        self._only("reason_todo_failed", set(self._table("reason")))
        self._only("labels", {*PLAIN_LABELS, *FILLED_LABELS})
        return Wording(
            language=self.code,
            _headlines={event_type: self._around_title(event_type) for event_type in event_types},
            _todos={event_type: self._plain(event_type, "todo") for event_type in event_types},
            _labels={key: self._plain("labels", key) for key in PLAIN_LABELS},
            _filled={key: self._template("labels", key, *names) for key, names in FILLED_LABELS.items()},
            _because=self._because(),
            _values={name: self._values(name) for name in VALUE_TABLES},
        )

    def _because(self) -> Because:
        any_of = {role: f"{role}_any" for role in ROLES_OF_SOMETHING}
        self._only("because", {*ROLES, "other", *any_of.values(), *JOINS, "because_line", "of_all", "of_more"})
        return Because(
            line=self._template("because", "because_line", "reasons"),
            join=self._plain("because", "because_join"),
            last_join=self._plain("because", "because_last_join"),
            of_join=self._plain("because", "of_join"),
            of_last_join=self._plain("because", "of_last_join"),
            of_all=self._template("because", "of_all", "names"),
            of_more=self._template("because", "of_more", "names", "more"),
            plain={role: self._plain("because", any_of.get(role, role)) for role in (*ROLES, "other")},
            of_something={role: self._template("because", role, "of") for role in ROLES_OF_SOMETHING},
        )

    def _values(self, table: str) -> Mapping[str, str]:
        return {key.lower(): self._plain(table, key) for key in self._table(table)}

    def _around_title(self, event_type: str) -> tuple[str, str]:
        headline = self._template(event_type, "headline", "title")
        return headline.start, headline.rest[0][1]

    def _plain(self, table: str, key: str) -> str:
        return self._template(table, key).start

    def _template(self, table: str, key: str, *names: str) -> Template:
        """The text of a key, which must have each of `names` exactly once and no other placeholder."""
        text = self._text(table, key)
        template = cut(text)
        stray = set("{}") & {*template.start, *(char for _, following in template.rest for char in following)}
        if stray or sorted(name for name, _ in template.rest) != sorted(names):
            expected = " ".join(f"{{{name}}}" for name in names) or "none"
            raise WordingError(f"{self._at(table, key)}: placeholders must be {expected} in {text!r}")
        return template

    def _text(self, table: str, key: str) -> str:
        text = self._table(table).get(key)
        if not isinstance(text, str) or not text.strip(" ") or "\n" in text:
            raise WordingError(f"{self._at(table, key)}: a text of one line is needed, found {text!r}")
        return text

    def _table(self, name: str) -> Mapping[str, Any]:
        table = self.tables.get(name)
        if not isinstance(table, dict) or not table:
            raise WordingError(f"{self.code}.toml: table [{name}] is missing or empty")
        return table

    def _only(self, table: str, known: set[str]) -> None:
        if unknown := sorted(set(self._table(table)) - known):
            raise WordingError(f"{self._at(table, unknown[0])}: unknown key; known are {', '.join(sorted(known))}")

    def _at(self, table: str, key: str) -> str:
        return f"{self.code}.toml [{table}] {key}"


def cut(text: str) -> Template:
    """A text of ours, cut at its placeholders: runs when the files are read, never on what comes from outside."""
    start, *pieces = re.split(r"\{([^{}]*)\}", text)
    return Template(start, tuple(zip(pieces[::2], pieces[1::2], strict=True)))


def _listed(items: Sequence[str], join: str, last_join: str) -> str:
    return items[0] if len(items) == 1 else join.join(items[:-1]) + last_join + items[-1]


def _same_keys(where: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    if missing := sorted(set(expected) - set(found)):
        raise WordingError(f"{where}: {', '.join(missing)} missing")
    if extra := sorted(set(found) - set(expected)):
        raise WordingError(f"{where}: {', '.join(extra)} not in {LANGUAGES[0]}.toml")
