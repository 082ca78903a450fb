"""Everything the console says is said in Chinese too."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

import tidings.console

CONSOLE = Path(tidings.console.__file__).parent
PO = CONSOLE / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
KEYWORDS = {
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "text": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}
# What Django makes of a template for xgettext: calls, with everything else crossed out.
_STRING = r"""u?(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")"""
_CALL = re.compile(rf"\b(?:gettext|_|ngettext|pgettext)\({_STRING}(?:,\s*{_STRING})?", re.DOTALL)
_PLACE = re.compile(r"%\((\w+)\)s|%s|%d|\{(\w*)\}")


def said_in_code() -> Iterator[tuple[str, str]]:
    for path in sorted(CONSOLE.rglob("*.py")):
        for _, message, _, context in extract_from_file("python", path, keywords=KEYWORDS):
            for each in message if isinstance(message, tuple) else (message,):
                if each and not (context and each == context):
                    yield each, path.name


def said_in_templates() -> Iterator[tuple[str, str]]:
    for path in sorted((CONSOLE / "templates").rglob("*.html")):
        for call in _CALL.finditer(templatize(path.read_text(), origin=str(path))):
            single, double = call.group(1), call.group(2)
            yield _unescaped(single if single is not None else double), path.name


def _unescaped(literal: str) -> str:
    return literal.encode("latin-1", "backslashreplace").decode("unicode_escape")


@cache
def catalog() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file)


def in_chinese(message: str) -> tuple[str, ...]:
    found = catalog().get(message)
    return () if found is None else (found.string,) if isinstance(found.string, str) else tuple(found.string)


def test_everything_that_is_said_has_a_translation() -> None:
    said = dict([*said_in_code(), *said_in_templates()])
    assert len(said) > 30
    plurals = {each.id[1] for each in catalog() if isinstance(each.id, tuple)}
    missing = {text: where for text, where in said.items() if text not in plurals and not all(in_chinese(text) or [""])}
    assert missing == {}


def test_a_translation_keeps_every_place_for_a_value() -> None:
    broken = [
        each.id
        for each in catalog()
        if each.id and set(_places(each.id)) != set(_places(each.string)) and not isinstance(each.id, tuple)
    ]
    assert broken == []


def test_nothing_is_translated_that_nobody_says() -> None:
    said = {message for message, _ in (*said_in_code(), *said_in_templates())}
    ids = {each.id if isinstance(each.id, str) else each.id[0] for each in catalog() if each.id}
    # One of Django's own is said better.
    assert ids - said == {"%(num)d day"}


def test_no_sentence_is_translated_twice() -> None:
    ids = re.findall(r'^msgid ((?:".*"\n?)+)', PO.read_text(), re.MULTILINE)
    assert sorted({each for each in ids if ids.count(each) > 1}) == []


def _places(text: object) -> list[str]:
    return [place.group(0) for place in _PLACE.finditer(str(text))]
