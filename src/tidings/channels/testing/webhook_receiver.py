"""A strict receiver: checks every call with the reference library of Standard Webhooks, or as one written for DMS does,
keeps what arrived, and misbehaves per path as its script says."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from tidings.channels.testing.dms_webhook import dms_problem

MAX_BODY = 20_000
# What a `Data` always has; receivers rely on it.
MEMBERS = frozenset(
    {"event_id", "recipient", "language", "feature", "event", "subject", "headline", "todo", "why", "because", "facts"}
)
HANG_SECONDS = 3600.0
DRIP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. hang: read all and say nothing; drip: a byte every half second; reset: read all, cut the connection;
    garbage: bytes that are no HTTP. `after`: seconds before anything is said."""

    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Literal["answer", "hang", "drip", "reset", "garbage"] = "answer"
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call whose signature was right. `attempt` counts the calls with this identity, from 1."""

    path: str
    identity: str
    attempt: int
    at: datetime
    headers: Mapping[str, str]
    body: bytes
    payload: Mapping[str, Any]


class WebhookReceiver:
    """`async with WebhookReceiver(secret) as receiver:` then POST to `receiver.url("/bo")`.

    `script` maps a path to its answers in order, the last of which repeats; other paths answer 200. `secrets` are
    those of paths that do not use the common one. A call with DMS's header has to be as DMS sends it, and rightly
    signed as Standard Webhooks too where it claims to be. What breaks the contract is answered 401 or 400 and kept, as
    words, in `complaints`.
    """

    def __init__(
        self,
        secret: str,
        *,
        secrets: Mapping[str, str] | None = None,
        script: Mapping[str, Sequence[Reply]] | None = None,
    ) -> None:
        self.arrivals: list[Arrival] = []
        self.complaints: list[str] = []
        self.script: dict[str, Sequence[Reply]] = dict(script or {})
        self._secret, self._secrets = secret, dict(secrets or {})
        self._asked: Counter[str] = Counter()
        self._attempts: Counter[str] = Counter()
        self._came = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._met, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the receiver is not running: use `async with`")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def arrived(self, count: int, *, within: float = 10.0) -> list[Arrival]:
        """The arrivals, once there are `count` of them. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while len(self.arrivals) < count:
                self._came.clear()
                await self._came.wait()
        return self.arrivals

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
        method, path, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        reply = self._checked(method, path, headers, body) or self._scripted(path)
        await asyncio.sleep(reply.after)
        match reply.manner:
            case "hang":
                await asyncio.sleep(HANG_SECONDS)
            case "reset":
                writer.transport.abort()
                return False
            case "garbage":
                writer.write(b"\x00\xff not a status line\r\n\r\n")
            case "drip":
                for byte in _encoded(reply):
                    writer.write(bytes((byte,)))
                    await writer.drain()
                    await asyncio.sleep(DRIP_SECONDS)
            case "answer":
                writer.write(_encoded(reply))
        await writer.drain()
        return reply.manner == "answer"

    def _scripted(self, path: str) -> Reply:
        replies = self.script.get(path, (Reply(),))
        reply = replies[min(self._asked[path], len(replies) - 1)]
        self._asked[path] += 1
        return reply

    def _checked(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply | None:
        """Keep the call if it is as the specification says; otherwise the answer to it."""
        secret = self._secrets.get(path, self._secret)
        if problem := _unsigned(f"http://{headers.get('host', '')}{path}", secret, headers, body):
            self.complaints.append(problem)
            return Reply(401, b"signature refused")
        payload = msgspec.json.decode(body)
        if problem := _problem(method, headers, body, payload):
            self.complaints.append(problem)
            return Reply(400, problem.encode())
        identity = headers["webhook-id"]
        self._attempts[identity] += 1
        self.arrivals.append(
            Arrival(path, identity, self._attempts[identity], datetime.now(UTC), headers, body, payload)
        )
        self._came.set()
        return None


def _unsigned(url: str, secret: str, headers: Mapping[str, str], body: bytes) -> str:
    """Why the sender is not believed."""
    from standardwebhooks.webhooks import Webhook, WebhookVerificationError

    if "dms-event" in headers and (problem := dms_problem(url, secret, headers, body)):
        return problem
    if "dms-event" in headers and "webhook-signature" not in headers:
        return ""
    try:
        Webhook(secret).verify(body, dict(headers))
    except (WebhookVerificationError, ValueError) as error:
        return f"signature: {error}"
    return ""


def _problem(method: str, headers: Mapping[str, str], body: bytes, payload: Mapping[str, Any]) -> str:
    if method != "POST":
        return "method: not POST"
    if not headers.get("content-type", "").startswith("application/json"):
        return "content-type: not JSON"
    if len(body) >= MAX_BODY:
        return f"body: {len(body)} bytes, must be less than {MAX_BODY}"
    if not headers.get("webhook-id"):
        return "webhook-id: missing"
    if "dms-event" in headers:
        return ""
    if set(payload) != {"type", "timestamp", "data"}:
        return "body: must have type, timestamp and data"
    try:
        msgspec.convert(payload["timestamp"], datetime)
    except msgspec.ValidationError:
        return "timestamp: not ISO 8601"
    missing = MEMBERS - set(payload["data"])
    return f"data: without {', '.join(sorted(missing))}" if missing else ""


def _encoded(reply: Reply) -> bytes:
    phrase = HTTPStatus(reply.status).phrase if reply.status in HTTPStatus.__members__.values() else "Unknown"
    headers = {"content-length": str(len(reply.body)), "content-type": "text/plain; charset=utf-8", **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + reply.body
