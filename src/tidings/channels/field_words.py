"""What people read of the fields a channel declares, in every language: `words.toml` in the channel's own folder. Pure.

[host]
label.en = "Mail server"
label.zh-hans = "邮件服务器"
help.en = "Its name, such as smtp.example.com."
help.zh-hans = "服务器名称，例如 smtp.example.com。"
choices.tls.en = "..."        (of a choice: what each value of it is called)
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

Text = Mapping[str, str]
"""By language."""


class Words(Struct, frozen=True, forbid_unknown_fields=True):
    """`label` is what a field is called, `help` says what to enter and when to leave it out."""

    label: Text
    help: Text
    choices: Mapping[str, Text] = {}


def words_beside(module: str) -> Mapping[str, Words]:
    """By the name of the field. `module` is the `__file__` of the one that declares it. Raises what is wrong."""
    table = tomllib.loads(Path(module).with_name("words.toml").read_text("utf-8"))
    return msgspec.convert(table, dict[str, Words])


def in_language(text: Text, language: str) -> str:
    """In English where it does not speak that language."""
    return text.get(language) or text.get("en", "")


def missing_words(words: Words, choices: Iterable[str], languages: Iterable[str]) -> Iterator[str]:
    """What cannot be said, as `label.en`; nothing when all can."""
    texts = {"label": words.label, "help": words.help}
    texts |= {f"choices.{choice}": words.choices.get(choice, {}) for choice in choices}
    for language in languages:
        yield from (f"{name}.{language}" for name, text in texts.items() if not text.get(language))
