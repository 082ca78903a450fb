"""The adapters there are: every folder beside this file that holds an `adapter.py`."""

from collections.abc import Mapping
from types import MappingProxyType

from tidings.events.sources.contract import Adapter
from tidings.kernel.folders import found_in

_found = found_in("tidings.events.sources", "adapter", Adapter)  # type: ignore[type-abstract]
ADAPTERS: Mapping[str, Adapter] = MappingProxyType(dict(_found))


def in_order(adapter: str, words: Mapping[str, str]) -> dict[str, str]:
    """As the adapter's mapping has its parts: PostgreSQL keeps no order of members."""
    known = ADAPTERS.get(adapter)
    return {part: words[part] for part in (known.mapping.parts if known else words) if part in words}
