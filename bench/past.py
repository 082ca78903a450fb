"""The past of one organisation, made by SQL: events, subjects, recipients and deliveries as 90 days of work leave them.

Event n of them lies so many days back and is the n-th of their keys; every fourth of its block shares its subject, so
a ticket goes through its statuses within a quarter of an hour. One in 50 told nobody, for a reason, and the next one
went to two channels: there are as many deliveries as events. Of those 97.5% were sent, 1% failed, 0.5% were cancelled,
and 1% needed a second try; of the last day some still wait. What they say is that of the one event that was really
posted before.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

CONTENT_DAYS, AHEAD = 7, 3
TABLES = (
    "delivery_delivery", "events_event", "events_subject", "events_recipient", "events_involved",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Past:
    """`events` is a multiple of 4,000; `ends` is when the last of them was, in milliseconds since 1970."""

    events: int
    people: int
    days: int
    ends: int

    @classmethod
    def until_now(cls, events: int, people: int, days: int) -> "Past":
        return cls(events, people, days, int(time.time() * 1000) - 60_000)

    @property
    def apart(self) -> int:
        """Milliseconds between two events."""
        return self.days * 86_400_000 // self.events

    def functions(self) -> str:
        """One expression each, so that PostgreSQL writes them out where they are called: a call for every key would
        take longer than the insert. In a schema that no installation has."""
        at = f"({self.ends} - ({self.events} - n)::bigint * {self.apart})"
        return f"""
        CREATE SCHEMA past;
        CREATE FUNCTION past.key(n int, child int) RETURNS uuid IMMUTABLE LANGUAGE sql AS $$
            SELECT (lpad(to_hex({at}), 12, '0') || '70008000' || lpad(to_hex(n), 7, '0')
                    || lpad(to_hex(child), 5, '0'))::uuid $$;
        CREATE FUNCTION past.at(n int) RETURNS timestamptz IMMUTABLE LANGUAGE sql AS $$
            SELECT to_timestamp({at} / 1000.0) $$;
        CREATE FUNCTION past.person(n int) RETURNS uuid IMMUTABLE LANGUAGE sql AS $$
            SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(1 + n % {self.people}), 12, '0'))::uuid $$;
        -- The event that began the subject of event n, and which of the subject's events n is.
        CREATE FUNCTION past.first(n int) RETURNS int IMMUTABLE LANGUAGE sql AS $$
            SELECT (n - 1) / 4000 * 4000 + (n - 1) % 1000 + 1 $$;
        CREATE FUNCTION past.number(n int) RETURNS int IMMUTABLE LANGUAGE sql AS $$
            SELECT (n - 1) % 4000 / 1000 + 1 $$
        """

    def steps(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Two rows of statements to be run beside each other."""
        type_of = """(ARRAY['data_change.pending_approval', 'data_change.approved', 'data_change.successful',
                            'data_export.rejected'])"""
        state = "(CASE WHEN n % 200 IN (7, 107) THEN 'failed' WHEN n % 200 = 9 THEN 'cancelled' ELSE 'sent' END)"
        waits = f"(n > {self.events - max(self.events // self.days, 1)} AND n % 100 = 11)"
        started = "'{\"at\": \"' || replace(past.at(n)::text, ' ', 'T')"
        ended = "replace((past.at(n) + interval '7 ms')::text, ' ', 'T')"
        sent = f'\'[{{"at": "\' || {ended} || \'", "outcome": "sent", "ms": \' || (3 + n % 40) || \'}}]\''
        gone = started + ' || \'", "outcome": "refused", "ms": 9, "reason": "gone"}\''
        late = started + ' || \'", "outcome": "try_later", "ms": 15, "reason": "timeout"}\''
        events = f"generate_series(1, {self.events}) n"
        tenant = "(SELECT tenant_id FROM events_event LIMIT 1)"
        told = """CASE WHEN n % 20 = 0 THEN (SELECT id FROM accounts_person WHERE login = 'admin')
                        ELSE past.person(n) END"""

        def deliveries(child: int, channel: str, step: int, which: str) -> str:
            return f"""
            INSERT INTO delivery_delivery (id, tenant_id, person_id, subject_id, number, contact_point_id, channel,
                                           state, due_at, reason, attempts)
            SELECT past.key(n, {child}), t.id, {told}, past.key(past.first(n), 1), past.number(n), c.id, '{channel}',
                   CASE WHEN {waits} THEN 'pending' ELSE {state} END,
                   CASE WHEN {waits} THEN now() + (3600 + n % 36000) * interval '1 second' ELSE past.at(n) END,
                   CASE WHEN {waits} THEN 'timeout' WHEN {state} = 'failed' THEN 'gone'
                        WHEN {state} = 'cancelled' THEN 'person_departed' END,
                   (CASE WHEN {waits} THEN '[' || {late} || ']' WHEN {state} = 'failed' THEN '[' || {gone} || ']'
                         WHEN {state} = 'cancelled' THEN NULL
                         WHEN n % 100 = 3 THEN '[' || {late} || ', ' || substr({sent}, 2)
                         ELSE {sent} END)::jsonb
            FROM generate_series(1, {self.events}, {step}) n, accounts_tenant t,
                 (SELECT id FROM directory_contactpoint WHERE channel = 'webhook' LIMIT 1) c
            WHERE {which}
            """

        return (
            (
                f"""
                INSERT INTO events_event (id, tenant_id, source, source_id, type, time, subject_id, number, hash, skips)
                SELECT past.key(n, 0), {tenant}, 'bench', 'past-' || n, {type_of}[past.number(n)], past.at(n),
                       past.key(past.first(n), 1), past.number(n), decode('00112233445566778899aabbccddeeff', 'hex'),
                       CASE WHEN n % 50 = 0 THEN '[["rule_off", "", "", ""]]'::jsonb END
                FROM {events}
                """,
                f"""
                INSERT INTO events_subject
                    (id, tenant_id, kind, key, title, url, status, status_time, status_number, last_number)
                SELECT past.key(n, 1), {tenant}, 'ticket', 'past-' || n, 'Change ' || n || ' of the orders',
                       'https://dms.example.com/tickets/' || n, 'data_export.rejected', past.at(n + 3000), 4, 4
                FROM {events} WHERE (n - 1) % 4000 < 1000
                """,
                f"""
                INSERT INTO events_body (id, day, body)
                SELECT past.key(n, 0), (past.at(n) AT TIME ZONE 'UTC')::date, (SELECT body FROM events_body LIMIT 1)
                FROM generate_series({self.events} - {self.events} * {CONTENT_DAYS} / {self.days} + 1, {self.events}) n
                """,
                f"""
                INSERT INTO events_involved (id, tenant_id, person_id)
                SELECT past.key(n, 0), {tenant}, past.person(n + 1) FROM generate_series(1, {self.events}, 2) n
                """,
                f"""
                INSERT INTO events_recipient (id, tenant_id, person_id, because)
                SELECT past.key(n, 1), {tenant}, {told}, (SELECT because FROM events_recipient LIMIT 1)
                FROM {events} WHERE n % 50 <> 0
                """,
            ),
            (
                deliveries(2, "webhook", 1, "n % 50 <> 0"),
                deliveries(3, "email", 50, "true"),
            ),
        )


