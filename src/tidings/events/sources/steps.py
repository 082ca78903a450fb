"""What people read of an adapter: `steps.toml` in its folder says in a line what it is, and what somebody has to do in
another system so that it sends here; `sample.http` what it then sends. Pure."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tidings.events.sources.contract import Sample


class Told(NamedTuple):
    """As `Adapter` has them: texts by language, `labels` where it is called otherwise than `label`."""

    labels: Mapping[str, str]
    about: Mapping[str, str]
    steps: Mapping[str, Sequence[str]]
    sample: Sample


def told_beside(module: str) -> Told:
    """`module` is the `__file__` of its adapter."""
    written: dict[str, dict[str, Any]] = tomllib.loads(Path(module).with_name("steps.toml").read_text("utf-8"))
    return Told(
        {language: each["label"] for language, each in written.items() if "label" in each},
        {language: each["about"] for language, each in written.items()},
        {language: each["steps"] for language, each in written.items()},
        _sample(Path(module).with_name("sample.http").read_text("utf-8")),
    )


def _sample(written: str) -> Sample:
    """Headers, where it needs any, an empty line, and the body."""
    head, _, body = written.rpartition("\n\n")
    headers = [line.partition(":") for line in head.splitlines()]
    return Sample({name.lower(): value.strip() for name, _, value in headers}, body.strip().encode())
