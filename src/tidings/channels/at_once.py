"""Send one thing now, from a page or a call that waits for what comes of it."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import connection

from tidings.channels.conclude import conclude
from tidings.channels.contract import Budget, Channel, Outcome, TryLater, Wire
from tidings.channels.memory import LocalMemory
from tidings.channels.turns import Turns
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.http import Wire as RealWire
from tidings.kernel.problems import Problem
from tidings.kernel.settings import settings as installation

Sending = Callable[[Wire], Coroutine[Any, Any, Outcome]]
Room = Callable[[Sequence[Budget]], Awaitable[TryLater | None]]
"""Takes what the call uses of its vendor's budgets, on all nodes together; where they are used up, what comes of it."""
SendNow = Callable[[Channel, Sequence[Budget], Sending], Outcome]
"""Blocks for 15 s at most, so no transaction may be open; never raises for what the other side does."""

# A message may keep its thread for all of that, and a node has two for all pages and calls: never more than one.
_turns = Turns()


@contextmanager
def at_once(tenant_id: UUID, room: Room) -> Iterator[SendNow]:
    """Whoever gets in may send. Raises 429 while another does, so that nothing is counted that could not be sent; and
    to a tenant that has just kept another waiting, for as long as it did."""
    if wait := _turns.take(tenant_id, monotonic()):
        detail = "Another message is being sent; try again in a moment."
        raise Problem(429, "busy", detail, headers={"Retry-After": str(math.ceil(wait))})
    try:
        yield partial(_send_now, room)
    finally:
        _turns.give_back(monotonic())


def _send_now(room: Room, channel: Channel, budgets: Sequence[Budget], sending: Sending) -> Outcome:
    if connection.in_atomic_block:
        raise RuntimeError("a message may take 15 seconds: no transaction may be open meanwhile")
    # In a thread of its own: the caller's may have a loop already, and then could not run another.
    with ThreadPoolExecutor(1, thread_name_prefix="tidings-send") as thread:
        return thread.submit(asyncio.run, send_within(room, channel, budgets, sending)).result()


async def send_within(room: Room, channel: Channel, budgets: Sequence[Budget], sending: Sending) -> Outcome:
    """Takes 15 s at most. Never raises, but for a cancellation."""

    async def within_budget() -> Outcome:
        return await room(budgets) or await sending(LocalMemory(wire))

    wire = RealWire(AddressPolicy(installation().allowed_networks))
    try:
        return await conclude(within_budget(), {"channel": channel.code})
    finally:
        await channel.close()
        await wire.aclose()