def people(count: int) -> str:
    """So many people, who want what the first of all wants."""
    return f"""
        INSERT INTO accounts_person (id, tenant_id, login, name, email, mobile, external_id, roles, methods, language,
                                     timezone, active, version)
        SELECT {_person("n")}, t.id, 'p' || n, 'Person ' || n, 'p' || n || '@example.com', '', '', '{{}}',
               '{{webhook}}', 'en', 'UTC', true, 1
        FROM generate_series(1, {count}) n, accounts_tenant t;
        {_TOLD}
    """


def directory(instances: int, databases: int) -> str:
    """Of the first organisation: each instance has a DBA, each database an owner."""
    return f"""
        INSERT INTO directory_resource (id, tenant_id, instance, database, "table", dba_id, owners, version)
        SELECT gen_random_uuid(), t.id, 'i' || n, '', '', {_person("n")}, '{{}}', 1
        FROM generate_series(1, {instances}) n, ({_FIRST}) t;
        INSERT INTO directory_resource (id, tenant_id, instance, database, "table", owners, version)
        SELECT gen_random_uuid(), t.id, 'i' || 1 + n % {instances}, 'db' || n, '',
               ARRAY[{_person(f"1 + n % {instances}")}], 1
        FROM generate_series(1, {databases}) n, ({_FIRST}) t;
        UPDATE rules_rule SET optional_roles = '{{instance_dba,data_owner}}' WHERE event_type = 'data_change.approved';
        {_TOLD}
    """


