"""A busy month of one organisation, made by SQL: 200,000 events over 30 days, one delivery each."""

from typing import Any

EVENTS = 200_000
# Event n of 200,000, the last a moment ago: its recipient is number 1 of its children, its delivery number 2. Four events
# a subject. Of the deliveries 2% failed, and of the last hours' 12,000 are still pending: for as many reasons as there are.
_KEY = """
CREATE OR REPLACE FUNCTION month_key(n int, child int DEFAULT 0) RETURNS uuid STABLE LANGUAGE sql AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM now() - interval '1 minute') * 1000)::bigint - (200000 - n) * 12960::bigint), 12, '0')
            || '7' || lpad(to_hex(n % 4096), 3, '0') || '8000' || lpad(to_hex(n % 2048), 7, '0') || lpad(to_hex(child), 5, '0'))::uuid
$$
"""
_FILL = (
    """
    INSERT INTO events_subject (id, tenant_id, kind, key, title, url, status, status_time, status_number, last_number)
    SELECT month_key(4 * n, 7), %(tenant)s, 'ticket', 'M' || n, 'Change ' || n, '',
           'data_change.' || (ARRAY['pending_approval', 'approved', 'successful', 'failed'])[1 + n %% 4],
           now() - (50000 - n) * interval '51 seconds', 4, 4
    FROM generate_series(1, 50000) n
    """,
    """
    INSERT INTO events_awaiting (subject_id, tenant_id, since)
    SELECT id, tenant_id, status_time FROM events_subject
    WHERE tenant_id = %(tenant)s AND status = 'data_change.pending_approval' AND key LIKE 'M%%'
    """,
    """
    INSERT INTO events_event (id, tenant_id, source, source_id, type, time, subject_id, number, hash)
    SELECT month_key(n), %(tenant)s, 'dms', 'm' || n,
           'data_change.' || (ARRAY['pending_approval', 'approved', 'successful', 'failed'])[1 + n %% 4],
           now(), month_key(4 * (1 + (n - 1) / 4), 7), 1 + n %% 4, ''
    FROM generate_series(1, 200000) n
    """,
    """
    INSERT INTO events_recipient (id, tenant_id, person_id, because)
    SELECT month_key(n, 1), %(tenant)s, %(person)s, '[["submitter", ""]]' FROM generate_series(1, 200000) n
    """,
    """
    INSERT INTO delivery_delivery
        (id, tenant_id, person_id, subject_id, number, contact_point_id, channel, state, due_at, reason, attempts)
    SELECT month_key(n, 2), %(tenant)s, %(person)s, month_key(4 * (1 + (n - 1) / 4), 7), 1 + n %% 4, %(person)s,
           (ARRAY['webhook', 'email', 'dingtalk'])[1 + n %% 3], state, now() + (n %% 600 - 60) * interval '1 second',
           CASE WHEN state = 'failed' THEN (ARRAY['gone', 'rejected', 'timeout'])[1 + n %% 3]
                WHEN state = 'pending' AND n %% 2 = 0 THEN 'timeout' END,
           CASE WHEN state <> 'pending' OR n %% 2 = 0
                THEN '[{"at": "2026-11-01T10:00:00Z", "outcome": "try_later", "reason": "timeout", "ms": 7}]'::jsonb END
    FROM (SELECT n, CASE WHEN n %% 50 = 0 THEN 'failed' WHEN n > 188000 THEN 'pending' ELSE 'sent' END AS state
          FROM generate_series(1, 200000) n) n
    """,
    """
    INSERT INTO delivery_hour (tenant_id, hour, what, channel, reason, step, count)
    SELECT %(tenant)s, date_trunc('hour', now()) - h * interval '1 hour',
           CASE WHEN r < 40 THEN 'sent' WHEN r < 50 THEN 'failed' WHEN r < 58 THEN 'skipped' ELSE 'accepted' END,
           CASE WHEN r < 50 THEN (ARRAY['webhook', 'email', 'dingtalk'])[1 + r %% 3] ELSE '' END,
           CASE WHEN r BETWEEN 40 AND 57 THEN (ARRAY['gone', 'rejected', 'timeout', 'rule_off', 'no_method'])[1 + r %% 5]
                ELSE '' END,
           r, 1 + (h + r) %% 9
    FROM generate_series(0, 719) h, generate_series(0, 59) r
    """,
    """
    INSERT INTO delivery_tally (tenant_id, channel, minute, what, reason, count, ms)
    SELECT %(tenant)s, c, date_trunc('minute', now()) - m * interval '1 minute', 'sent', '', 9, 90
    FROM generate_series(0, 1000) m, unnest(ARRAY['webhook', 'email', 'dingtalk']) c
    """,
    "ANALYZE",
)


def fill_month(organisation: Any, login: str = "ann") -> None:
    """For this person, all of it."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_KEY)
        # One moment for all of it: the keys are of it.
        cursor.execute("BEGIN")
        for statement in _FILL:
            cursor.execute(statement, {"tenant": organisation.id, "person": organisation.people[login].id})
        cursor.execute("COMMIT")
