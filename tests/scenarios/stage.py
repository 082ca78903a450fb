"""A stage for scenarios: nodes that serve real HTTP, a receiver that checks what arrives, and a database whose clock
can be moved on.

    given     people, rules, answers of the receiver     stage.answers("/bo", Reply(503), Reply())
    when      events are posted                          await stage.post(event(...))
    advance   what is due later is due now               await stage.advance(30)
    then      messages, states, records                  await stage.messages("bo")

Its nodes live in the loop of the test, which sees into them; what takes processes, to kill or to measure them, is in
`faults/stage.py` and `bench/stage.py`.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from pyreqwest.client import Client, ClientBuilder
from tests.delivery.given import SECRET, in_django, reach

from tidings.channels.testing.webhook_receiver import Arrival, Reply, WebhookReceiver
from tidings.kernel.database import Connection, connect
from tidings.kernel.settings import settings
from tidings.node.connection import Limits
from tidings.node.engine import Duties, Node
from tidings.node.run import Http, listen

SERVE, WEB, WORKER = Duties(True, True), Duties(True, False), Duties(False, True)
SOON = 8.0
"""Seconds something may take on a busy machine; most of it takes a few milliseconds."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Running:
    """A node and the port it serves."""

    node: Node
    http: Http | None
    port: int

    async def stop(self) -> None:
        """As `tidings serve` ends on SIGTERM."""
        if self.http:
            await self.http.stop_accepting()
        await self.node.stop()
        if self.http:
            await self.http.stop()


