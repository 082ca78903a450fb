"""What the tests of the engine start from: people who can be reached, events, and a group of them kept."""

import asyncio
import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from tidings.delivery import claim, lease
from tidings.delivery.job import Job
from tidings.delivery.policy import Next
from tidings.delivery.record import Result, record
from tidings.events.event import Incoming, read_event
from tidings.events.group import Submission
from tidings.kernel.database import Connection, connect
from tidings.pipeline import Accepted, accept
from tidings.planning.views import Views

SECRET = "whsec_" + base64.b64encode(b"x" * 32).decode()
_numbers = count(1)
T = TypeVar("T")


def anywhere(*_: Any) -> bool:
    """Room for everything: whatever may be claimed at birth is."""
    return True


def nowhere(*_: Any) -> bool:
    return False


def event(**changes: Any) -> dict[str, Any]:
    """A new event, about a subject of its own, for ann, who submitted it; `subject`, `to` and `at` (minutes from now)
    are short for what they name."""
    number = next(_numbers)
    short = {name: changes.pop(name) for name in ("subject", "to", "at") if name in changes}
    content: dict[str, Any] = {
        "id": f"e{number}",
        "source": "dms",
        "type": "data_change.successful",
        "subject": {"kind": "ticket", "id": str(short.get("subject", f"s{number}")), "title": f"Change {number}"},
        "people": {"submitter": short.get("to", "ann")},
    } | changes
    if "at" in short:
        content["time"] = (datetime.now(UTC) + timedelta(minutes=short["at"])).isoformat()
    return content


def incoming(content: dict[str, Any]) -> Incoming:
    return read_event(msgspec.json.encode(content), now=datetime.now(UTC), source="dms")


def reach(organisation: Any, *logins: str, url: str = "http://127.0.0.1:9/{login}", channel: str = "webhook") -> None:
    """Each of them gets a verified webhook and selects it; the tenant has the channel on."""
    from django.utils import timezone

    from tidings.channels.models import ChannelSetting
    from tidings.channels.registry import CHANNELS
    from tidings.directory.models import ContactPoint
    from tidings.kernel.secrets import seal

    ChannelSetting.objects.for_tenant(organisation.id).get_or_create(
        tenant=organisation.tenant, channel=channel, defaults={"enabled": True, "sealed": seal({})}
    )
    for login in logins:
        contact = {"url": url.format(login=login), "secret": SECRET}
        person = organisation.people[login]
        ContactPoint.objects.create(
            tenant=organisation.tenant,
            person=person,
            channel=channel,
            sealed=seal(contact),
            shown="shown",
            destination=CHANNELS[channel].destination(contact, {}),
            verified_at=timezone.now(),
        )
        person.methods = [*person.methods, channel]
        person.save()


async def in_django(act: Callable[[], T]) -> T:
    """Synchronous Django in a thread of its own, with a connection of its own."""

    def run() -> T:
        from django.db import connection

        try:
            return act()
        finally:
            connection.close()

    return await asyncio.to_thread(run)


@dataclass
class Desk:
    """A tenant, a connection as a node has it, and the acts of a node on it, one by one."""

    organisation: Any
    connection: Connection
    url: str
    views: Views = field(default_factory=Views)

    @property
    def tenant_id(self) -> UUID:
        return UUID(str(self.organisation.id))

    def submission(self, content: dict[str, Any] | Incoming, tenant_id: UUID | None = None) -> Submission:
        read = content if isinstance(content, Incoming) else incoming(content)
        loop = asyncio.get_running_loop()
        # Without a token, as a notice of our own.
        return Submission(tenant_id or self.tenant_id, b"", read, loop.create_future(), loop.time())

    async def keep(
        self, *contents: dict[str, Any], lease: int | None = None, room: Callable[..., bool] = anywhere
    ) -> Accepted:
        """Accept these as one group."""
        group = [self.submission(content) for content in contents]
        return await accept(self.connection, self.views, group, lease=lease, room=room)

    async def register(self) -> int:
        return await lease.register(self.connection, "test")

    async def claim(self, mine: int, limit: int = 500) -> list[Job]:
        claimed = await claim.claim(self.connection, lease=mine, limit=limit)
        views = await self.views.current(self.connection, {one.tenant_id for one in claimed})
        return await claim.prepare(self.connection, claimed, views, lease=mine)

    async def finish(self, *jobs: Job, state: str = "sent", reason: str = "", wait: float = 0.0) -> int:
        """Record this end of a try for each; how many were recorded."""
        at = datetime.now(UTC).isoformat()
        following = Next(state, reason, timedelta(seconds=wait) if wait else None)  # type: ignore[arg-type]
        attempt = msgspec.json.encode([{"at": at, "outcome": state}]).decode()
        results = [Result(job.id, job.lease, following, "", attempt) for job in jobs]
        return await record(self.connection, results)

    async def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return await (await self.connection.execute(query, values)).fetchall()

    async def value(self, query: str, *values: Any) -> Any:
        [[value]] = await self.rows(query, *values)
        return value

    async def run(self, statement: str, *values: Any) -> int:
        return (await self.connection.execute(statement, values)).rowcount

    async def deliveries(self, *columns: str) -> list[Any]:
        """Of this tenant, in the order of their making; one column's values, or rows."""
        rows = await self.rows(
            f"SELECT {', '.join(columns or ('state',))} FROM delivery_delivery WHERE tenant_id = %s ORDER BY id",
            self.tenant_id,
        )
        return [row[0] for row in rows] if len(columns) < 2 else rows

    async def another(self) -> "Desk":
        """The same tenant over another connection, as another node has it."""
        return Desk(self.organisation, await connect(self.url, name="other"), self.url)

    async def close(self) -> None:
        await self.connection.close()


async def eventually(true: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


def logins(jobs: Sequence[Job]) -> list[str]:
    return [job.member.login for job in jobs]
