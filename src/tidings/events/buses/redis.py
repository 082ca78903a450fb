"""Redis Streams, by a consumer group. What a node took and never said to be done lies in the group's list of pending
entries under that node's name: others take it over, here with XAUTOCLAIM, once it was idle for long enough.

https://redis.io/docs/latest/develop/data-types/streams/
"""

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import msgspec
from redis.asyncio import Redis as Client
from redis.exceptions import ResponseError

from tidings.events.buses.contract import Bus, Taken, plain, sent_at
from tidings.events.buses.file import Redis

NAMED = "tidings-"
GONE_AFTER = 3_600_000
"""Milliseconds after which a consumer of ours that holds nothing and asks for nothing is taken off the group's list."""
CALLS_WITHIN = 10.0
Fields = Mapping[bytes, bytes]


class RedisBus(Bus):
    def __init__(self, entry: Redis) -> None:
        self._entry = entry
        # As long as the url says nothing else, no call waits for ever for a server that stands still.
        # Of its two protocols the one that all servers speak; the library's types do not tell their answers apart.
        self._client: Any = Client.from_url(
            entry.url, protocol=2, socket_timeout=CALLS_WITHIN, socket_connect_timeout=5
        )
        self._stream, self._group = entry.stream, entry.group
        self._me = f"{NAMED}{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self._idle = int(entry.taken_over_after * 1000)
        self._from: Any = "0-0"
        self._look_over_at = 0.0

    async def open(self) -> None:
        try:
            await self._client.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def take(self, at_most: int, within: float) -> Sequence[Taken]:
        if over := await self._take_over(at_most):
            return over
        found = await self._client.xreadgroup(
            self._group, self._me, {self._stream: ">"}, count=at_most, block=int(within * 1000)
        )
        return [self._taken(key, fields, again=False) for _, entries in found or () for key, fields in entries]

    async def _take_over(self, at_most: int) -> Sequence[Taken]:
        """What others left behind. At once while there is more, else a few times in the while it has to be idle."""
        now = asyncio.get_running_loop().time()
        if now < self._look_over_at:
            return ()
        self._from, entries, *_ = await self._client.xautoclaim(
            self._stream, self._group, self._me, min_idle_time=self._idle, start_id=self._from, count=at_most
        )
        if self._from in (b"0-0", "0-0"):
            self._look_over_at = now + self._entry.taken_over_after / 4
        return [self._taken(key, fields, again=True) for key, fields in entries if fields]

    async def done(self, taken: Sequence[Taken]) -> None:
        await self._client.xack(self._stream, self._group, *(one.tag for one in taken))

    async def hold(self, taken: Sequence[Taken]) -> None:
        # JUSTID: how often it was handed out does not rise.
        await self._client.xclaim(
            self._stream, self._group, self._me, min_idle_time=0, message_ids=[one.tag for one in taken], justid=True
        )

    async def look(self) -> int:
        for group in await self._client.xinfo_groups(self._stream):
            if group["name"] == self._group.encode():
                await self._tidy_up()
                # Since Redis 7; nil after entries were deleted from the middle of the stream.
                return int(group.get("lag") or 0)
        raise ResponseError(f"NOGROUP {self._group}: the stream {self._stream} has no such group any more")

    async def _tidy_up(self) -> None:
        for consumer in await self._client.xinfo_consumers(self._stream, self._group):
            name = consumer["name"].decode(errors="replace")
            if name.startswith(NAMED) and not consumer["pending"] and consumer["idle"] > GONE_AFTER:
                await self._client.xgroup_delconsumer(self._stream, self._group, name)

    async def close(self) -> None:
        # Else it is gone already, and what is left of us others take over.
        with suppress(Exception):
            async with asyncio.timeout(2):
                mine = await self._client.xpending_range(
                    self._stream, self._group, min="-", max="+", count=1, consumername=self._me
                )
                if not mine:
                    await self._client.xgroup_delconsumer(self._stream, self._group, self._me)
        with suppress(Exception):
            await self._client.aclose()

    def _taken(self, key: bytes, fields: Fields, *, again: bool) -> Taken:
        body, said = fields.get(self._entry.field.encode()), _texts(fields)
        headers = {plain(name): value for name, value in said.items() if name != self._entry.field}
        if body is None:
            # Somebody put the members themselves into the entry.
            body, headers = msgspec.json.encode(said), {}
        sent = sent_at(int(key.partition(b"-")[0]))
        return Taken(body, headers, sent, f"{self._stream} {key.decode()}", key, again)


def _texts(fields: Fields) -> dict[str, str]:
    return {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
