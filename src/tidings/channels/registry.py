"""The channels there are: every folder beside this file that holds a `channel.py`, then those that other packages
bring (`plug_in.py`). From here on nothing tells one from the other.

CONTRIBUTING says how to add one.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType

from tidings.channels.contract import Channel
from tidings.channels.plug_in import GROUP, plugged_in


class UnknownChannel(LookupError):
    """There is no such channel; the text names those there are."""


def channel(code: str) -> Channel:
    try:
        return CHANNELS[code]
    except KeyError:
        raise UnknownChannel(f'There is no channel "{code}". The channels are: {", ".join(CHANNELS)}.') from None


def _built_in() -> Iterator[tuple[str, Channel]]:
    for path in sorted(Path(__file__).parent.glob("*/channel.py")):
        folder = path.parent.name
        module = import_module(f"tidings.channels.{folder}.channel")
        [kind] = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Channel) and value.__module__ == module.__name__
        ]
        if kind.code != folder:
            raise RuntimeError(f'channels/{folder} calls itself "{kind.code}": a folder is named after its code')
        yield folder, kind()


def _every() -> Mapping[str, Channel]:
    """Raises `PlugInUnusable`."""
    built_in = dict(_built_in())
    return MappingProxyType({**built_in, **plugged_in(entry_points(group=GROUP), built_in)})


CHANNELS: Mapping[str, Channel] = _every()
