"""What waits for somebody to do something: approvals, the longest first; and what came in and could not be planned or
understood. An event that asks for approval leaves a row (`delivery/enqueue.py`);
whether it is still asked for is the subject's status, and rows of which it no longer is are swept now and then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection as django_connection

from tidings.accounts.permissions import SEE_ALL, Caller
from tidings.kernel.database import Connection

COUNTED_AT_MOST = 1_000
# Index: awaiting_longest, then the primary key of subjects.
_LONGEST = """
SELECT s.kind, s.key, s.title, s.url, s.status, s.status_time
FROM events_awaiting a JOIN events_subject s ON s.id = a.subject_id
WHERE a.tenant_id = %s AND s.status LIKE '%%.pending_approval' ORDER BY a.since, a.subject_id LIMIT %s
"""
_COUNT = """
SELECT count(*) FROM (
    SELECT FROM events_awaiting a JOIN events_subject s ON s.id = a.subject_id
    WHERE a.tenant_id = %s AND s.status LIKE '%%.pending_approval' LIMIT %s
) counted
"""
# A table of what waits, and of what did until ten minutes ago. What is being written is passed over, so that nobody
# waits for this; what asked again meanwhile has a later time than the status seen here.
_SWEEP = """
DELETE FROM events_awaiting WHERE subject_id IN (
    SELECT a.subject_id FROM events_awaiting a LEFT JOIN events_subject s ON s.id = a.subject_id
    WHERE s.id IS NULL OR s.status NOT LIKE '%.pending_approval' AND s.status_time >= a.since
    FOR UPDATE OF a SKIP LOCKED
)
"""


# Index: event_unplanned, which holds only such events, of all tenants; parked_waiting.
_UNPLANNED = """
SELECT count(*) FROM (
    SELECT FROM events_event WHERE tenant_id = %s AND fault IS NOT NULL LIMIT %s) counted
"""
_PARKED = """
SELECT source, count(*) FROM (
    SELECT source FROM events_parked
    WHERE tenant_id = %s AND resolved_at IS NULL AND reason <> 'test_message' LIMIT %s) counted
GROUP BY 1 ORDER BY 2 DESC, 1
"""


@dataclass(frozen=True, slots=True)
class Awaiting:
    """A subject whose current status asks for approval, since `since`."""

    kind: str
    id: str
    title: str
    url: str
    status: str
    since: datetime


@dataclass(frozen=True, slots=True)
class AllAwaiting:
    """`count` is exact up to 1,000, which stands for more."""

    longest: list[Awaiting]
    count: int


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Events that are kept and not planned, and payloads that nobody could read, by source; each counted up to
    1,000."""

    unplanned: int
    parked: Sequence[tuple[str, int]]

    @property
    def parked_count(self) -> int:
        return sum(count for _, count in self.parked)


def unresolved_of(caller: Caller) -> Unresolved:
    """Two queries. For those who see all of their tenant; raises 403."""
    caller.require(*SEE_ALL, to_write=False)
    with django_connection.cursor() as cursor:
        cursor.execute(_UNPLANNED, [caller.tenant_id, COUNTED_AT_MOST])
        [unplanned] = cursor.fetchone()
        cursor.execute(_PARKED, [caller.tenant_id, COUNTED_AT_MOST])
        return Unresolved(unplanned, cursor.fetchall())


def awaiting_of(caller: Caller, *, limit: int = 10) -> AllAwaiting:
    """For those who see all of their tenant. Raises 403."""
    caller.require(*SEE_ALL, to_write=False)
    with django_connection.cursor() as cursor:
        cursor.execute(_LONGEST, [caller.tenant_id, limit])
        longest = [Awaiting(*row) for row in cursor.fetchall()]
        if len(longest) < limit:
            return AllAwaiting(longest, len(longest))
        cursor.execute(_COUNT, [caller.tenant_id, COUNTED_AT_MOST])
        return AllAwaiting(longest, int(cursor.fetchone()[0]))


async def sweep(connection: Connection) -> None:
    await connection.execute(_SWEEP)
