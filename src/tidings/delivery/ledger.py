"""The ledger: proof that every accepted event is planned or shown as unplanned, that every recipient was told or has a
reason, and that every delivery has ended or has a time when it goes on.

Read in slices of the keys, which all that belongs to an event shares, each as of one moment: an event is written with
all that belongs to it in one transaction, so a slice proves the same sentences as the whole would, however busy the
nodes are. One moment for all of it would keep PostgreSQL from clearing away what is updated meanwhile, and that is the
queue. Memory is that of one slice.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from tidings.delivery.lease import RENEW_EVERY
from tidings.kernel.clock import now
from tidings.kernel.ids import first_at, made_at

SLICE = 50_000
"""Events."""
TIMED = timedelta(days=1)
EXAMPLES = 5
FIRST, LAST = UUID(int=0), UUID(int=(1 << 128) - 1)

# A slice is found by index, whatever the statistics say of keys that are newer than they are, and its parts meet in
# hash joins: what is thought to be one row, and looped over, may be 50,000.
_FOR_SLICES = """
SET LOCAL enable_seqscan = off; SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;
SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL work_mem = '64MB'; SET LOCAL jit = off
"""
# Index: the primary key.
_NEXT = "SELECT id FROM events_event WHERE id >= %s ORDER BY id OFFSET %s LIMIT 1"
# Index: the primary keys. Keys of one event share all but their last 20 bits: 31 of 36 characters.
_SLICE = """
WITH e AS MATERIALIZED (
    SELECT id, left(id::text, 31) AS key, fault, skips FROM events_event WHERE id >= %(first)s AND id < %(end)s
), r AS MATERIALIZED (
    SELECT id, left(id::text, 31) AS key, person_id, skips FROM events_recipient
    WHERE id >= %(first)s AND id < %(end)s
), d AS MATERIALIZED (
    SELECT id, left(id::text, 31) AS key, person_id, state FROM delivery_delivery
    WHERE id >= %(first)s AND id < %(end)s
), wrong (what, id) AS (
    SELECT 'silent_events', id FROM e
    WHERE fault IS NULL AND skips IS NULL AND NOT EXISTS (SELECT FROM r WHERE r.key = e.key)
    UNION ALL SELECT 'silent_recipients', id FROM r
    WHERE skips IS NULL AND NOT EXISTS (SELECT FROM d WHERE d.key = r.key AND d.person_id = r.person_id)
    UNION ALL SELECT 'stray_deliveries', id FROM d
    WHERE NOT EXISTS (SELECT FROM r WHERE r.key = d.key AND r.person_id = d.person_id)
    UNION ALL SELECT 'stray_recipients', id FROM r WHERE NOT EXISTS (SELECT FROM e WHERE e.key = r.key)
)
SELECT CASE WHEN fault IS NULL THEN 'planned' ELSE 'unplanned' END, count(*), NULL::text[] FROM e GROUP BY 1
UNION ALL SELECT 'event_skips', sum(jsonb_array_length(skips)), NULL FROM e WHERE skips IS NOT NULL
UNION ALL SELECT 'recipients', count(*), NULL FROM r
UNION ALL SELECT 'recipient_skips', sum(jsonb_array_length(skips)), NULL FROM r WHERE skips IS NOT NULL
UNION ALL SELECT state, count(*), NULL FROM d GROUP BY state
UNION ALL SELECT what, count(*), (array_agg(id::text ORDER BY id))[:%(examples)s] FROM wrong GROUP BY what
"""
# Each event took the next number of its subject, so the last number is also that of the newest event kept. A subject's
# key is one of its first event's children. Index: event_timeline, of which nothing else is read; the primary key.
_SUBJECTS = """
WITH e AS MATERIALIZED (
    SELECT subject_id, max(number) AS newest FROM events_event
    WHERE subject_id >= %(first)s AND subject_id < %(end)s GROUP BY subject_id
), s AS MATERIALIZED (SELECT id, last_number FROM events_subject WHERE id >= %(first)s AND id < %(end)s),
wrong (what, id) AS (
    SELECT 'misnumbered_subjects', id FROM s JOIN e ON e.subject_id = s.id WHERE s.last_number <> e.newest
    UNION ALL SELECT 'missing_subjects', subject_id FROM e WHERE NOT EXISTS (SELECT FROM s WHERE s.id = e.subject_id)
)
SELECT what, count(*), (array_agg(id::text ORDER BY id))[:%(examples)s] FROM wrong GROUP BY what
"""
# Accepted when the event's key was made (its first 48 bits, in milliseconds); at the vendor when the try that was taken
# had its answer. To the millisecond below ten seconds, else to the second: what is kept of it is small.
_TIMES = """
SELECT first_try, CASE WHEN ms < 10000 THEN ms::int8 ELSE (ms / 1000)::int8 * 1000 END, count(*) FROM (
    SELECT NOT d.attempts @> '[{"outcome": "try_later"}]' AS first_try,
           extract(epoch FROM (a->>'at')::timestamptz) * 1000 + (a->>'ms')::float8
           - ('x' || left(replace(d.id::text, '-', ''), 12))::bit(48)::bigint AS ms
    FROM delivery_delivery d CROSS JOIN LATERAL jsonb_array_elements(d.attempts) a
    WHERE d.state IN ('sent', 'delivered') AND a->>'outcome' = 'sent' AND d.id >= %(first)s AND d.id < %(end)s
) times GROUP BY 1, 2
"""
# Held by nobody who is alive, for longer than it takes to notice. Index: delivery_open.
_UNHELD = """
SELECT d.id, d.lease FROM delivery_delivery d WHERE d.state IN ('pending', 'sending') AND d.state = 'sending'
AND NOT EXISTS (SELECT FROM delivery_node n WHERE n.id = d.lease AND n.renewed_at > now() - interval '40 seconds')
"""
# What can never be planned. Index: event_unplanned; the primary keys of the bodies.
_UNPLANNABLE = """
SELECT id FROM events_event e
WHERE e.fault IS NOT NULL AND NOT EXISTS (SELECT FROM events_body b WHERE b.id = e.id)
"""
SENTENCES = {
    "silent_events": "{} events told nobody and give no reason",
    "silent_recipients": "{} recipients have neither a delivery nor a reason",
    "stray_recipients": "{} recipients belong to no event",
    "stray_deliveries": "{} deliveries have no recipient",
    "misnumbered_subjects": "{} subjects count other events than are kept",
    "missing_subjects": "{} events' subjects are missing",
    "unplannable_events": "{} unplanned events have lost their content",
    "stuck_deliveries": "{} deliveries are held by nobody alive",
}
"""What does not add up, by its name."""
_STATES = ("pending", "sending", "sent", "delivered", "failed", "cancelled")


@dataclass(slots=True)
class Ledger:
    """Counts over all tenants. `wrong` has a count for each of `SENTENCES` that does not hold, `examples` the ids of
    some. Milliseconds from accepted to the vendor's answer, of the last day's events; the first pair counts only what
    went through at the first try, so that a vendor's own trouble does not hide ours."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    _times: dict[bool, Counter[int]] = field(default_factory=lambda: {True: Counter(), False: Counter()})

    @property
    def accepted(self) -> int:
        return self.counts["planned"] + self.counts["unplanned"]

    @property
    def deliveries(self) -> dict[str, int]:
        return {state: self.counts[state] for state in _STATES if self.counts[state]}

    @property
    def open(self) -> int:
        """What is still on its way: it has a due time or a living holder."""
        return self.counts["pending"] + self.counts["sending"]

    def faults(self) -> list[str]:
        """What does not add up, in words; empty when the proof holds."""
        return [words.format(f"{self.wrong[what]:,}") for what, words in SENTENCES.items() if self.wrong[what]]

    def took(self, share: float, *, first_try: bool) -> int | None:
        """Milliseconds within which that share was at its vendor."""
        times = self._times[True] if first_try else self._times[True] + self._times[False]
        left = share * times.total()
        for ms in sorted(times):
            left -= times[ms]
            if left <= 0:
                return ms
        return None

    def as_json(self) -> dict[str, Any]:
        counted = ("planned", "unplanned", "recipients", "event_skips", "recipient_skips")
        return {
            "accepted": self.accepted,
            **{name: self.counts[name] for name in counted},
            "deliveries": self.deliveries,
            "open": self.open,
            **{what: self.wrong[what] for what in SENTENCES},
            "examples": self.examples,
            "first_try_p50_ms": self.took(0.5, first_try=True),
            "first_try_p99_ms": self.took(0.99, first_try=True),
            "p50_ms": self.took(0.5, first_try=False),
            "p99_ms": self.took(0.99, first_try=False),
            "faults": self.faults(),
        }

    def _found(self, what: str, count: int | None, examples: list[str] | None) -> None:
        if examples is None:
            self.counts[what] += int(count or 0)
        else:
            self.wrong[what] += int(count or 0)
            kept = self.examples.setdefault(what, [])
            kept += examples[: EXAMPLES - len(kept)]