def large_rule(event_type: str, added: int) -> str:
    """One that tells so many people, who then all have an address: the one that the first of all has."""
    return f"""
        INSERT INTO directory_contactpoint (id, tenant_id, person_id, channel, sealed, shown, destination, verified_at,
                                            disabled_reason, version, assumed)
        SELECT gen_random_uuid(), c.tenant_id, p.id, c.channel, c.sealed, c.shown, c.destination, now(), '', 1, false
        FROM accounts_person p, (SELECT * FROM directory_contactpoint WHERE channel = 'webhook' ORDER BY id LIMIT 1) c
        WHERE p.id <= {_person(str(added))} ON CONFLICT DO NOTHING;
        UPDATE rules_rule SET additional_users = ARRAY(
            SELECT id FROM accounts_person WHERE id <= {_person(str(added))} ORDER BY id)
        WHERE event_type = '{event_type}' AND tenant_id = ({_FIRST});
        {_TOLD}
    """


_FIRST = "SELECT tenant_id AS id FROM events_event ORDER BY id LIMIT 1"
_TOLD = "UPDATE accounts_tenant SET directory_version = directory_version + 1, rules_version = rules_version + 1"


def _person(number: str) -> str:
    return f"('00000000-0000-7000-8000-' || lpad(to_hex({number}), 12, '0'))::uuid"


def fill(url: str, past: Past) -> float:
    """Make it; how many seconds that took. There has to be an event already, that told somebody."""
    began = time.monotonic()
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(past.functions())
        database.execute(people(past.people))
        _make_days(database)
        with _without_indexes(url, database):
            _beside(url, *past.steps())
        _beside(url, *([f"VACUUM ANALYZE {table}"] for table in (*TABLES, "events_body")))
        database.execute("DROP SCHEMA past CASCADE")
        database.execute("CHECKPOINT")
    return time.monotonic() - began


def _make_days(database: psycopg.Connection) -> None:
    """A partition a day, as retention leaves and makes them."""
    database.execute(
        f"""
        DO $$ DECLARE d date; BEGIN
            FOR d IN SELECT current_date + n FROM generate_series(-{CONTENT_DAYS}, {AHEAD}) n LOOP
                EXECUTE format('CREATE TABLE IF NOT EXISTS events_body_%s PARTITION OF events_body '
                               'FOR VALUES FROM (%L) TO (%L)', to_char(d, 'YYYYMMDD'), d, d + 1);
            END LOOP;
        END $$
        """
    )


_INDEXES = """
SELECT i.indrelid::regclass::text, c.conname, i.indexrelid::regclass::text,
       CASE WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
            ELSE 'ALTER TABLE ' || i.indrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(c.conname) || ' '
                 || pg_get_constraintdef(c.oid) END
FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
WHERE i.indrelid = ANY(%s::regclass[])
"""


@contextmanager
def _without_indexes(url: str, database: psycopg.Connection) -> Iterator[None]:
    """Made anew at the end they are made in a tenth of the time, and dense."""
    again: list[str] = []
    for table, constraint, index, definition in database.execute(_INDEXES, (list(TABLES),)).fetchall():
        again.append(definition)
        drop = "ALTER TABLE {} DROP CONSTRAINT {}" if constraint else "DROP INDEX {1}"
        database.execute(sql.SQL(drop).format(sql.Identifier(table), sql.Identifier(constraint or index)))
    yield
    _beside(url, *([each] for each in again))


def _beside(url: str, *rows: "tuple[str, ...] | list[str]") -> None:
    """Two at a time."""

    def run(statements: "tuple[str, ...] | list[str]") -> None:
        with psycopg.connect(url, autocommit=True) as database:
            database.execute("SET maintenance_work_mem = '512MB'; SET synchronous_commit = off")
            for statement in statements:
                database.execute(statement)

    with ThreadPoolExecutor(2) as both:
        list(both.map(run, rows))
