"""The channels there are: every folder beside this file that holds a `channel.py`.

Adding one: a folder with `channel.py`; its vendor's double in `testing/`; its rows in `tests/contracts/vendors/`; its
golden payloads (`TIDINGS_GOLDEN=write make test ARGS=tests/contracts`), and how the gallery shows it (`preview`).
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from tidings.channels.contract import Channel


class UnknownChannel(LookupError):
    """There is no such channel; the text names those there are."""


def channel(code: str) -> Channel:
    try:
        return CHANNELS[code]
    except KeyError:
        raise UnknownChannel(f'There is no channel "{code}". The channels are: {", ".join(CHANNELS)}.') from None


def _found() -> Iterator[tuple[str, Channel]]:
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


CHANNELS: Mapping[str, Channel] = MappingProxyType(dict(_found()))
