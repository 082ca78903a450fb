"""What lies in a folder of its own and is found there: a channel, an adapter."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def found_in(package: str, file: str, kind: type[T]) -> Iterator[tuple[str, T]]:
    """The one class of this kind in each `<package>/<folder>/<file>.py`: its code and an instance. Raises RuntimeError
    for a folder that is not named after that code."""
    here = import_module(package).__path__[0]
    for path in sorted(Path(here).glob(f"*/{file}.py")):
        module = import_module(f"{package}.{path.parent.name}.{file}")
        [one] = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, kind) and value.__module__ == module.__name__
        ]
        made: Any = one()
        if made.code != path.parent.name:
            raise RuntimeError(f'{path.parent} calls itself "{made.code}": a folder is named after its code')
        yield made.code, made
