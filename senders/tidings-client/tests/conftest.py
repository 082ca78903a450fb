"""A server that answers as it is told, and as badly as servers do."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """`script`: what happens to one call after the other; the last one repeats. bytes are answered as they are, "reset"
    breaks the connection, "silent" says nothing, ("drip", bytes) says one byte a tenth of a second, "accept" answers as
    Tidings does, and `refuses` says which ids it then rejects."""

    script: list[Any] = field(default_factory=lambda: ["accept"])
    refuses: dict[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock, self._over = threading.Lock(), threading.Event()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._over.set()
        self._listener.close()

    @property
    def ids(self) -> list[str]:
        """Of the events that it accepted, as they came first."""
        return list(self.known)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            request = _read(connection)
            with self._lock:
                self.requests.append(request)
                does = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                said = self._accepted(request) if does == "accept" else b""
            match does:
                case "accept":
                    connection.sendall(said)
                    connection.shutdown(socket.SHUT_RDWR)
                case "reset":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                case "silent":
                    self._over.wait(30)
                    connection.shutdown(socket.SHUT_RDWR)  # a child of ours may hold it too
                case ("drip", dripped):
                    for byte in dripped:
                        connection.sendall(bytes([byte]))
                        if self._over.wait(0.1):
                            return
                case _:
                    connection.sendall(does)

    def _accepted(self, request: Request) -> bytes:
        if request.path.endswith("/events"):
            return answer(202, {"id": "0199", "duplicate": self._take(request.json)})
        if request.path.endswith("/batch"):
            verdicts = [self.refuses.get(one["id"]) or self._take(one) for one in request.json]
            rejected = [
                {"index": place, "code": verdict, "detail": f"because {verdict}"}
                for place, verdict in enumerate(verdicts)
                if isinstance(verdict, str)
            ]
            sums = {"accepted": verdicts.count(False), "duplicates": verdicts.count(True), "rejected": rejected}
            return answer(202, sums)
        return answer(202, {"events": [{"id": "0199", "duplicate": False}], "ignored": False, "parked": None})

    def _take(self, event: Any) -> bool:
        self.known[event["id"]] = self.known.get(event["id"], 0) + 1
        return self.known[event["id"]] > 1


def _read(connection: socket.socket) -> Request:
    stream = connection.makefile("rb")
    path = stream.readline().split()[1].decode()
    headers = {}
    while line := stream.readline().strip():
        name, _, value = line.decode().partition(": ")
        headers[name.lower()] = value
    return Request(path, headers, stream.read(int(headers["content-length"])), time.monotonic())


def answer(status: int, content: Any, **headers: str) -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def problem(status: int, code: str, **headers: str) -> bytes:
    return answer(status, {"status": status, "code": code, "detail": f"because {code}"}, **headers)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def says() -> Any:
    """`says.answer(...)`, `says.problem(...)`: for the server's script."""

    class Says:
        pass

    Says.answer, Says.problem = staticmethod(answer), staticmethod(problem)  # type: ignore[attr-defined]
    return Says
