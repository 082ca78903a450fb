"""Post events over HTTP/1.1 as cheaply as possible and note when each was sent and answered.

`python -m bench.load URL TOKEN FIRST COUNT CONNECTIONS BATCH RATE` prints one JSON line.
"""

import asyncio
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import uvloop


def event(number: int) -> bytes:
    """400 bytes and more, a subject each."""
    return (
        b'{"id":"e%d","source":"bench","type":"data_change.successful","time":"2026-11-23T10:00:00Z",'
        b'"subject":{"kind":"ticket","id":"%d","title":"Add an index on orders for the nightly report",'
        b'"url":"https://dms.example.com/tickets/%d"},"people":{"submitter":"ann","approvers":["bo","dan"]},"actor":"ann",'
        b'"resources":[{"instance":"rm-orders","database":"orders","table":"orders"}],'
        b'"details":{"risk":"LOW","environment":"prod","affected_rows":120,"comment":"as agreed with the team"}}'
        % (number, number, number)
    )


class Connection(asyncio.Protocol):
    def __init__(self, load: "Load") -> None:
        self._load, self._buffer = load, b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._load.next(self)

    def post(self, request: bytes, numbers: range) -> None:
        self._numbers, self._sent = numbers, time.monotonic()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        stop = head.find(b"\r\n", at)
        length = int(head[at + 15 : stop if stop > 0 else None])
        if len(self._buffer) < end + 4 + length:
            return
        body, self._buffer = self._buffer[end + 4 :], b""
        self._load.answered(self, self._numbers, self._sent, head[9:12] == b"202" and b'"code"' not in body, body)


class Load:
    def __init__(self, url: str, token: str, first: int, count: int, batch: int, rate: float) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        path = "/api/v1/events" if batch == 1 else "/api/v1/events/batch"
        self._head = (
            f"POST {path} HTTP/1.1\r\nhost: {parts.netloc}\r\nauthorization: Bearer {token}\r\n"
            "content-type: application/json\r\ncontent-length: "
        )
        self._batch, self._rate, self._first = batch, rate, first
        self._next_number, self._end = first, first + count
        self.sent: dict[int, float] = {}
        self.took: list[float] = []
        self.failures: list[str] = []
        self._open = 0
        self.done = asyncio.Event()
        self.began = time.monotonic()

    def next(self, connection: Connection) -> None:
        if self._next_number >= self._end:
            self._finish()
            return
        numbers = range(self._next_number, min(self._next_number + self._batch, self._end))
        self._next_number = numbers.stop
        self._open += 1
        if self._rate:
            wait = self.began + (numbers.start - self._first) / self._rate - time.monotonic()
            if wait > 0:
                asyncio.get_running_loop().call_later(wait, self._post, connection, numbers)
                return
        self._post(connection, numbers)

    def _post(self, connection: Connection, numbers: range) -> None:
        body = event(numbers.start) if self._batch == 1 else b"[" + b",".join(map(event, numbers)) + b"]"
        moment = time.monotonic()
        for number in numbers:
            self.sent[number] = moment
        connection.post(self._head.encode() + b"%d\r\n\r\n" % len(body) + body, numbers)

    def answered(self, connection: Connection, numbers: range, sent: float, good: bool, body: bytes) -> None:
        self.took.append(time.monotonic() - sent)
        if not good:
            self.failures.append(body[:200].decode())
        self._open -= 1
        self.next(connection)

    def _finish(self) -> None:
        if not self._open:
            self.done.set()


async def main(url: str, token: str, first: int, count: int, connections: int, batch: int, rate: float) -> None:
    load = Load(url, token, first, count, batch, rate)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(load), load.host, load.port)
    await load.done.wait()
    answer = {
        "began": load.began, "ended": time.monotonic(), "sent": load.sent, "took": load.took,
        "failed": len(load.failures), "failures": load.failures[:3],
    }  # fmt: skip
    print(json.dumps(answer))


if __name__ == "__main__":
    a = sys.argv
    uvloop.run(main(a[1], a[2], int(a[3]), int(a[4]), int(a[5]), int(a[6]), float(a[7])))
