"""The ledger: proof that every accepted event is planned or shown as unplanned, that every recipient was told or has a
reason, and that every delivery has ended or has a time when it goes on."""

from dataclasses import dataclass

from django.db import connection

# Keys of one event share all but their last 20 bits: 31 of 36 characters. Compared so, tables meet in one hash join.
# Whole-table counts, each one pass; nothing here runs on the send path.
_EVENTS = """
SELECT count(*), count(*) FILTER (WHERE fault IS NULL), count(*) FILTER (WHERE fault IS NOT NULL),
       coalesce(sum(coalesce(jsonb_array_length(skips), 0)), 0)
FROM events_event
"""
_RECIPIENTS = "SELECT count(*), coalesce(sum(coalesce(jsonb_array_length(skips), 0)), 0) FROM events_recipient"
_DELIVERIES = "SELECT state, count(*) FROM delivery_delivery GROUP BY state"
# An event told nobody and gives no reason: not a recipient among its keys, and no skip of its own.
_SILENT_EVENTS = """
SELECT count(*) FROM events_event e WHERE e.fault IS NULL AND e.skips IS NULL AND NOT EXISTS (
    SELECT FROM events_recipient r WHERE left(r.id::text, 31) = left(e.id::text, 31))
"""
# A recipient without a delivery and without a skip.
_SILENT_RECIPIENTS = """
SELECT count(*) FROM events_recipient r WHERE r.skips IS NULL AND NOT EXISTS (
    SELECT FROM delivery_delivery d WHERE d.person_id = r.person_id AND left(d.id::text, 31) = left(r.id::text, 31))
"""
# A delivery whose recipient is not recorded.
_STRAY_DELIVERIES = """
SELECT count(*) FROM delivery_delivery d WHERE NOT EXISTS (
    SELECT FROM events_recipient r WHERE r.person_id = d.person_id AND left(r.id::text, 31) = left(d.id::text, 31))
"""
# Each event took the next number of its subject, so the last number is also that of the newest event kept.
_MISNUMBERED = """
SELECT count(*) FROM events_subject s
JOIN (SELECT subject_id, max(number) AS newest FROM events_event GROUP BY subject_id) e ON e.subject_id = s.id
WHERE s.last_number <> e.newest
"""
# Held by nobody who is alive, for longer than it takes to notice.
_STUCK = """
SELECT count(*) FROM delivery_delivery d WHERE d.state = 'sending' AND NOT EXISTS (
    SELECT FROM delivery_node n WHERE n.id = d.lease AND n.renewed_at > now() - interval '40 seconds')
"""
# Accepted when the event's key was made (its first 48 bits, in milliseconds); at the vendor when the try that was taken
# had its answer.
_LATENCY = """
SELECT count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY ms), percentile_disc(0.99) WITHIN GROUP (ORDER BY ms)
FROM (
    SELECT extract(epoch FROM (a->>'at')::timestamptz) * 1000 + (a->>'ms')::float8
           - ('x' || left(replace(d.id::text, '-', ''), 12))::bit(48)::bigint AS ms
    FROM delivery_delivery d CROSS JOIN LATERAL jsonb_array_elements(d.attempts) a
    WHERE d.state IN ('sent', 'delivered') AND a->>'outcome' = 'sent' {first_only}
) times
"""
_NEVER_TRIED_AGAIN = """AND NOT d.attempts @> '[{"outcome": "try_later"}]'"""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Counts over all tenants. Milliseconds from accepted to the vendor's answer; the first pair counts only what went
    through at the first try, so that a vendor's own trouble does not hide ours."""

    accepted: int
    planned: int
    unplanned: int
    recipients: int
    event_skips: int
    recipient_skips: int
    deliveries: dict[str, int]
    silent_events: int
    silent_recipients: int
    stray_deliveries: int
    misnumbered_subjects: int
    stuck_deliveries: int
    first_try_p50_ms: float | None
    first_try_p99_ms: float | None
    p50_ms: float | None
    p99_ms: float | None

    @property
    def open(self) -> int:
        """What is still on its way: it has a due time or a living holder."""
        return self.deliveries.get("pending", 0) + self.deliveries.get("sending", 0)

    def faults(self) -> list[str]:
        """What does not add up, in words; empty when the proof holds."""
        sums = [
            (self.accepted != self.planned + self.unplanned, "accepted is not planned + unplanned"),
            (self.silent_events, f"{self.silent_events} events told nobody and give no reason"),
            (self.silent_recipients, f"{self.silent_recipients} recipients have neither a delivery nor a reason"),
            (self.stray_deliveries, f"{self.stray_deliveries} deliveries have no recipient"),
            (self.misnumbered_subjects, f"{self.misnumbered_subjects} subjects count other events than are kept"),
            (self.stuck_deliveries, f"{self.stuck_deliveries} deliveries are held by nobody alive"),
        ]
        return [words for wrong, words in sums if wrong]


def read_ledger() -> Ledger:
    """Reads every table as of one moment."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            accepted, planned, unplanned, event_skips = _row(cursor, _EVENTS)
            recipients, recipient_skips = _row(cursor, _RECIPIENTS)
            cursor.execute(_DELIVERIES)
            deliveries = dict(cursor.fetchall())
            _, first_p50, first_p99 = _row(cursor, _LATENCY.format(first_only=_NEVER_TRIED_AGAIN))
            _, p50, p99 = _row(cursor, _LATENCY.format(first_only=""))
            return Ledger(
                accepted=accepted,
                planned=planned,
                unplanned=unplanned,
                recipients=recipients,
                event_skips=event_skips,
                recipient_skips=recipient_skips,
                deliveries=deliveries,
                silent_events=_row(cursor, _SILENT_EVENTS)[0],
                silent_recipients=_row(cursor, _SILENT_RECIPIENTS)[0],
                stray_deliveries=_row(cursor, _STRAY_DELIVERIES)[0],
                misnumbered_subjects=_row(cursor, _MISNUMBERED)[0],
                stuck_deliveries=_row(cursor, _STUCK)[0],
                first_try_p50_ms=first_p50,
                first_try_p99_ms=first_p99,
                p50_ms=p50,
                p99_ms=p99,
            )
        finally:
            cursor.execute("ROLLBACK")


def _row(cursor: object, query: str) -> tuple[int, ...]:
    cursor.execute(query)  # type: ignore[attr-defined]
    row: tuple[int, ...] = cursor.fetchone()  # type: ignore[attr-defined]
    return row
