"""One HTTP call, from the standard library alone: a connection of its own, which no fork can share and nothing keeps
stale, and a limit for the whole of it, which a server cannot stretch by dripping."""

from __future__ import annotations

import io
import json
import socket
import time
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tidings_client.answers import Refused, Unavailable

ANSWER_AT_MOST = 4 * 1024 * 1024
"""Bytes of an answer: a batch of a thousand, each rejected with a sentence, has a tenth of it."""
AFTER_AT_MOST = 3_600.0
_TRY_AGAIN = (408, 421, 425, 429)


@dataclass(frozen=True)
class Address:
    """`path` is what stands before `/api/v1`: nothing, or what a proxy puts there."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address_and_token(url: str) -> tuple[str, str]:
    """Tidings' own address; and the token, where the whole address of a source was given, as its page in the console
    has it: `https://tidings.example.com/api/v1/sources/airflow?token=tdg_...`. Raises ValueError with what is wrong."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("The address of Tidings begins with https:// or http:// and a host.")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    token = query.pop("token", "")
    if parts.username is not None or query or parts.fragment:
        raise ValueError("The address of Tidings has no user name and no fragment, and no query but `token`.")
    return f"{parts.scheme}://{parts.netloc}{parts.path.partition('/api/v1')[0].rstrip('/')}", token


def address(url: str) -> tuple[Address, str]:
    """As `address_and_token`, in its parts."""
    bare, token = address_and_token(url)
    parts = urlsplit(bare)
    secure = parts.scheme == "https"
    return Address(secure, parts.hostname or "", parts.port or (443 if secure else 80), parts.path), token


def post(to: Address, path: str, body: bytes, headers: Mapping[str, str], within: float) -> Any:
    """The JSON that a 2xx brought. Raises `Refused` and `Unavailable`."""
    ends = time.monotonic() + within
    try:
        connection, target, beside = _connection(to, f"{to.path}{path}", within)
        connection.response_class = _until(ends)
        try:
            connection.request("POST", target, body, {"Content-Type": "application/json", **beside, **headers})
            answer = connection.getresponse()
            said = answer.read(ANSWER_AT_MOST)
        finally:
            connection.close()
    except (OSError, HTTPException) as error:
        what = "did not answer in time" if isinstance(error, TimeoutError) else f"cannot be reached: {_words(error)}"
        raise Unavailable(f"{to.authority} {what}") from error
    return _judged(answer, said, to)


def _judged(answer: HTTPResponse, said: bytes, to: Address) -> Any:
    try:
        content = json.loads(said)
    except (ValueError, RecursionError):
        content = None
    if 200 <= answer.status < 300:
        if not isinstance(content, dict):
            raise Unavailable(f"{to.authority} answered {answer.status} with something else than Tidings' JSON")
        return content
    problem = content if isinstance(content, dict) else {}
    code, detail = str(problem.get("code", "")), str(problem.get("detail", "")) or _explained(answer, to)
    if answer.status >= 500 or answer.status in _TRY_AGAIN:
        raise Unavailable(
            f"{to.authority} answered {answer.status}: {detail}", _after(answer.headers.get("Retry-After")), code
        )
    raise Refused(answer.status, code, detail)


def _explained(answer: HTTPResponse, to: Address) -> str:
    if 300 <= answer.status < 400:
        elsewhere = answer.headers.get("Location")
        return f"{to.authority} sends elsewhere, to {elsewhere}: give that address, if it is Tidings"
    return f"{to.authority} said {answer.reason!r}, which is not how Tidings answers: is there something in between?"


def _after(header: str | None) -> float | None:
    """Seconds, or a date (RFC 9110, 10.2.3)."""
    said = (header or "").strip()
    try:
        seconds = float(said) if said.isdigit() else parsedate_to_datetime(said).timestamp() - time.time()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return min(max(seconds, 0.0), AFTER_AT_MOST)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


# the connection


def _connection(to: Address, path: str, within: float) -> tuple[HTTPConnection, str, Mapping[str, str]]:
    """Through the proxy of the environment (`HTTPS_PROXY`, `NO_PROXY` ...) where there is one for that host; with what
    is to be asked of it, in which headers."""
    proxy = None if urllib.request.proxy_bypass(to.authority) else _proxy(to)
    kind = HTTPSConnection if to.secure else HTTPConnection
    if proxy is None:
        return kind(to.host, to.port, timeout=within), path, {}
    connection = kind(proxy.host, proxy.port, timeout=within)
    if to.secure:
        connection.set_tunnel(to.host, to.port, dict(proxy.headers))
        return connection, path, {}
    return connection, f"http://{to.authority}{path}", proxy.headers


@dataclass(frozen=True)
class _Proxy:
    host: str
    port: int
    headers: Mapping[str, str]


def _proxy(to: Address) -> _Proxy | None:
    proxies = urllib.request.getproxies()
    said = proxies.get("https" if to.secure else "http") or proxies.get("all")
    if not said:
        return None
    parts = urlsplit(said if "://" in said else f"http://{said}")
    if parts.scheme != "http" or not parts.hostname:
        return None
    who = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
    headers = {"Proxy-Authorization": f"Basic {b64encode(who).decode()}"} if parts.username else {}
    return _Proxy(parts.hostname, parts.port or 80, headers)


def _until(ends: float) -> type[HTTPResponse]:
    """An answer that has to be whole by then."""

    class Answer(HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:
            super().__init__(sock, *args, **more)
            self.fp = io.BufferedReader(_Reader(self.fp, sock, ends))

    return Answer


class _Reader(io.RawIOBase):
    """`holds`: what keeps the socket open while there is something to read."""

    def __init__(self, holds: io.IOBase, connected: socket.socket, ends: float) -> None:
        self._holds, self._socket, self._ends = holds, connected, ends

    def close(self) -> None:
        self._holds.close()
        super().close()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._socket.recv_into(buffer)
