"""How a channel is doing: tries counted by minute, kept for 30 days, written every few seconds for all tenants at once.

For a person on duty, not for the books: a node that is killed takes its last seconds along. The ledger counts rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from django.db import connection as django_connection
from msgspec import Struct

from tidings.kernel.database import Connection, plain_array, text_array

WRITE_EVERY = 2.0
"""Seconds."""
KEPT = timedelta(days=30)
What = Literal["sent", "try_later", "refused", "held", "delivered", "failed", "cancelled", "retried"]
"""What came of a try; what was not tried; what a receipt said; what is not tried any more, since its way or its content
is gone; what somebody wants tried again, which has no channel."""
Counts = dict[tuple[UUID, str, What, str], tuple[int, float, str]]
"""(tenant, channel, what, reason) -> how many, the seconds they took together, what the vendor said last."""

# Index: tally_of. In the order of the key, so that two nodes never wait for each other.
_ADD = """
INSERT INTO delivery_tally AS t (tenant_id, channel, minute, what, reason, count, ms, said)
SELECT * FROM unnest(
    %s::uuid[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::text[])
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (tenant_id, channel, minute, what, reason)
DO UPDATE SET count = t.count + excluded.count, ms = t.ms + excluded.ms,
              said = coalesce(nullif(excluded.said, ''), t.said)
"""
_FORGET = "DELETE FROM delivery_tally WHERE minute < now() - interval '30 days'"
_LATELY = """
SELECT channel, what, reason, sum(count)::bigint, sum(ms)::bigint, max(minute),
       coalesce((array_agg(said ORDER BY minute DESC) FILTER (WHERE said <> ''))[1], ''),
       coalesce(sum(count) FILTER (WHERE minute > coalesce(last_sent, '-infinity')), 0)::bigint
FROM (
    SELECT *, max(minute) FILTER (WHERE what = 'sent') OVER (PARTITION BY channel) AS last_sent FROM delivery_tally
    WHERE tenant_id = %s AND channel = ANY(%s) AND minute >= %s
) lately GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3
"""

_NONE = 0, 0.0, ""


class Row(Struct, frozen=True):
    """`ms` is how long those tries took together; `last` the minute of the last of them; `said` the vendor's own words,
    the last that there were; `since_sent` how many of them were after the minute in which the channel last sent."""

    channel: str
    what: What
    reason: str
    count: int
    ms: int
    last: datetime
    said: str = ""
    since_sent: int = 0


@dataclass(slots=True)
class Tallies:
    """Counts in memory until they are taken to be written."""

    _counts: Counts = field(default_factory=dict)

    def count(
        self, tenant_id: UUID, channel: str, what: What, reason: str = "", seconds: float = 0.0, said: str = ""
    ) -> None:
        key = tenant_id, channel, what, reason
        count, total, before = self._counts.get(key, _NONE)
        self._counts[key] = count + 1, total + seconds, said or before

    def take(self) -> Counts:
        counts, self._counts = self._counts, {}
        return counts

    def give_back(self, counts: Counts) -> None:
        """What could not be written."""
        for key, (count, seconds, said) in counts.items():
            more = self._counts.get(key, _NONE)
            self._counts[key] = count + more[0], seconds + more[1], more[2] or said


async def write(connection: Connection, counts: Counts, now: datetime) -> None:
    if not counts:
        return
    minute = now.replace(second=0, microsecond=0).isoformat()
    rows = [(*key, *value) for key, value in counts.items()]
    await connection.execute(
        _ADD,
        (
            plain_array([row[0].hex for row in rows]),
            text_array([row[1] for row in rows]),
            text_array([minute] * len(rows)),
            text_array([row[2] for row in rows]),
            text_array([row[3] for row in rows]),
            plain_array([str(row[4]) for row in rows]),
            plain_array([str(round(row[5] * 1000)) for row in rows]),
            text_array([row[6] for row in rows]),
        ),
    )


def count_now(tenant_id: UUID, channel: str, what: What, count: int, now: datetime) -> None:
    """What a page or a call brought about, outside any node's loop."""
    with django_connection.cursor() as cursor:
        minute = now.replace(second=0, microsecond=0)
        cursor.execute(_ADD, [[tenant_id], [channel], [minute], [what], [""], [count], [0], [""]])


async def forget(connection: Connection) -> None:
    """Index: none; a few rows a minute, every ten minutes."""
    await connection.execute(_FORGET)


def lately(tenant_id: UUID, channels: Sequence[str], since: datetime) -> list[Row]:
    """What became of these channels' messages since then, the most frequent first."""
    with django_connection.cursor() as cursor:
        cursor.execute(_LATELY, [tenant_id, list(channels), since])
        return [Row(*row) for row in cursor.fetchall()]
