"""How long things are kept: content 7 days, records 90; a body stays as long as a delivery of its event is open.

Bodies end by dropping a day's partition. Records end in slices, so that no transaction is long.
"""

import logging
from datetime import date, timedelta
from uuid import UUID

from psycopg import sql

from tidings.kernel.clock import now
from tidings.kernel.database import Connection
from tidings.kernel.ids import first_at

log = logging.getLogger("tidings.retention")
CONTENT = timedelta(days=7)
RECORDS = timedelta(days=90)
AHEAD = 3
SLICE = 1_000
# One node keeps house at a time; the number only has to be the same everywhere.
_LOCK = 7_301_001

_PARTITIONS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'events_body'::regclass AND c.relname ~ '^events_body_[0-9]{8}$' ORDER BY 1
"""
# Index: delivery_open is small; each body's deliveries are one range of the primary key.
_COPY_FORWARD = """
INSERT INTO events_body (id, day, body)
SELECT b.id, {today}, b.body FROM {partition} b WHERE EXISTS (
    SELECT FROM delivery_delivery d WHERE d.state IN ('pending', 'sending')
    AND d.id BETWEEN b.id AND (left(b.id::text, 31) || 'fffff')::uuid)
"""
# Index: the primary keys; events older than the limit are the first of theirs.
_OLD_EVENTS = """
SELECT e.id, (left(e.id::text, 31) || 'fffff')::uuid FROM events_event e
WHERE e.id > %(after)s AND e.id < %(before)s AND NOT EXISTS (
    SELECT FROM delivery_delivery d WHERE d.state IN ('pending', 'sending')
    AND d.id BETWEEN e.id AND (left(e.id::text, 31) || 'fffff')::uuid)
ORDER BY e.id LIMIT %(slice)s
"""
_DELETE = """
WITH old AS (SELECT * FROM unnest(%s::uuid[], %s::uuid[]) AS o(first, last)),
deliveries AS (DELETE FROM delivery_delivery d USING old WHERE d.id BETWEEN old.first AND old.last),
recipients AS (DELETE FROM events_recipient r USING old WHERE r.id BETWEEN old.first AND old.last)
DELETE FROM events_event e USING old WHERE e.id = old.first
"""
_SUBJECTS = """
DELETE FROM events_subject WHERE id IN (
    SELECT s.id FROM events_subject s WHERE s.id < %s AND s.status_time < now() - interval '90 days'
    AND NOT EXISTS (SELECT FROM events_event e WHERE e.subject_id = s.id) LIMIT %s)
"""
_NO_KEY = UUID(int=0)


async def keep_house(connection: Connection) -> None:
    """Make the next days' partitions, drop the old ones, delete the oldest records; one node at a time."""
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
    row = await cursor.fetchone()
    if not row or not row[0]:
        return
    try:
        await make_partitions(connection, now().date())
        await drop_partitions(connection, now().date())
        while await delete_records(connection):
            pass
    finally:
        if not connection.closed:
            await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


async def make_partitions(connection: Connection, today: date) -> None:
    for day in (today + timedelta(days=number) for number in range(AHEAD + 1)):
        name = sql.Identifier(f"events_body_{day:%Y%m%d}")
        await connection.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF events_body FOR VALUES FROM ({}) TO ({})").format(
                name, sql.Literal(day), sql.Literal(day + timedelta(days=1))
            ),
            prepare=False,
        )


async def drop_partitions(connection: Connection, today: date) -> int:
    """How many days' content ended. What is still on its way is copied into today's partition first."""
    cursor = await connection.execute(_PARTITIONS)
    last_kept = f"events_body_{today - CONTENT:%Y%m%d}"
    ended = [row[0] for row in await cursor.fetchall() if row[0] < last_kept]
    for partition in ended:
        name = sql.Identifier(partition)
        async with connection.transaction():
            # Dropping waits for readers, and everything else waits for the drop: better to come back later.
            await connection.execute("SET LOCAL lock_timeout = '2s'")
            await connection.execute(
                sql.SQL(_COPY_FORWARD).format(today=sql.Literal(today), partition=name), prepare=False
            )
            await connection.execute(sql.SQL("DROP TABLE {}").format(name), prepare=False)
    return len(ended)


async def delete_records(connection: Connection, *, older_than: timedelta = RECORDS) -> int:
    """Delete one slice of events with all that belongs to them; how many."""
    limit = {"after": _NO_KEY, "before": first_at(now() - older_than), "slice": SLICE}
    rows = await (await connection.execute(_OLD_EVENTS, limit)).fetchall()
    if rows:
        await connection.execute(_DELETE, tuple(map(list, zip(*rows, strict=True))))
    await connection.execute(_SUBJECTS, (limit["before"], SLICE))
    return len(rows)
