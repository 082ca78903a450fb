"""A webhook receiver that costs as little as it can: it answers 200 and notes when each event arrived.

`python -m bench.receiver` prints its port, then on end of input one JSON line: subject number -> [monotonic seconds].
"""

import asyncio
import json
import sys
import time
from typing import Any

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
SILENT = b"post /silent"
"""What comes here is not counted, and not answered before "hang up"."""
MARK = b'"subject":{"kind":"ticket","id":"'
MARKS = {b"post /alerts": b'"number":"'}
"""By what is called, where it is another."""


class Receiver(asyncio.Protocol):
    arrivals: list[tuple[bytes, float]] = []  # noqa: RUF012 - one receiver a process
    samples: list[tuple[bytes, bytes]] = []  # noqa: RUF012
    silent: list[Any] = []  # noqa: RUF012
    away = False
    """Whoever calls is hung up on."""

    def connection_made(self, transport: Any) -> None:
        self._transport, self._buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        if Receiver.away:
            self._transport.abort()
            return
        buffer = self._buffer + data if self._buffer else data
        answers = 0
        while True:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                break
            head = buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 : head.find(b"\r\n", at) if head.find(b"\r\n", at) > 0 else None])
            if len(buffer) < end + 4 + length:
                break
            body = buffer[end + 4 : end + 4 + length]
            if head.startswith(SILENT):
                self.silent.append(self._transport)
                return
            mark = MARKS.get(head[: head.find(b" http/")], MARK)
            start = body.find(mark) + len(mark)
            self.arrivals.append((body[start : body.find(b'"', start)], time.monotonic()))
            if len(self.samples) < 100:
                self.samples.append((buffer[:end], body))
            buffer = buffer[end + 4 + length :]
            answers += 1
        self._buffer = buffer
        if answers:
            self._transport.write(ANSWER * answers)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Receiver, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "count":
            print(len(Receiver.arrivals), flush=True)
        if line.strip() in ("away", "back"):
            Receiver.away = line.strip() == "away"
        if line.strip() == "hang up":
            for transport in Receiver.silent:
                transport.abort()
            Receiver.silent.clear()
        if line.strip() == "take":
            times: dict[str, list[float]] = {}
            for number, at in Receiver.arrivals:
                times.setdefault(number.decode(), []).append(at)
            samples = [[head.decode("latin-1"), body.decode()] for head, body in Receiver.samples]
            print(json.dumps({"times": times, "samples": samples}), flush=True)
            Receiver.arrivals.clear()
            Receiver.samples.clear()


if __name__ == "__main__":
    uvloop.run(main())
