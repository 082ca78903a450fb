"""An expression of an option: looked at when it is saved, so that what can be known then is said then; evaluated within
a budget. Pure.

https://jmespath.org/specification.html
"""

import difflib
import re
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec
from jmespath.exceptions import EmptyExpressionError, JMESPathError, JMESPathTypeError, LexerError, ParseError
from jmespath.parser import Parser

from tidings.channels.contract import InvalidField
from tidings.events.sources.json.interpret import FUNCTIONS, Budget, Interpreter, TooMuch
from tidings.events.sources.understand import line

NESTED_AT_MOST = 40
"""Levels of an expression; the longest that anybody wrote by hand has ten."""
ROOTS = ("body", "headers", "item")
"""What an expression sees."""


KEPT = 200_000
"""Characters of expressions that are kept as they were read; each takes about a hundred times its length."""
_known: dict[str, Any] = {}


class _Parser(Parser):
    """The library keeps the last 512, of whatever length, for everybody."""

    _CACHE: ClassVar[dict[str, Any]] = {}
    _MAX_SIZE = 0


class Failed(Exception):
    """The expression gives no value for this body; the text says why, after "the expression"."""


def checked_expression(text: str) -> str:
    """As it is. Raises `InvalidField`, with the position of what is wrong."""
    parsed = _parsed(text)
    for node, depth in _nodes(parsed):
        if depth > NESTED_AT_MOST:
            raise InvalidField(f"is nested more than {NESTED_AT_MOST} levels deep; make it simpler")
        if node["type"] == "function_expression":
            _check_call(node["value"], len(node["children"]))
        if node["type"] in ("literal", "field"):
            _check_text(node["value"])
    if strange := sorted(_begins_with(parsed) - set(ROOTS)):
        name = line(strange[0])
        raise InvalidField(f"begins with {name}, and there are only {', '.join(ROOTS)}; you may mean body.{name}")
    return text


def evaluate(expression: str, document: dict[str, Any], budget: Budget) -> Any:
    """Raises `Failed`."""
    try:
        result = Interpreter(budget).visit(_compiled(expression), document)
        budget.take(result)
        return result
    except TooMuch as error:
        raise Failed(f"cannot be evaluated: {error}") from None
    except JMESPathTypeError as error:
        expected = " or ".join(error.expected_types)
        raise Failed(
            f"gives {error.function_name}() what it does not take: {error.actual_type}, not {expected}"
        ) from None
    except RecursionError:
        raise Failed("cannot be evaluated: something is nested too deeply") from None
    except Exception as error:
        # Of values that do not go together, in Python's words: 'a' < 1, ceil(infinity).
        raise Failed(f"cannot be evaluated: {line(str(error)) or type(error).__name__}") from None


def _compiled(text: str) -> Any:
    known = _known.get(text)
    if known is None:
        if sum(map(len, _known)) > KEPT:
            _known.clear()
        known = _known[text] = _parsed(text)
    return known


def _parsed(text: str) -> Any:
    try:
        return _Parser().parse(text).parsed
    except RecursionError:
        raise InvalidField("is nested too deeply; make it simpler") from None
    except EmptyExpressionError:
        raise InvalidField("is empty; leave it out where there is nothing to say") from None
    except LexerError as error:
        raise InvalidField(_unread(error, text)) from None
    except ParseError as error:
        raise InvalidField(_told(error, text)) from None
    except (JMESPathError, IndexError) as error:
        raise InvalidField(f"cannot be read: {line(str(error))}") from None


def _unread(error: LexerError, text: str) -> str:
    at = f"cannot be read at character {error.lexer_position + 1}"
    word = re.match(r"\w+", text[error.lexer_position :])
    if word and not word[0].isascii():
        return f'{at}: write "{line(word[0])}" with double quotes, as every name with letters other than a to z'
    return f"{at}: {line(error.message)}"


def _told(error: ParseError, text: str) -> str:
    if error.token_type in (None, "EOF") or error.lex_position >= len(text):
        return "ends too early: a name, a bracket or a quotation mark is missing"
    return (
        f"cannot be read at character {error.lex_position + 1}: {line(str(error.token_value))!r} is not expected there"
    )


def _nodes(root: Any) -> Iterator[tuple[Any, int]]:
    waiting = [(root, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting += [(child, depth + 1) for child in node["children"] if isinstance(child, dict)]


def _begins_with(node: Any) -> set[str]:
    """The names that are looked for in what an expression sees, and not in a part of it."""
    match node["type"]:
        case "field":
            return {node["value"]}
        case "expref" | "literal" | "current" | "identity" | "index" | "slice":
            return set()
        case "function_expression" | "comparator" | "key_val_pair" | "not_expression":
            parts = node["children"]
        case "or_expression" | "and_expression" | "multi_select_list" | "multi_select_dict":
            parts = node["children"]
        case _:
            parts = node["children"][:1]  # of what it gives the rest sees only a part
    return {name for part in parts for name in _begins_with(part)}


def _check_call(name: str, given: int) -> None:
    if name not in FUNCTIONS:
        close = difflib.get_close_matches(name, FUNCTIONS, n=1) or ["join"]
        raise InvalidField(f"calls {line(name)}(), which there is not; {close[0]}() is the nearest there is")
    wanted = FUNCTIONS[name]["signature"]
    more = bool(wanted and wanted[-1].get("variadic"))
    if given < len(wanted) or (given > len(wanted) and not more):
        raise InvalidField(f"gives {name}() {given} values, and it takes {len(wanted)}{' or more' if more else ''}")


def _check_text(value: Any) -> None:
    try:
        msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError, RecursionError):
        raise InvalidField("holds a text or a number that no JSON in UTF-8 can have") from None