def read_ledger(
    *, progress: Callable[[float], None] = lambda _: None, patience: timedelta = 2 * RENEW_EVERY + timedelta(seconds=2)
) -> Ledger:
    """`progress` hears which share is read. `patience`: what seems to be held by nobody is looked at again so much
    later, since a node may have died, or be taking over from one, just now."""
    ledger, timed_from = Ledger(), first_at(now() - TIMED)
    unheld, looked = _rows(_UNHELD), time.monotonic()
    for first, end in _slices(progress):
        _read_slice(ledger, first, end, timed_from)
    for [event] in _rows(_UNPLANNABLE):
        ledger._found("unplannable_events", 1, [str(event)])
    if unheld:
        time.sleep(max(patience.total_seconds() - (time.monotonic() - looked), 0))
        for delivery, _ in sorted(set(unheld) & set(_rows(_UNHELD))):
            ledger._found("stuck_deliveries", 1, [str(delivery)])
    return ledger


def _slices(progress: Callable[[float], None]) -> Iterator[tuple[UUID, UUID]]:
    """From the first key there can be to the last, each cut where an event begins."""
    first, began, oldest = FIRST, now(), None
    while following := _rows(_NEXT, (first, SLICE)):
        [[end]] = following
        yield first, end
        oldest = oldest or made_at(end)
        progress(min((made_at(end) - oldest) / max(began - oldest, timedelta(seconds=1)), 1.0))
        first = end
    yield first, LAST


def _read_slice(ledger: Ledger, first: UUID, end: UUID, timed_from: UUID) -> None:
    asked = {"first": first, "end": end, "examples": EXAMPLES}
    for statement in (_SLICE, _SUBJECTS):
        for row in _rows(statement, asked, _FOR_SLICES):
            ledger._found(*row)
    if end > timed_from:
        for first_try, ms, count in _rows(_TIMES, {**asked, "first": max(first, timed_from)}, _FOR_SLICES):
            ledger._times[first_try][ms] += count


def _rows(statement: str, values: Any = None, settings: str = "") -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        if settings:
            cursor.execute(settings)
        cursor.execute(statement, values)
        return list(cursor.fetchall())
