"""What somebody has to do in another system, so that it sends here: `steps.toml` in its adapter's folder. Pure."""

import tomllib
from collections.abc import Mapping, Sequence


def read_steps(text: str) -> Mapping[str, Sequence[str]]:
    """By language, `steps` of each."""
    table: dict[str, dict[str, list[str]]] = tomllib.loads(text)
    return {language: each["steps"] for language, each in table.items()}
