"""The adapters there are: every folder beside this file that holds an `adapter.py`."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from tidings.events.sources.contract import Adapter


def _found() -> Iterator[tuple[str, Adapter]]:
    for path in sorted(Path(__file__).parent.glob("*/adapter.py")):
        folder = path.parent.name
        module = import_module(f"tidings.events.sources.{folder}.adapter")
        [kind] = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Adapter) and value.__module__ == module.__name__
        ]
        if kind.code != folder:
            raise RuntimeError(f'events/sources/{folder} calls itself "{kind.code}": a folder is named after its code')
        yield folder, kind()


ADAPTERS: Mapping[str, Adapter] = MappingProxyType(dict(_found()))


def in_order(adapter: str, words: Mapping[str, str]) -> dict[str, str]:
    """As the adapter's mapping has its parts: PostgreSQL keeps no order of members."""
    known = ADAPTERS.get(adapter)
    return {part: words[part] for part in (known.mapping.parts if known else words) if part in words}
