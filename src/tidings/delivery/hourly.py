"""What came in and went out, hour by hour, for 30 days: counted in the memory of each node while it accepts and sends,
written every few seconds for all tenants at once.

Counting rows instead would read a million of them for one look. A node that is killed takes its last two seconds along,
and what is written falls into the hour in which it is written: for a person on duty, not for the books.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil, log
from typing import Any, Literal
from uuid import UUID

from django.db import connection as django_connection

from tidings.delivery.enqueue import Keep
from tidings.kernel.database import Connection, plain_array, text_array

KEPT = timedelta(days=31)
What = Literal["accepted", "skipped", "sent", "failed", "cancelled"]
"""Events accepted; silences, of whole events, people or their channels; ends of deliveries. What a receipt says failed
was sent before, and counts as both."""
Key = tuple[UUID, What, str, str, int]
"""Tenant, what, channel, reason, step."""
Counts = Mapping[Key, int]

# A step is 60% longer than the one before: from 5 ms to a day in 36 of them.
_FIRST, _RATIO = 0.005, 1.6
_LOG = log(_RATIO)
UNTIMED = -1
"""The step of what was sent after somebody tried it again by hand, or by another way: its time says nothing of ours."""

# Index: hour_of. In the order of the key, so that two nodes never wait for each other.
_ADD = """
INSERT INTO delivery_hour AS h (tenant_id, hour, what, channel, reason, step, count)
SELECT tenant_id, date_trunc('hour', %s::timestamptz, 'UTC'), what, channel, reason, step, count
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::smallint[], %s::bigint[])
    AS c(tenant_id, what, channel, reason, step, count)
ORDER BY 1, 2, 3, 4, 5, 6
ON CONFLICT (tenant_id, hour, what, channel, reason, step) DO UPDATE SET count = h.count + excluded.count
"""
# Index: hour_of.
_SUMS = """
SELECT place, what, coalesce(channel, ''), coalesce(reason, ''), coalesce(step, 0), sum(count)::bigint FROM (
    SELECT width_bucket(hour, %(times)s::timestamptz[]) AS place, what, channel, reason, step, count
    FROM delivery_hour WHERE tenant_id = %(tenant)s AND hour >= %(since)s
) h GROUP BY GROUPING SETS ((place, what, step), (what, channel, reason))
"""
_FORGET = "DELETE FROM delivery_hour WHERE hour < now() - %s::interval"


def step_of(seconds: float) -> int:
    return max(ceil(log(seconds / _FIRST) / _LOG), 0) if seconds > _FIRST else 0


def longest(step: int) -> float:
    """Seconds that fall into this step at most."""
    return float(_FIRST * _RATIO**step)


@dataclass(slots=True)
class Hours:
    """Counts in memory until they are taken to be written."""

    _counts: Counter[Key] = field(default_factory=Counter)

    def kept(self, keeps: Iterable[Keep]) -> None:
        """Events that were accepted just now."""
        tenant_id, count = None, 0
        for keep in keeps:
            # Those of one token have the very same: hashing a key for each event would cost more than all the rest.
            if keep.tenant_id is not tenant_id:
                self._accepted(tenant_id, count)
                tenant_id, count = keep.tenant_id, 0
            count += 1
        self._accepted(tenant_id, count)
        self.planned(keeps)

    def planned(self, keeps: Iterable[Keep]) -> None:
        """The silences of events that have their plan: mostly there are none."""
        for keep in keeps:
            if keep.planned is None:
                continue
            plan = keep.planned.plan
            for skip in plan.skips:
                self._counts[keep.tenant_id, "skipped", "", skip.reason, 0] += 1
            for recipient in plan.recipients:
                for skip in recipient.skips:
                    self._counts[keep.tenant_id, "skipped", skip.channel, skip.reason, 0] += 1

    def _accepted(self, tenant_id: UUID | None, count: int) -> None:
        if tenant_id is not None:
            self._counts[tenant_id, "accepted", "", "", 0] += count

    def sent(self, tenant_id: UUID, channel: str, seconds: float | None) -> None:
        """`seconds` from accepted to the provider's answer; None where they say nothing."""
        self._counts[tenant_id, "sent", channel, "", UNTIMED if seconds is None else step_of(seconds)] += 1

    def ended(self, tenant_id: UUID, what: Literal["failed", "cancelled"], channel: str, reason: str) -> None:
        self._counts[tenant_id, what, channel, reason, 0] += 1

    def take(self) -> Counts:
        counts, self._counts = self._counts, Counter()
        return counts

    def give_back(self, counts: Counts) -> None:
        """What could not be written."""
        self._counts.update(counts)


async def write(connection: Connection, counts: Counts, now: datetime) -> None:
    if not counts:
        return
    keys = list(counts)
    await connection.execute(
        _ADD,
        (
            now,
            plain_array([key[0].hex for key in keys]),
            plain_array([key[1] for key in keys]),
            text_array([key[2] for key in keys]),
            text_array([key[3] for key in keys]),
            plain_array([str(key[4]) for key in keys]),
            plain_array([str(counts[key]) for key in keys]),
        ),
    )


async def forget(connection: Connection) -> None:
    """Index: none; a few hundred rows an hour, every ten minutes."""
    await connection.execute(_FORGET, (KEPT,))


@dataclass(frozen=True, slots=True)
class Sum:
    """Of one of the spans that were asked for (`at` is its begin; and `step` for what was sent), or of one channel and
    reason over all of them."""

    at: datetime | None
    what: What
    channel: str
    reason: str
    step: int
    count: int


def sums(tenant_id: UUID, times: Sequence[datetime]) -> list[Sum]:
    """One query. Each span begins at one of `times`, and ends with the next, the last one now. An hour that lies in two
    of them counts to the first: zones there are that are half an hour apart."""
    asked: dict[str, Any] = {"tenant": tenant_id, "since": times[0], "times": list(times)}
    with django_connection.cursor() as cursor:
        cursor.execute(_SUMS, asked)
        return [Sum(times[row[0] - 1] if row[0] else None, *row[1:]) for row in cursor.fetchall()]