@dataclass
class Stage:
    organisation: Any
    url: str
    receiver: WebhookReceiver
    database: Connection
    client: Client
    token: str
    nodes: list[Running] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    # given

    async def start(
        self,
        duties: Duties = SERVE,
        *,
        revive: Callable[[], None] | None = None,
        watched: bool = False,
        limits: Limits | None = None,
        **more: Any,
    ) -> Running:
        """A node; its retries come after fractions of a second. `watched`: with a port though it only delivers."""
        quick = tuple(timedelta(seconds=seconds) for seconds in (0.1, 0.2, 0.4))
        configured = replace(settings(), retry_schedule=quick, allowed_networks=(ip_network("127.0.0.0/8"),), **more)
        node = Node(configured, self.url, duties, revive)
        await node.start()
        http, port = None, 0
        if duties.accepts or watched:
            listener = listen("127.0.0.1", 0)
            http, port = Http(node, listener, limits), listener.getsockname()[1]
            await http.start()
        self.nodes.append(Running(node, http, port))
        return self.nodes[-1]

    async def reachable(self, *logins: str, host: str = "127.0.0.1") -> None:
        """Each has a webhook at the receiver, under their login."""
        url = f"http://{host}:{self.receiver.port}/{{login}}"
        await in_django(lambda: reach(self.organisation, *logins, url=url))

    def answers(self, login: str, *replies: Reply) -> None:
        """What the receiver answers to messages for this person, in order; the last one repeats."""
        self.receiver.script[f"/{login}"] = replies

    async def change(self, statement: str, *values: Any, version: str = "rules") -> None:
        """Change a tenant's rows as an act would: with its version raised in the same transaction."""
        async with self.database.transaction():
            await self.database.execute(statement, values)
            await self.database.execute(
                f"UPDATE accounts_tenant SET {version}_version = {version}_version + 1 WHERE id = %s",
                (self.organisation.id,),
            )

    async def rule(self, code: str, roles: Sequence[str] = (), users: Sequence[str] = (), enabled: bool = True) -> None:
        ids = [self.organisation.people[login].id for login in users]
        await self.change(
            "UPDATE rules_rule SET optional_roles = %s, additional_users = %s, enabled = %s"
            " WHERE tenant_id = %s AND event_type = %s",
            list(roles), ids, enabled, self.organisation.id, code,
        )  # fmt: skip

    # when

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        at: Running | None = None,
        **headers: str,
    ) -> Answer:
        """To the first node that serves, or the one that is named."""
        port = (at or next(one for one in self.nodes if one.port)).port
        secret = self.token if token is None else token
        sent = {"content-type": "application/json", "authorization": f"Bearer {secret}"} | headers
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        call = self.client.request(method, f"http://127.0.0.1:{port}{path}").headers(sent).body_bytes(raw)
        answer = await call.build().send()
        content = (await answer.bytes()).to_bytes()
        kind = answer.headers.get("content-type") or ""
        is_json = "json" in kind and "ndjson" not in kind
        parsed = json.loads(content) if is_json and content else content
        return Answer(answer.status, parsed, dict(answer.headers.items()))

    async def post(self, *events: dict[str, Any], at: Running | None = None) -> list[str]:
        """Post each by itself, all at once; their ids. Every one must be accepted."""
        answers = await asyncio.gather(*(self.send("POST", "/api/v1/events", one, at=at) for one in events))
        assert [answer.status for answer in answers] == [202] * len(events), answers
        return [answer.body["id"] for answer in answers]

    async def post_batch(self, *events: dict[str, Any], at: Running | None = None) -> Answer:
        return await self.send("POST", "/api/v1/events/batch", list(events), at=at)

    async def advance(self, seconds: float) -> None:
        """So much time passes for what waits: it was due so much earlier."""
        await self.database.execute(
            "UPDATE delivery_delivery SET due_at = due_at - %s * interval '1 second' WHERE state = 'pending'",
            (seconds,),
        )

    # then

    def arrived(self, login: str) -> list[Arrival]:
        return [one for one in self.receiver.arrivals if one.path == f"/{login}"]

    async def messages(self, login: str, count: int = 1, *, within: float = SOON) -> list[Arrival]:
        """The messages for this person, once there are so many."""
        await self.until(lambda: len(self.arrived(login)) >= count, within, f"{count} messages for {login}")
        assert not self.receiver.complaints
        return self.arrived(login)

    async def until(self, true: Callable[[], Any], within: float = SOON, what: str = "it") -> None:
        try:
            async with asyncio.timeout(within):
                while not true():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            came = [one.path for one in self.receiver.arrivals]
            raise AssertionError(f"{what} did not come; the receiver has {came[-20:]}") from None

    async def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return await (await self.database.execute(query, values)).fetchall()

    async def value(self, query: str, *values: Any) -> Any:
        [[value]] = await self.rows(query, *values)
        return value

    async def states(self, login: str | None = None) -> list[str]:
        """Of this person's deliveries, or all, as they came."""
        rows = await self.rows("SELECT person_id, state FROM delivery_delivery ORDER BY id")
        who = self.organisation.people[login].id if login else None
        return [state for person, state in rows if who is None or person == who]

    async def settled(self, *states: str, login: str | None = None, within: float = SOON) -> None:
        """Wait until the deliveries are in these states, in order."""
        async with asyncio.timeout(within):
            while (found := await self.states(login)) != list(states):
                try:
                    await asyncio.sleep(0.02)
                except asyncio.CancelledError:
                    raise AssertionError(f"the deliveries are {found}, not {list(states)}") from None

    async def over(self, within: float = SOON) -> None:
        """Wait until nothing is on its way any more."""
        try:
            async with asyncio.timeout(within):
                while set(await self.states()) & {"pending", "sending"}:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"still on their way: {await self.states()}") from None

    async def ledger(self) -> None:
        """The sums add up."""
        from tidings.delivery.ledger import read_ledger

        assert (await in_django(read_ledger)).faults() == []

    async def record(self, event: str, login: str = "root") -> dict[str, Any]:
        """What `GET /events/{id}` answers to this person."""
        secret = await in_django(lambda: self.organisation.token(login))
        answer = await self.send("GET", f"/api/v1/events/{event}", token=secret)
        assert answer.status == 200, answer
        return dict(answer.body)


@asynccontextmanager
async def stage_of(organisation: Any, url: str) -> AsyncIterator[Stage]:
    token = await in_django(lambda: organisation.source_token("dms"))
    database = await connect(url, name="stage")
    await database.execute(
        "TRUNCATE delivery_delivery, delivery_node, events_event, events_body, events_recipient, events_subject,"
        " events_parked, directory_formeraddress"
    )
    async with WebhookReceiver(SECRET) as receiver, ClientBuilder().no_proxy().build() as client:
        stage = Stage(organisation, url, receiver, database, client, token)
        # A loop of a node that ends takes its process along; here that would be ours.
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, lambda: stage.ended.append("a loop of a node ended"))
        try:
            yield stage
            assert stage.ended == []
        finally:
            for running in stage.nodes:
                await running.stop()
            loop.remove_signal_handler(signal.SIGTERM)
            await database.close()
