"""HTTP on this machine, for doubles of vendors: whole requests in, answers out, and answers that misbehave as told."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Literal, Self

HANG_SECONDS = 3600.0
DRIP_SECONDS = 0.5


Manner = Literal["answer", "hang", "drip", "drip_body", "reset", "half", "garbage", "endless_head", "endless_body"]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. hang: read all and say nothing; drip: a byte every half second; drip_body: so only the body; reset:
    read all, cut the connection; half: cut it in the middle of the answer; garbage: bytes that are no HTTP;
    endless_head, endless_body: a header, or a body, without an end. `after`: seconds before anything is said."""

    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = "answer"
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """`target` is the path with the query, as it came; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class HttpServer(ABC):
    """`async with` it, then call `url(...)`. A subclass decides what each request is worth."""

    def __init__(self) -> None:
        self._connections: set[asyncio.Task[None]] = set()
        self._reports: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @abstractmethod
    def reply(self, request: Request) -> Reply: ...

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._met, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        await asyncio.gather(*self._reports, return_exceptions=True)
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the server is not running: use `async with`")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def report(self, reporting: Coroutine[Any, Any, None]) -> None:
        """What this side tells the other by itself, while the answer goes out."""
        task = asyncio.create_task(reporting)
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def all_reported(self) -> None:
        """Raises what went wrong in a report."""
        await asyncio.gather(*self._reports)

    def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._call(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError, ValueError):
            pass  # the caller went away, or does not speak HTTP
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection stays open."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        reply = self.reply(Request(method, target, headers, body))
        await asyncio.sleep(reply.after)
        match reply.manner:
            case "hang":
                await asyncio.sleep(HANG_SECONDS)
            case "reset":
                writer.transport.abort()
                return False
            case "garbage":
                writer.write(b"\x00\xff not a status line\r\n\r\n")
            case "half":
                whole = _encoded(reply)
                writer.write(whole[: len(whole) // 2])
            case "drip":
                await _drip(writer, _encoded(reply))
            case "drip_body":
                head, end, body = _encoded(reply).partition(b"\r\n\r\n")
                writer.write(head + end)
                await _drip(writer, body)
            case "endless_head":
                writer.write(b"HTTP/1.1 200 OK\r\n")
                await _endlessly(writer, b"x-more: " + b"x" * 1_000 + b"\r\n")
            case "endless_body":
                writer.write(b"HTTP/1.1 %d It Goes On\r\n\r\n" % reply.status)
                await _endlessly(writer, b"x" * 1_000)
            case "answer":
                writer.write(_encoded(reply))
        await writer.drain()
        return reply.manner == "answer"


async def _drip(writer: asyncio.StreamWriter, content: bytes) -> None:
    for byte in content:
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(DRIP_SECONDS)


async def _endlessly(writer: asyncio.StreamWriter, piece: bytes) -> None:
    """Until the other side has had enough, and ends the connection."""
    while not writer.transport.is_closing():
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)


def _encoded(reply: Reply) -> bytes:
    phrase = HTTPStatus(reply.status).phrase if reply.status in HTTPStatus.__members__.values() else "Unknown"
    headers = {"content-length": str(len(reply.body)), "content-type": "text/plain; charset=utf-8", **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + reply.body
