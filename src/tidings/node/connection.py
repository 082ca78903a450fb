"""A sender's connection: uvicorn's, with an end to what it may ask of a node that stands on an open network.

uvicorn waits for ever for a request that has begun and takes a head of any length, so a few megabytes of patience would
hold every connection of a node, and one sender all of its memory.
"""

import asyncio
import resource
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tidings.kernel.problems import CONTENT_TYPE, Problem

HEAD_AT_MOST = 64 * 1024
"""Bytes of request line and headers; what comes in one piece with their end is not counted."""
FILES_FOR_OTHERS = 0.25
"""Of the files this process may open: the database's, vendors', its own."""


@dataclass(frozen=True, slots=True)
class Limits:
    connections: int = 10_000
    head: float = 20.0
    """Seconds from the first byte, or the connection, to the end of the head."""
    silence: float = 20.0
    """Seconds between two pieces of a body."""
    request: float = 300.0
    """Seconds for all of a body: at 8 MiB, the largest there is, 28 kB/s."""


def limits_here() -> Limits:
    """With as many connections as leave files for what else a node opens. Raises the soft limit, which is 1,024 on most
    systems."""
    most = Limits().connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited, wanted = resource.RLIM_INFINITY, round(most / (1 - FILES_FOR_OTHERS))
    if soft != unlimited and soft < wanted:
        soft = wanted if hard == unlimited else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return Limits(connections=most if soft == unlimited else min(most, int(soft * (1 - FILES_FOR_OTHERS))))


def limited(limits: Limits) -> "type[Connection]":
    """uvicorn makes a connection by its class."""
    return type("Connection", (Connection,), {"limits": limits})


class Connection(HttpToolsProtocol):
    """What is no request, or comes too slowly, is answered as any other problem, and the connection ends."""

    limits = Limits()

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._late: asyncio.TimerHandle | None = None
        self._in_head, self._in_body = True, False
        self._reading_on = False
        self._head = 0
        self._ends_by = 0.0

    # what the transport says

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(
                Problem(503, "too_many_connections", "Too many connections are open here; try again in a moment.")
            )
        else:
            self._expect(self.limits.head)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        was_in_head = self._in_head
        self._unset_keepalive_if_required()
        self._feed(data)
        if self.transport.is_closing():
            return
        if self._in_body:
            self._expect(min(self.limits.silence, self._ends_by - self.loop.time()))
        elif self._in_head or self._answered:
            self._head = self._head + len(data) if was_in_head else 0
            if self._head > HEAD_AT_MOST:
                self._refuse(
                    Problem(431, "head_too_large", f"Request line and headers may have {HEAD_AT_MOST // 1024} KiB.")
                )
            elif self._late is None:
                self._expect(self.limits.head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        super().connection_lost(exc)

    # what the parser says

    def on_message_begin(self) -> None:
        if not self._reading_on:
            self._in_head, self._head = True, 0
            super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._reading_on:
            self._reading_on = False
            return
        self._in_head, self._in_body = False, True
        self._ends_by = self.loop.time() + self.limits.request
        self._arrived()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # its body has not been read
        self._in_body = False
        self._arrived()
        super().on_message_complete()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._read_on(data[upgrade.args[0] :])
        except HttpParserError:
            self.send_400_response("")

    def _read_on(self, rest: bytes) -> None:
        """An offer to speak another protocol is not taken (RFC 9110, 7.8). Java's own client makes one with its first
        request to an http address, body or not, but the parser passes no body on after an offer: another one reads it,
        by a head that says no more than how the body is framed."""
        self.parser = HttpRequestParser(self)
        self._reading_on = True
        framing = [
            b"%b: %b\r\n" % each for each in self.headers if each[0] in (b"content-length", b"transfer-encoding")
        ]
        self.headers = []  # what follows is none of the request's
        self._feed(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(framing))
        if rest:
            self._feed(rest)

    @property
    def _last(self) -> RequestResponseCycle | None:
        """The last request and its answer."""
        return cast("RequestResponseCycle | None", self.cycle)  # uvicorn's type does not say that there may be none

    @property
    def _answered(self) -> bool:
        return self._last is None or self._last.response_complete

    # what uvicorn decides

    def send_400_response(self, msg: str) -> None:
        self._refuse(Problem(400, "bad_request", "This is no HTTP request that can be read."))

    def timeout_keep_alive_handler(self) -> None:
        """Who has not read the last answer by now would hold the connection for as long as they like."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def _expect(self, seconds: float) -> None:
        """More must have come by then."""
        self._arrived()
        self._late = self.loop.call_later(max(seconds, 0), self._too_late)

    def _arrived(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        if self.flow.read_paused or (self._in_head and not self._answered):
            # It is us who do not read; or the answer that is due is another request's.
            self._expect(self.limits.silence)
        elif self._in_body or (self._in_head and (self._head or self._last)):
            self._refuse(
                Problem(408, "request_timeout", "The request did not come in time; send it again, all at once.")
            )
        else:
            self.transport.close()  # nobody has asked anything

    def _refuse(self, problem: Problem) -> None:
        """Unless an answer has begun. Nobody waits for the end of what the peer sends."""
        self._arrived()
        answering = self._last is not None and self._last.response_started and not self._answered
        if not answering and not self.transport.is_closing():
            body = problem.body()
            lines = [
                f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
                f"content-type: {CONTENT_TYPE}",
                f"content-length: {len(body)}",
                "connection: close",
            ]
            self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        self.transport.close()
