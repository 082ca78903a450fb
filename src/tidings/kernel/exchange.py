"""One HTTP/1.1 connection, and the exchanges on it, one after another (RFC 9112). llhttp, the parser of Node.js, reads.

Why not a client library: one with all that a browser needs costs more than everything else a message takes
(docs/decisions/0006). A message needs a request that is written at once, and an answer that is read up to a limit.
"""

import asyncio
from typing import Literal, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from msgspec import Struct

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 64 * 1024
Kind = Literal["timeout", "reset", "protocol"]


class Broken(Exception):
    """The request was sent, and no complete answer came; `answered`: the beginning of one did."""

    def __init__(self, kind: Kind, *, answered: bool) -> None:
        super().__init__(kind)
        self.kind: Kind = kind
        self.answered = answered


class Answer(Struct, frozen=True):
    """`headers` as they came; `body` is the first 64 KiB, as sent: nothing is decompressed."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Connection(asyncio.Protocol):
    """`reusable` says whether another exchange may follow the last one."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._begin()
        self.reusable = self._answered = False
        self.idle_since = 0.0

    def exchange(self, request: bytes, within: float) -> "asyncio.Future[Answer]":
        """Write the request; the future has the answer, or `Broken`, within that many seconds. Whoever stops waiting
        for it has to `abort`."""
        self._begin()
        self.reusable = self._answered = False
        self._answer = self._loop.create_future()
        self._timer = self._loop.call_later(within, self._late)
        self._transport.write(request)
        return self._answer

    def abort(self) -> None:
        self.reusable = False
        self._transport.abort()

    # what the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            # Nobody asked: what comes between two exchanges would be taken for the answer to the next one.
            self.abort()
            return
        self._answered = True
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            if self._answer is not None:
                self._fail("protocol")
            self.abort()
            return
        if self._answer is None:
            return
        if self._size >= BODY_LIMIT:
            self._finish()
            self.abort()
        elif not self._in_body:
            self._head += len(data)
            if self._head > HEAD_LIMIT:
                self._fail("protocol")
                self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.reusable = False
        if self._answer is None:
            return
        if self._in_body and error is None and self._ends_with_the_connection():
            self._finish()
        else:
            self._fail("reset")

    # what the parser says

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        if self._size < BODY_LIMIT:
            self._body.append(body)
            self._size += len(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._begin()  # 100 Continue and its like: the answer is still to come
        elif self._answer is not None:
            self.reusable = self._parser.should_keep_alive()
            self._finish()

    def _begin(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = self._head = 0
        self._in_body = False

    def _ends_with_the_connection(self) -> bool:
        return not {name.lower() for name, _ in self._headers} & {b"content-length", b"transfer-encoding"}

    def _late(self) -> None:
        if self._answer is not None:
            self._fail("timeout")
            self.abort()

    def _finish(self) -> None:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        answer = self._settled()
        if not answer.done():
            answer.set_result(Answer(self._parser.get_status_code(), self._headers, body[:BODY_LIMIT]))

    def _fail(self, kind: Kind) -> None:
        answer = self._settled()
        if not answer.done():
            answer.set_exception(Broken(kind, answered=self._answered))

    def _settled(self) -> "asyncio.Future[Answer]":
        assert self._answer is not None
        assert self._timer is not None
        answer, self._answer = self._answer, None
        self._timer.cancel()
        return answer
