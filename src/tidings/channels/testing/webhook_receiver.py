"""A strict receiver: checks every call with the reference library of Standard Webhooks, or as one written for DMS does,
keeps what arrived, and misbehaves per path as its script says."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from tidings.channels.testing.dms_webhook import dms_problem
from tidings.channels.testing.http_server import HttpServer, Reply, Request

__all__ = ["Arrival", "Reply", "WebhookReceiver"]

MAX_BODY = 20_000
# What a `Data` always has; receivers rely on it.
MEMBERS = frozenset(
    {"event_id", "recipient", "language", "feature", "event", "subject", "headline", "todo", "why", "because", "facts"}
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call whose signature was right, and the answer to it. `attempt` counts the calls with this identity, from 1."""

    path: str
    identity: str
    attempt: int
    at: datetime
    headers: Mapping[str, str]
    body: bytes
    payload: Mapping[str, Any]
    reply: Reply = Reply()  # noqa: RUF009 - frozen


class WebhookReceiver(HttpServer):
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
        super().__init__()
        self.arrivals: list[Arrival] = []
        self.complaints: list[str] = []
        self.script: dict[str, Sequence[Reply]] = dict(script or {})
        self._secret, self._secrets = secret, dict(secrets or {})
        self._asked: Counter[str] = Counter()
        self._attempts: Counter[str] = Counter()
        self._came = asyncio.Event()

    async def arrived(self, count: int, *, within: float = 10.0) -> list[Arrival]:
        """The arrivals, once there are `count` of them. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while len(self.arrivals) < count:
                self._came.clear()
                await self._came.wait()
        return self.arrivals

    def reply(self, request: Request) -> Reply:
        return self._checked(request.method, request.target, request.headers, request.body)

    def _scripted(self, path: str) -> Reply:
        replies = self.script.get(path, (Reply(),))
        reply = replies[min(self._asked[path], len(replies) - 1)]
        self._asked[path] += 1
        return reply

    def _checked(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Keep the call if it is as the specification says, and answer as the script has it; otherwise say why not."""
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
        reply = self._scripted(path)
        self.arrivals.append(
            Arrival(path, identity, self._attempts[identity], datetime.now(UTC), headers, body, payload, reply)
        )
        self._came.set()
        return reply


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
