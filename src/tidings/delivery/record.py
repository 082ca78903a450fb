"""Write down what became of deliveries: many at once, only under our own lease, within 50 ms or 200 deliveries."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Generic, Literal, TypeVar
from uuid import UUID

import msgspec
import psycopg
from msgspec import Struct

from tidings.channels.contract import Outcome, Refused, Sent, TryLater
from tidings.delivery.policy import Next
from tidings.kernel.database import Connection, Lasting, for_the_log, plain_array, text_array

log = logging.getLogger("tidings.delivery")
AT_MOST = 200
WITHIN = 0.05
LAST = 5.0
"""Seconds for what is left when a node ends."""
REASON = 100
"""Characters."""

# Index: the primary key. A lease that was taken from us changes nothing: somebody else has the delivery now. Nor does a
# result that is there already, which is written twice when the answer to a commit never came: by then the delivery may
# be on its next try, under the same lease.
_RECORD = """
UPDATE delivery_delivery d SET
    state = r.state, reason = nullif(r.reason, ''), provider_id = nullif(r.provider_id, ''), lease = NULL,
    due_at = CASE WHEN r.wait > 0 AND r.state = 'pending' THEN now() + r.wait * interval '1 second' ELSE d.due_at END,
    ask_at = CASE WHEN r.wait > 0 AND r.state = 'sent' THEN now() + r.wait * interval '1 second' END,
    attempts = CASE WHEN r.attempt = '' THEN d.attempts ELSE coalesce(d.attempts, '[]'::jsonb) || r.attempt::jsonb END
FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::float8[], %s::text[])
    AS r(id, lease, state, reason, provider_id, wait, attempt)
WHERE d.id = r.id AND d.lease = r.lease AND d.state = 'sending'
  AND NOT coalesce(d.attempts @> nullif(r.attempt, '')::jsonb, false)
"""
_json = msgspec.json.Encoder()


WHAT: Mapping[type[Outcome], Literal["sent", "try_later", "refused"]] = {
    Sent: "sent",
    TryLater: "try_later",
    Refused: "refused",
}
"""An outcome as a record calls it."""


class Try(Struct, frozen=True, omit_defaults=True):
    """What is kept of one: when, what came of it, how long it took, why, and the provider's own words."""

    at: datetime
    outcome: str
    ms: float
    reason: str = ""
    said: str = ""


class Result(Struct, frozen=True):
    """`attempt` is JSON for the record, empty where none was made; `lease` the one under which it was claimed."""

    id: UUID
    lease: int
    next: Next
    provider_id: str
    attempt: str


def result_of(
    delivery_id: UUID, lease: int, outcome: Outcome, following: Next, *, at: datetime, took: timedelta
) -> Result:
    """What is kept of a try: when, how long in milliseconds, the outcome and the provider's own words."""
    ms = round(took.total_seconds() * 1000, 1)
    attempt = Try(at, WHAT[type(outcome)], ms, following.reason, storable(outcome.said)[:300])
    provider_id = storable(outcome.provider_id)[:300] if isinstance(outcome, Sent) else ""
    return Result(delivery_id, lease, following, provider_id, _json.encode([attempt]).decode())


class Wait(Struct, frozen=True, tag_field="outcome", tag="held"):
    """That it was not tried, from when on and why."""

    at: datetime
    reason: str


def held(delivery_id: UUID, lease: int, following: Next, *, since: Wait | None = None) -> Result:
    """It was not tried: its state and what it waits for are kept, and, of the first time in a row, that it did."""
    return Result(delivery_id, lease, following, "", _json.encode([since]).decode() if since else "")


def storable(text: str) -> str:
    """A provider's words without what PostgreSQL refuses (U+0000, half characters): a result must never be lost."""
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)


def recordable(outcome: Outcome) -> Outcome:
    """The same, with a reason that PostgreSQL takes: one channel's would keep all results of a node from being
    written."""
    if isinstance(outcome, Sent) or (outcome.reason.isprintable() and len(outcome.reason) <= REASON):
        return outcome
    return msgspec.structs.replace(outcome, reason=storable(outcome.reason)[:REASON])


T = TypeVar("T")


class Recorder(Generic[T]):
    """Collects what came of tries, and judges and writes it many at once: one after the other, each between two calls
    to vendors, cost three times as much. While the database is away results are kept and written later. `judge` must
    not raise."""

    def __init__(self, judge: Callable[[Sequence[T]], list[Result]]) -> None:
        self._judge = judge
        self._tried: list[T] = []
        self._results: list[Result] = []
        self._some = asyncio.Event()
        self._many = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._turns = 0

    def turns(self) -> int | None:
        """How often it wrote, or tried to; None while there is nothing to write."""
        return self._turns if self._results or self._tried else None

    def add(self, tried: T) -> None:
        self._tried.append(tried)
        if len(self._tried) == 1:
            self._idle.clear()
            self._some.set()
        elif len(self._tried) >= AT_MOST:
            self._many.set()

    async def flushed(self) -> None:
        await self._idle.wait()

    async def write_rest(self, connection: Lasting) -> None:
        """Once more, of a node that ends, whatever ended it: what was sent and is not written down now, others send
        again."""
        self._judge_all()
        if self._results:
            with suppress(psycopg.Error, TimeoutError):
                async with asyncio.timeout(LAST):
                    await record(await connection.live(), self._results)

    def _judge_all(self) -> None:
        self._results += self._judge(self._tried)
        self._tried.clear()

    async def run(self, connection: Lasting, written: Callable[[Sequence[Result]], None]) -> None:
        """Write until cancelled; `written` hears of each batch that is durable."""
        while True:
            await self._some.wait()
            if len(self._tried) + len(self._results) < AT_MOST:
                with suppress(TimeoutError):
                    async with asyncio.timeout(WITHIN):
                        await self._many.wait()
            self._many.clear()
            self._turns += 1
            self._judge_all()
            batch = self._results[: 5 * AT_MOST]
            try:
                await record(await connection.live(), batch)
            except psycopg.Error as error:
                log.warning("%d results wait for the database: %s", len(self._results), for_the_log(error))
                await asyncio.sleep(0.5)
                continue
            del self._results[: len(batch)]
            written(batch)
            if not (self._results or self._tried):
                self._some.clear()
                self._idle.set()


async def record(connection: Connection, results: list[Result]) -> int:
    """How many of them were still ours."""
    cursor = await connection.execute(
        _RECORD,
        (
            plain_array([one.id.hex for one in results]),
            plain_array([str(one.lease) for one in results]),
            plain_array([one.next.state for one in results]),
            text_array([one.next.reason for one in results]),
            text_array([one.provider_id for one in results]),
            plain_array([str(one.next.wait.total_seconds() if one.next.wait else 0) for one in results]),
            text_array([one.attempt for one in results]),
        ),
    )
    if cursor.rowcount != len(results):
        log.warning("%d results were there already, or came after the lease was lost", len(results) - cursor.rowcount)
    return cursor.rowcount
