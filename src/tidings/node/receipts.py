"""Receipts: what providers report by themselves, and what they are asked about."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import psycopg
from msgspec.structs import replace

from tidings.channels.conclude import conclude
from tidings.channels.contract import Acknowledged, Call, NotAuthentic, Receipt, Values
from tidings.channels.registry import CHANNELS
from tidings.delivery import receipts
from tidings.directory.people import Point
from tidings.kernel.clock import now
from tidings.kernel.database import Connection, Lasting, in_words
from tidings.kernel.ids import event_of
from tidings.kernel.problems import Problem
from tidings.kernel.secrets import SecretUnreadable, unseal
from tidings.node import metrics

if TYPE_CHECKING:
    from tidings.node.engine import Node

log = logging.getLogger("tidings.node")
PATH = "/api/v1/receipts/"
LOOK_EVERY = 2.0
"""Seconds."""
RECORDED_WITHIN = 0.1
"""Seconds in which a message that was just sent is usually recorded."""


class Receipts:
    def __init__(self, node: "Node") -> None:
        self._node = node

    async def report(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Acknowledged:
        """A provider's own call to `/receipts/{channel}/{tenant}/...`. Raises `Problem`: 401 when it is not the
        provider, 404, 422 for what cannot be read, 503 when it should come again."""
        channel_code, tenant_id = _addressed(path)
        channel = CHANNELS[channel_code]
        settings = await self._settings(tenant_id, channel_code)
        url = f"{self._node.settings.base_url}{path}{query and '?'}{query}"
        try:
            acknowledged = channel.acknowledge(Call(method, url, headers, body), settings)
        except NotAuthentic:
            raise Problem(401, "unauthorized", "This receipt does not come from the provider.") from None
        except ValueError as error:
            raise Problem(422, "invalid_receipt", f"This receipt cannot be read: {error}") from None
        if acknowledged.unreadable:
            metrics.RECEIPTS_IGNORED.labels(channel_code, "unreadable").inc(acknowledged.unreadable)
            about = {"channel": channel_code, "tenant": str(tenant_id)}
            log.warning("%d receipts of a call cannot be read", acknowledged.unreadable, extra=about)
        connection = await self._node.front.live()
        await self._apply(connection, tenant_id, channel_code, acknowledged.receipts)
        if await receipts.on_their_way(connection, tenant_id, channel_code, acknowledged.receipts):
            await asyncio.sleep(RECORDED_WITHIN)
            await self._apply(connection, tenant_id, channel_code, acknowledged.receipts)
        for delivery in await receipts.of_others(connection, tenant_id, channel_code, acknowledged.receipts):
            metrics.RECEIPTS_IGNORED.labels(channel_code, "other_message").inc()
            log.warning("a receipt names another message of its provider's", extra={"delivery": str(delivery)})
        return acknowledged

    async def run(self, lasting: Lasting) -> None:
        """Ask, until cancelled, about what is due."""
        while True:
            some = 0
            try:
                some = await self._ask(await lasting.live())
            except psycopg.Error as error:
                log.warning("receipts: %s", in_words(error))
            if not some:
                await asyncio.sleep(LOOK_EVERY)

    async def _ask(self, connection: Connection) -> int:
        asked = await receipts.due(connection)
        by_channel: dict[tuple[UUID, str], list[receipts.Asked]] = defaultdict(list)
        for one in asked:
            by_channel[one.tenant_id, one.channel].append(one)
        for (tenant_id, code), each in by_channel.items():
            await self._ask_channel(connection, tenant_id, code, each)
        return len(asked)

    async def _ask_channel(
        self, connection: Connection, tenant_id: UUID, code: str, asked: Sequence[receipts.Asked]
    ) -> None:
        channel = CHANNELS.get(code)
        found: Sequence[Receipt] = ()
        if channel is not None:
            with suppress(Problem):
                settings = await self._settings(tenant_id, code)
                way = self._node.deliverer.way(tenant_id, code)
                ids = list(dict.fromkeys(one.provider_id for one in asked))
                answered = await conclude(channel.ask(ids, settings, way), {"channel": code})
                # An outcome is what went wrong; the next time may be better.
                found = answered if isinstance(answered, list | tuple) else ()
        named = _named(asked, found)
        await self._apply(connection, tenant_id, code, named)
        answered_for = {one.identity for one in named}
        waits = channel.asks_after if channel else ()
        await receipts.ask_again(
            connection,
            [(one.id, _next_wait(one, waits)) for one in asked if one.id not in answered_for],
        )

    async def _apply(self, connection: Connection, tenant_id: UUID, code: str, found: Sequence[Receipt]) -> None:
        if not found:
            return
        for ended in await receipts.apply(connection, tenant_id, code, found, now=now()):
            what: Literal["failed", "delivered"] = "failed" if ended.reason else "delivered"
            metrics.RECEIPTS.labels(code, what, ended.reason).inc()
            self._node.counting.tries.count(tenant_id, code, what, ended.reason)
            if what == "failed":
                self._node.counting.hours.ended(tenant_id, "failed", code, ended.reason)
            if ended.dead:
                await self._disable(connection, tenant_id, ended)

    async def _disable(self, connection: Connection, tenant_id: UUID, ended: receipts.Ended) -> None:
        view = (await self._node.views.current(connection, (tenant_id,))).get(tenant_id)
        member = view.directory.people.by_id.get(ended.person_id) if view else None
        for point in member.points.values() if member else ():
            if member and point.id == ended.contact_point_id and _still_there(ended.receipt, point):
                self._node.chores.dead_contact_point(tenant_id, member, point, ended.reason, event_of(ended.id))

    async def _settings(self, tenant_id: UUID, code: str) -> Values:
        connection = await self._node.front.live()
        view = (await self._node.views.current(connection, (tenant_id,))).get(tenant_id)
        sealed = view.channels.get(code) if view else None
        if sealed is None:
            raise Problem(404, "not_found", "There is no such channel here.")
        try:
            return unseal(sealed)
        except SecretUnreadable:
            raise Problem(503, "unavailable", "The channel's settings cannot be read now.") from None


def _still_there(receipt: Receipt, point: Point) -> bool:
    """Not where the address was changed since: the new one is not dead."""
    with suppress(SecretUnreadable):
        return CHANNELS[point.channel].is_about(receipt, unseal(point.sealed))
    return False


def _addressed(path: str) -> tuple[str, UUID]:
    code, _, rest = path.removeprefix(PATH).partition("/")
    try:
        tenant_id = UUID(rest.partition("/")[0])
    except ValueError:
        tenant_id = None
    if code not in CHANNELS or tenant_id is None:
        raise Problem(404, "not_found", "Nothing answers here: /api/v1/receipts/{channel}/{tenant}/...")
    return code, tenant_id


def _named(asked: Sequence[receipts.Asked], found: Sequence[Receipt]) -> list[Receipt]:
    """Each receipt for the deliveries it speaks of: a call that carried many has one id for all of them."""
    by_provider_id: dict[str, list[UUID]] = defaultdict(list)
    for one in asked:
        by_provider_id[one.provider_id].append(one.id)
    return [
        replace(one, identity=identity)
        for one in found
        for identity in ([one.identity] if one.identity else by_provider_id.get(one.provider_id, []))
    ]


def _next_wait(one: receipts.Asked, waits: Sequence[timedelta]) -> float | None:
    """Until the next of the channel's moments, or never again."""
    age = now() - one.sent_at
    return next((max((wait - age).total_seconds(), 1.0) for wait in waits if wait > age), None)
