"""A way between two that can be cut, go silent, be forgotten, lose one direction or become slow, while both sides stay
well."""

import asyncio
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from psycopg.conninfo import conninfo_to_dict

Way = Literal["open", "cut", "silent", "no_answers"]
"""cut: connections are reset and new ones refused. silent: all is taken and nothing passed on before the way is open
again, as where a host stands still. no_answers: so it is with what comes back only."""
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PIECE = 64 * 1024


@dataclass(eq=False)
class Passage:
    """One connection. `forgotten`: nothing will ever pass again, and nobody is told."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter | None = None
    forgotten: bool = False


class Proxy:
    """`async with Proxy.to(host, port) as proxy:` then talk to `proxy.port`."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]], host: str = "127.0.0.1") -> None:
        self.way: Way = "open"
        self.delay = 0.0
        """Seconds that each piece takes, in either direction."""
        self.port = 0
        self.calls = 0
        self._connect, self._host = connect, host
        self._passages: set[Passage] = set()
        self._changed = asyncio.Event()
        self._carrying: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @classmethod
    def to(cls, host: str, port: int) -> Self:
        return cls(lambda: asyncio.open_connection(host, port))

    @classmethod
    def to_database(cls, url: str, host: str = "127.0.0.1") -> Self:
        """To a PostgreSQL behind a Unix socket; `database_url` leads to it over TCP."""
        parts = conninfo_to_dict(url)
        path = f"{parts['host']}/.s.PGSQL.{parts.get('port', 5432)}"
        return cls(lambda: asyncio.open_unix_connection(path), host)

    def database_url(self, url: str) -> str:
        parts = conninfo_to_dict(url)
        way = f"127.0.0.1:{self.port}/{parts['dbname']}?sslmode=disable&gssencmode=disable"
        return f"postgresql://{parts['user']}@{way}"

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for carrying in self._carrying:
            carrying.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def turn(self, way: Way) -> None:
        """So it is from now on, for the connections that are there and for new ones."""
        self.way = way
        if way == "cut":
            if self._server is not None:
                self._server.close()
                self._server = None
            self.reset()
        elif self._server is None:
            await self._listen()
        self._changed.set()
        self._changed = asyncio.Event()

    def reset(self) -> None:
        """Both sides of every connection hear at once that it is gone."""
        for passage in self._passages:
            _reset(passage.near)

    def forget(self) -> int:
        """As a firewall does that was restarted: nothing passes any more over the connections there are, and neither
        side is told. New ones are well. How many there were."""
        for passage in self._passages:
            passage.forgotten = True
        return len(self._passages)

    def half_close(self) -> None:
        """The far side has nothing more to say, and still listens."""
        for passage in self._passages:
            with suppress(OSError):
                passage.near.write_eof()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._met, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        carrying = asyncio.create_task(self._between(reader, writer))
        self._carrying.add(carrying)
        carrying.add_done_callback(self._carrying.discard)

    async def _between(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passage = Passage(writer)
        self._passages.add(passage)
        directions: list[asyncio.Task[None]] = []
        try:
            await self._may_pass(passage, answer=False)
            back, passage.far = await self._connect()
            directions = [
                asyncio.create_task(self._carry(passage, reader, passage.far, answer=False)),
                asyncio.create_task(self._carry(passage, back, writer, answer=True)),
            ]
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass
        finally:
            for each in directions:
                each.cancel()
            self._passages.discard(passage)
            for side in (passage.near, passage.far):
                if side is not None:
                    side.transport.abort()

    async def _carry(
        self, passage: Passage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answer: bool
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._may_pass(passage, answer=answer)
                writer.write(piece)
                await writer.drain()

    async def _may_pass(self, passage: Passage, *, answer: bool) -> None:
        """What comes while nothing passes waits here: it goes on when the way is open again, as packets do."""
        while passage.forgotten or self.way == "silent" or (answer and self.way == "no_answers"):
            await self._changed.wait()


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN."""
    with suppress(OSError):
        door: socket.socket = writer.get_extra_info("socket")
        door.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _alone(url: str) -> None:
    async with Proxy.to_database(url, "0.0.0.0") as proxy:
        print(proxy.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_alone(sys.argv[1]))
