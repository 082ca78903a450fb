"""Whom a URL means: read once, by one parser, whose answer is what is connected to.

Two parsers disagree on who is meant: `http://127.0.0.1\\@example.com/` is example.com to `urllib` and 127.0.0.1 to a
browser. So the WHATWG's rules (ada, the parser of Node.js) decide here, and nothing else reads a host out of a URL.
https://url.spec.whatwg.org/
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from ada_url import URL, HostType

MOST_URLS = 1024
LONGEST_URL = 4096
LONGEST_HOST = 253  # RFC 1035
DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[\w.!$&'()*+,;=~-]+", re.ASCII)  # RFC 3986's reg-name; the WHATWG lets a few more marks pass
_IN_REQUEST_LINE = re.compile(r"[\x21-\x7e]+")  # RFC 9112, 3.2: what is left after the parser has encoded the rest


class UrlRefused(ValueError):
    """This URL may never be called. `host` is empty where none can be named; the text quotes nothing."""

    def __init__(self, host: str, reason: Literal["url_invalid", "scheme", "user_info"], text: str) -> None:
        super().__init__(text)
        self.host, self.reason, self.text = host, reason, text


@dataclass(frozen=True, slots=True)
class Target:
    """`host` is in lower case, in its ASCII form and without brackets; `path` is the whole request target, with the
    query. It is kept out of the repr: it may hold a token."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str = field(repr=False)
    is_name: bool
    """Of letters: to be resolved. Else the host is an address."""

    @property
    def bracketed(self) -> str:
        """The host as it stands before a port: an IPv6 address is in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def authority(self) -> str:
        """As a `Host` header and a URL say it: with the port where it is not the scheme's own."""
        return self.bracketed if self.port == DEFAULT_PORTS[self.scheme] else f"{self.bracketed}:{self.port}"

    @property
    def url(self) -> str:
        """In its canonical form, without a fragment."""
        return f"{self.scheme}://{self.authority}{self.path}"


@lru_cache(MOST_URLS)
def read_url(url: str) -> Target:
    """Raises `UrlRefused`. Kept, since most calls repeat a URL."""
    parsed = _parsed(url)
    if parsed is None:
        raise UrlRefused("", "url_invalid", "This URL cannot be read.")
    scheme, host = parsed.protocol[:-1], parsed.hostname.strip("[]")
    if scheme not in ("http", "https"):
        raise UrlRefused("", "scheme", "Only http and https can be called.")
    if not host or len(host) > LONGEST_HOST or parsed.port == "0":
        raise UrlRefused("", "url_invalid", "This URL names no usable host.")
    if parsed.username or parsed.password:
        raise UrlRefused(host, "user_info", "A user name or password in a URL is not accepted; use a header.")
    is_name, path = parsed.host_type == HostType.DEFAULT, parsed.pathname + parsed.search
    if (is_name and not _HOST.fullmatch(host)) or not _IN_REQUEST_LINE.fullmatch(path):
        raise UrlRefused(host, "url_invalid", "This URL cannot be sent.")
    port = int(parsed.port) if parsed.port else DEFAULT_PORTS[scheme]
    return Target("https" if scheme == "https" else "http", host, port, path, is_name)


def _parsed(url: str) -> URL | None:
    try:
        return URL(url) if len(url) <= LONGEST_URL else None
    except ValueError:
        return None
