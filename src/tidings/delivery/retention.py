"""How long things are kept: content 7 days, parked payloads 30, records 90; a body stays as long as a delivery of its
event is open, or the event is not planned yet.

Bodies end by dropping a day's partition. Records end in slices, so that no transaction is long.
"""

import logging
from datetime import date, timedelta
from uuid import UUID

import psycopg
from psycopg import sql

from tidings.events.sources.park import drop_parked
from tidings.kernel.clock import now
from tidings.kernel.database import Connection
from tidings.kernel.ids import first_at

log = logging.getLogger("tidings.retention")
CONTENT = timedelta(days=7)
RECORDS = timedelta(days=90)
AHEAD = 3
SLICE = 1_000
OTHER = "events_body_other"
"""The content of days that have no partition."""
# One node keeps house at a time; the number only has to be the same everywhere.
_LOCK = 7_301_001

_PARTITIONS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'events_body'::regclass AND c.relname ~ '^events_body_[0-9]{8}$' ORDER BY 1
"""
# Everything waits for who changes a table's partitions, and that waits for every reader, a backup for one: better to
# come back later.
_BRIEFLY = "SET LOCAL lock_timeout = '2s'"
# Index: event_unplanned and delivery_open, which are small, and from there the partition's primary key.
_COPY_FORWARD = """
INSERT INTO events_body (id, day, body)
SELECT b.id, {today}, b.body FROM (
    SELECT id FROM events_event WHERE fault IS NOT NULL
    UNION SELECT (left(id::text, 31) || '00000')::uuid FROM delivery_delivery WHERE state IN ('pending', 'sending')
) open JOIN {partition} b ON b.id = open.id WHERE b.day < {until}
"""
# Index: the primary keys; events older than the limit are the first of theirs. Each event's deliveries are one range,
# which PostgreSQL takes for a large one: so that it does not compare every event with every delivery that is open, as
# the index of those invites it to, their state is written so that this index does not fit.
_OLD_EVENTS = """
SELECT e.id, (left(e.id::text, 31) || 'fffff')::uuid FROM events_event e
WHERE e.id > %(after)s AND e.id < %(before)s AND e.fault IS NULL AND NOT EXISTS (
    SELECT FROM delivery_delivery d WHERE d.state || '' IN ('pending', 'sending')
    AND d.id BETWEEN e.id AND (left(e.id::text, 31) || 'fffff')::uuid)
ORDER BY e.id LIMIT %(slice)s
"""
_DELETE = """
WITH old AS (SELECT * FROM unnest(%s::uuid[], %s::uuid[]) AS o(first, last)),
deliveries AS (DELETE FROM delivery_delivery d USING old WHERE d.id BETWEEN old.first AND old.last),
recipients AS (DELETE FROM events_recipient r USING old WHERE r.id BETWEEN old.first AND old.last)
DELETE FROM events_event e USING old WHERE e.id = old.first
"""
# A subject that takes another number while we wait for its row has an event again.
_SUBJECTS = """
DELETE FROM events_subject s USING (
    SELECT s.id, s.last_number FROM events_subject s WHERE s.id < %s AND s.status_time < now() - interval '90 days'
    AND NOT EXISTS (SELECT FROM events_event e WHERE e.subject_id = s.id) LIMIT %s
) old WHERE s.id = old.id AND s.last_number = old.last_number
"""
# Index: the primary key of `events_involved`, person by person (a loose index scan), the oldest of each. One that leads
# from an event to these rows would have to be written with every event.
_INVOLVED = """
WITH RECURSIVE people AS (
    (SELECT person_id FROM events_involved ORDER BY person_id LIMIT 1)
    UNION ALL
    SELECT (SELECT i.person_id FROM events_involved i WHERE i.person_id > p.person_id ORDER BY i.person_id LIMIT 1)
    FROM people p WHERE p.person_id IS NOT NULL
), old AS (
    SELECT p.person_id, slice.id FROM people p CROSS JOIN LATERAL (
        SELECT i.id FROM events_involved i WHERE i.person_id = p.person_id AND i.id < %(before)s
        AND NOT EXISTS (SELECT FROM events_event e WHERE e.id = i.id) ORDER BY i.id LIMIT %(slice)s
    ) slice LIMIT %(slice)s
)
DELETE FROM events_involved i USING old WHERE i.person_id = old.person_id AND i.id = old.id
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
        while await drop_parked(connection):
            pass
        while await delete_involved(connection):
            pass
    finally:
        if not connection.closed:
            await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


async def make_partitions(connection: Connection, today: date) -> None:
    there = await _partitions(connection)
    for day in (today + timedelta(days=number) for number in range(AHEAD + 1)):
        name = f"events_body_{day:%Y%m%d}"
        if name in there:
            continue
        create = sql.SQL("CREATE TABLE {} PARTITION OF events_body FOR VALUES FROM ({}) TO ({})").format(
            sql.Identifier(name), sql.Literal(day), sql.Literal(day + timedelta(days=1))
        )
        try:
            async with connection.transaction():
                await connection.execute(_BRIEFLY)
                await connection.execute(create, prepare=False)
        except psycopg.errors.CheckViolation:
            # Its first events came before anybody kept house: they lie with the others, and so will the day's next.
            log.info("%s has no partition of its own", day)


async def drop_partitions(connection: Connection, today: date) -> int:
    """How many days' content ended. What is still on its way is copied into today's partition first."""
    until = today - CONTENT
    ended = [name for name in await _partitions(connection) if name < f"events_body_{until:%Y%m%d}"]
    for name in ended:
        await _end(connection, name, today, until, sql.SQL("DROP TABLE {partition}"))
    await _end(connection, OTHER, today, until, sql.SQL("DELETE FROM {partition} WHERE day < {until}"))
    return len(ended)


async def _partitions(connection: Connection) -> list[str]:
    return [row[0] for row in await (await connection.execute(_PARTITIONS)).fetchall()]


async def _end(connection: Connection, name: str, today: date, until: date, end: sql.SQL) -> None:
    names = {"partition": sql.Identifier(name), "today": sql.Literal(today), "until": sql.Literal(until)}
    async with connection.transaction():
        await connection.execute(_BRIEFLY)
        await connection.execute(sql.SQL(_COPY_FORWARD).format(**names), prepare=False)
        await connection.execute(end.format(**names), prepare=False)


async def delete_records(connection: Connection, *, older_than: timedelta = RECORDS) -> int:
    """Delete one slice of events with all that belongs to them; how many."""
    limit = {"after": _NO_KEY, "before": first_at(now() - older_than), "slice": SLICE}
    rows = await (await connection.execute(_OLD_EVENTS, limit)).fetchall()
    if rows:
        await connection.execute(_DELETE, tuple(map(list, zip(*rows, strict=True))))
    await connection.execute(_SUBJECTS, (limit["before"], SLICE))
    return len(rows)


async def delete_involved(connection: Connection, *, older_than: timedelta = RECORDS) -> int:
    """Delete one slice of what says who may see events that are gone; how many rows."""
    limit = {"before": first_at(now() - older_than), "slice": SLICE}
    return (await connection.execute(_INVOLVED, limit)).rowcount
