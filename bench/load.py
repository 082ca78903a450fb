"""Post events over HTTP/1.1 (or push them to Redis) as cheaply as possible and note when each was sent and answered.

`python -m bench.load URL TOKEN FIRST COUNT CONNECTIONS BATCH RATE [SHAPE]` prints one JSON line. SHAPE says for whom:
`tidings`, or one of its peers (see `bench/peers.py`); of several URLs, divided by commas, each has its share of the
connections. Whoever hangs up is not called again.
"""

import asyncio
import base64
import json
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple
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


def alert(number: int) -> bytes:
    """The same as an alert of Alertmanager, that lasts."""
    return (
        b'{"labels":{"alertname":"data_change_successful","number":"%d","instance":"rm-orders","database":"orders",'
        b'"severity":"info"},"annotations":{"title":"Add an index on orders for the nightly report",'
        b'"comment":"as agreed with the team","affected_rows":"120","submitter":"ann","approvers":"bo, dan"},'
        b'"startsAt":"2026-11-23T10:00:00Z","endsAt":"2099-01-01T00:00:00Z",'
        b'"generatorURL":"https://dms.example.com/tickets/%d"}' % (number, number)
    )


def task(number: int) -> bytes:
    """The same as a task of Celery, as its client writes it (message protocol 2)."""
    name = "bench.celery_task.post"
    arguments = json.dumps([[event(number).decode()], {}, {}]).encode()
    headers = {
        "lang": "py", "task": name, "id": f"t{number}", "root_id": f"t{number}", "parent_id": None, "group": None,
        "shadow": None, "eta": None, "expires": None, "retries": 0, "timelimit": [None, None], "argsrepr": "",
        "kwargsrepr": "", "origin": "bench", "ignore_result": True,
    }  # fmt: skip
    properties = {
        "correlation_id": f"t{number}", "delivery_mode": 2, "delivery_tag": f"t{number}", "priority": 0,
        "delivery_info": {"exchange": "", "routing_key": "celery"}, "body_encoding": "base64",
    }  # fmt: skip
    message = {
        "body": base64.b64encode(arguments).decode(), "content-encoding": "utf-8", "content-type": "application/json",
        "headers": headers, "properties": properties,
    }  # fmt: skip
    return json.dumps(message).encode()


class Answer(NamedTuple):
    length: int
    good: bool
    body: bytes


def http_answer(buffer: bytes) -> Answer | None:
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = buffer[:end].lower()
    at = head.find(b"content-length:")
    stop = head.find(b"\r\n", at)
    length = int(head[at + 15 : stop if stop > 0 else None])
    body = buffer[end + 4 : end + 4 + length]
    return Answer(end + 4 + length, head[9:12] in (b"202", b"200") and b'"code"' not in body, body)


def redis_answer(buffer: bytes) -> Answer | None:
    end = buffer.find(b"\r\n")
    return Answer(end + 2, buffer.startswith(b":"), buffer[:end]) if end > 0 else None


def push(numbers: range) -> bytes:
    """LPUSH of all of them, in Redis's own words."""
    words = [b"LPUSH", b"celery", *map(task, numbers)]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def http_request(shape: str, host: str, token: str, batch: int) -> Callable[[range], bytes]:
    if shape == "alertmanager":
        path, one, array = "/api/v2/alerts", alert, True
    else:
        path, one, array = "/api/v1/events" + ("" if batch == 1 else "/batch"), event, batch > 1
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n"
        "content-type: application/json\r\ncontent-length: "
    ).encode()

    def request(numbers: range) -> bytes:
        body = b"[" + b",".join(map(one, numbers)) + b"]" if array else one(numbers.start)
        return head + b"%d\r\n\r\n" % len(body) + body

    return request


class Connection(asyncio.Protocol):
    def __init__(self, load: "Load") -> None:
        self._load, self._buffer = load, b""
        self._numbers: range | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._load.next(self)

    def post(self, request: bytes, numbers: range) -> None:
        self._numbers, self._sent = numbers, time.monotonic()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answer = self._load.read(self._buffer)
        if answer is None or len(self._buffer) < answer.length or self._numbers is None:
            return
        self._buffer = self._buffer[answer.length :]
        numbers, self._numbers = self._numbers, None
        self._load.answered(self, numbers, self._sent, answer)

    def connection_lost(self, error: Exception | None) -> None:
        if self._numbers is not None:
            self._load.hung_up()


class Load:
    def __init__(self, url: str, token: str, first: int, count: int, batch: int, rate: float, shape: str) -> None:
        every = [urlsplit(each) for each in url.split(",")]
        self.doors, parts = [(each.hostname or "127.0.0.1", each.port or 80) for each in every], every[0]
        self._request = push if shape == "celery" else http_request(shape, parts.netloc, token, batch)
        self.read = redis_answer if shape == "celery" else http_answer
        self._batch, self._rate, self._first = batch, rate, first
        self._next_number, self._end = first, first + count
        self.sent: dict[int, float] = {}
        self.took: list[float] = []
        self.failures: list[str] = []
        self.accepted: list[tuple[int, int]] = []
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
        request, moment = self._request(numbers), time.monotonic()
        for number in numbers:
            self.sent[number] = moment
        connection.post(request, numbers)

    def answered(self, connection: Connection, numbers: range, sent: float, answer: Answer) -> None:
        self.took.append(time.monotonic() - sent)
        if answer.good:
            self.accepted.append((numbers.start, numbers.stop))
        else:
            self.failures.append(answer.body[:200].decode())
        self._open -= 1
        self.next(connection)

    def hung_up(self) -> None:
        self._open -= 1
        self._finish()

    def _finish(self) -> None:
        if not self._open:
            self.done.set()


async def main(
    url: str, token: str, first: int, count: int, connections: int, batch: int, rate: float, shape: str = "tidings"
) -> None:
    load = Load(url, token, first, count, batch, rate, shape)
    loop = asyncio.get_running_loop()
    for number in range(connections):
        await loop.create_connection(lambda: Connection(load), *load.doors[number % len(load.doors)])
    await load.done.wait()
    answer = {
        "began": load.began, "ended": time.monotonic(), "sent": load.sent, "took": load.took,
        "failed": len(load.failures), "failures": load.failures[:3], "accepted": load.accepted,
    }  # fmt: skip
    print(json.dumps(answer))


if __name__ == "__main__":
    a = sys.argv
    uvloop.run(main(a[1], a[2], int(a[3]), int(a[4]), int(a[5]), int(a[6]), float(a[7]), *a[8:]))
