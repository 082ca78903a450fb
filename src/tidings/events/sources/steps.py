"""What somebody has to do in another system, so that it sends here: `steps.toml` in its adapter's folder. Pure."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path


def steps_beside(module: str) -> Mapping[str, Sequence[str]]:
    """By language, `steps` of each. `module` is the `__file__` of its adapter."""
    table: dict[str, dict[str, list[str]]] = tomllib.loads(Path(module).with_name("steps.toml").read_text("utf-8"))
    return {language: each["steps"] for language, each in table.items()}
