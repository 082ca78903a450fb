"""A request as it goes over the wire (RFC 9112), and the headers of an answer."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from tidings.kernel.urls import Target

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2


def written(method: str, target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    """The request as it goes over the wire. Raises ValueError for what would not stay where it belongs."""
    values = "".join(headers.values())
    if not (values.isascii() and (values.isprintable() or not values) and all(map(_is_token, headers))):
        raise ValueError("A header of this request cannot be sent.")
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (_first_lines(method, target), lines.encode(), len(body), body)


@lru_cache(1024)
def _first_lines(method: str, target: Target) -> bytes:
    if not _is_token(method):
        raise ValueError("The method of this request cannot be sent.")
    return f"{method} {target.path} HTTP/1.1\r\nhost: {target.authority}\r\nuser-agent: Tidings\r\n".encode()


@lru_cache(1024)
def _is_token(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


class Headers(Mapping[str, str]):
    """Names are case-insensitive; of a repeated one the first counts; a value that is not visible ASCII is left out.
    Read on demand, since most answers are judged by status and body."""

    __slots__ = ("_raw", "_read")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._raw = raw
        self._read: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._read is None:
            self._read = {}
            for name, value in self._raw:
                text = value.decode("latin-1")
                if text.isascii() and text.isprintable():
                    self._read.setdefault(name.decode("latin-1").lower(), text)
        return self._read

    def __getitem__(self, name: str) -> str:
        return self._all()[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())
