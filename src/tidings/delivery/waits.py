"""Why a delivery waits, and what waits and fails just now: the record knows, and no node has to be asked.

What a vendor's budget or trouble keeps back is held without a try, and the last line of its record says so
(`record.held`). What was tried waits for its next turn of the schedule, with the reason of the last try.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import connection

from tidings.accounts.permissions import SEE_ALL, Caller
from tidings.delivery.circuit import TROUBLE
from tidings.delivery.lease import COUNT_DELIVERING, DEAD_AFTER
from tidings.kernel.ids import first_at

WaitsFor = Literal["", "sending", "turn", "node", "older", "limit", "vendor", "schedule"]
"""Nothing; the answer to its try; its turn in a moment; a node that delivers; an older message to the same person about
the same subject; the vendor's budget; a vendor in trouble; its next try."""
COUNTED_AT_MOST = 10_000

# Of a delivery `d`, with `WAITS_WITH`. The words are those of `claim.py`; index: delivery_open, for what is due.
WAITS_FOR = """CASE d.state WHEN 'sending' THEN 'sending' WHEN 'pending' THEN CASE
    WHEN d.due_at > now() THEN CASE
        WHEN d.reason IS NULL THEN 'turn'
        WHEN d.attempts -> -1 ->> 'outcome' IS DISTINCT FROM 'held' THEN 'schedule'
        WHEN d.reason = ANY(%(troubles)s) THEN 'vendor'
        ELSE 'limit' END
    WHEN NOT EXISTS (
        SELECT FROM delivery_node n
        WHERE n.renewed_at > clock_timestamp() - %(dead_after)s::interval) THEN 'node'
    WHEN d.due_at >= now() - interval '30 seconds' AND EXISTS (
        SELECT FROM delivery_delivery o
        WHERE o.subject_id = d.subject_id AND o.person_id = d.person_id AND o.channel = d.channel
          AND o.number < d.number AND o.state IN ('pending', 'sending')) THEN 'older'
    ELSE 'turn' END ELSE '' END"""
WAITS_WITH: Mapping[str, Any] = {"troubles": sorted({*TROUBLE, "database_away"}), "dead_after": DEAD_AFTER}
# Index: delivery_due, the most urgent first.
_WAITING = """
SELECT waits_for, channel, reason, count(*), min(due_at) FROM (
    SELECT d.channel, coalesce(d.reason, '') AS reason, d.due_at, {waits_for} AS waits_for FROM delivery_delivery d
    WHERE d.tenant_id = %(tenant)s AND d.state = 'pending' ORDER BY d.due_at LIMIT %(at_most)s
) waiting GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3
"""
# Index: delivery_failed, the newest first.
_FAILED = """
SELECT channel, reason, count(*) FROM (
    SELECT d.channel, coalesce(d.reason, '') AS reason FROM delivery_delivery d
    WHERE d.tenant_id = %(tenant)s AND d.state = 'failed' AND d.id >= %(since)s ORDER BY d.id DESC LIMIT %(at_most)s
) failed GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """`due_at` of the first of them: since when it is due, or when it is next."""

    waits_for: WaitsFor
    channel: str
    reason: str
    count: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Failing:
    channel: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What waits now, and what failed of the events of the last hours. Each is counted up to 10,000, which stands for
    more; `oldest_due_at`: of what should have gone already."""

    waiting: Sequence[Waiting]
    failed: Sequence[Failing]
    oldest_due_at: datetime | None
    nodes_delivering: int

    @property
    def waiting_count(self) -> int:
        return sum(each.count for each in self.waiting)

    @property
    def failed_count(self) -> int:
        return sum(each.count for each in self.failed)


def standing_of(caller: Caller, *, hours: int, now: datetime) -> Standing:
    """Three queries. For those who see all of their tenant; raises 403."""
    caller.require(*SEE_ALL, to_write=False)
    asked = {
        **WAITS_WITH,
        "tenant": caller.tenant_id,
        "since": first_at(now - timedelta(hours=hours)),
        "at_most": COUNTED_AT_MOST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WAITING.format(waits_for=WAITS_FOR), asked)
        waiting = [Waiting(*row) for row in cursor.fetchall()]
        cursor.execute(_FAILED, asked)
        failed = [Failing(*row) for row in cursor.fetchall()]
        cursor.execute(COUNT_DELIVERING, asked)
        [nodes] = cursor.fetchone()
    oldest = min((each.due_at for each in waiting), default=None)
    return Standing(waiting, failed, oldest if oldest and oldest <= now else None, nodes)
