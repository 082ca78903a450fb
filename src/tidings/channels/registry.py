"""The channels there are: every folder beside this file that holds a `channel.py`, then those that other packages
bring (`plug_in.py`). From here on nothing tells one from the other.

CONTRIBUTING says how to add one.
"""

from collections.abc import Mapping
from importlib.metadata import entry_points
from types import MappingProxyType

from tidings.channels.contract import Channel
from tidings.channels.plug_in import GROUP, plugged_in
from tidings.kernel.folders import found_in


class UnknownChannel(LookupError):
    """There is no such channel; the text names those there are."""


def channel(code: str) -> Channel:
    try:
        return CHANNELS[code]
    except KeyError:
        raise UnknownChannel(f'There is no channel "{code}". The channels are: {", ".join(CHANNELS)}.') from None


def _every() -> Mapping[str, Channel]:
    """Raises `PlugInUnusable`."""
    built_in = dict(found_in("tidings.channels", "channel", Channel))  # type: ignore[type-abstract]
    return MappingProxyType({**built_in, **plugged_in(entry_points(group=GROUP), built_in)})


CHANNELS: Mapping[str, Channel] = _every()
