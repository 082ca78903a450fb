"""Try again by hand what failed or was cancelled, one delivery or many.

The attempts stay on record, and `{"outcome": "retried_by", "at", "by"}` after them says who asked and when. Tries are
counted from there (`claim.py`), and so is the age of what must not be older than some hours (SMS, mail): the retry
schedule starts over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction

from tidings.accounts.permissions import Caller
from tidings.audit.record import record_change
from tidings.delivery import tally
from tidings.delivery.find import Chosen, Shown, Which, choose, delivery_of
from tidings.kernel.clock import now
from tidings.kernel.problems import Problem, invalid

AT_MOST = 10_000
NAMED = 50
"""Deliveries that the record of changes names, of many that were retried at once."""
RETRIABLE = ("failed", "cancelled")
WAKE_CHANNEL = "tidings_due"

# Index: as in `find.py`; then the primary keys of persons and bodies, channel_setting and contact_point_of. What stands
# in the way is looked for in the order and in the words of `claim.py`, which would cancel it for the same.
_RETRY = """
WITH chosen AS MATERIALIZED (SELECT d.id, e.id AS event_id {chosen} LIMIT %(limit)s FOR UPDATE OF d),
judged AS MATERIALIZED (
    SELECT c.id, CASE
        WHEN NOT EXISTS (SELECT FROM events_body b WHERE b.id = c.event_id) THEN 'content_expired'
        WHEN p.departed_at IS NOT NULL THEN 'person_departed'
        WHEN NOT p.active THEN 'person_disabled'
        WHEN s.id IS NULL OR NOT s.enabled THEN 'channel_off'
        WHEN k.id IS NULL OR d.channel <> ALL (p.methods) THEN 'contact_missing'
        WHEN k.disabled_at IS NOT NULL THEN 'contact_disabled'
        WHEN k.verified_at IS NULL THEN 'contact_unverified'
        ELSE '' END AS refused
    FROM chosen c JOIN delivery_delivery d ON d.id = c.id JOIN accounts_person p ON p.id = d.person_id
    LEFT JOIN channels_channelsetting s ON s.tenant_id = d.tenant_id AND s.channel = d.channel
    LEFT JOIN directory_contactpoint k ON k.person_id = d.person_id AND k.channel = d.channel
), retried AS (
    UPDATE delivery_delivery d SET state = 'pending', due_at = now(), lease = NULL, reason = NULL,
        attempts = coalesce(d.attempts, '[]') || %(marker)s::jsonb
    FROM judged j WHERE j.id = d.id AND j.refused = '' AND d.state IN ('failed', 'cancelled')
)
SELECT refused, count(*), min(id::text), (array_agg(id::text ORDER BY id DESC))[1:%(named)s]
FROM judged GROUP BY refused
"""
WHAT_TO_DO: Mapping[str, str] = {
    "content_expired": "What it said is no longer kept, so it cannot be sent again.",
    "person_departed": "This person has departed.",
    "person_disabled": "This person is switched off: make the user active first.",
    "channel_off": "This channel is switched off: PUT /api/v1/channels/{channel} switches it on.",
    "contact_missing": "This person does not use this channel, or has no address there: see the notification settings.",
    "contact_disabled": "This person's address is dead and was switched off: it has to be given again, or another.",
    "contact_unverified": "This person has not confirmed their address on this channel yet.",
}


@dataclass(frozen=True, slots=True)
class Retried:
    """`refused` counts by reason; `last` is set when there may be more to look at after it; `ids` are those of the
    newest that were retried, `NAMED` of them at most."""

    retried: int
    refused: Mapping[str, int]
    last: UUID | None
    ids: Sequence[str] = ()


@transaction.atomic
def retry_delivery(caller: Caller, delivery_id: UUID) -> Shown:
    """Raises 403, 404, 409 `not_retriable`, 410 `content_expired`, and 409 with the reason why it could not arrive."""
    caller.require("administrator", "dba")
    before = delivery_of(caller, delivery_id)
    if before.state not in RETRIABLE:
        text = f"This delivery is {before.state}; only one that failed or was cancelled can be tried again."
        raise Problem(409, "not_retriable", text)
    done = _retry(caller, _one(caller.tenant_id, delivery_id), limit=1)
    for reason in done.refused:
        what_to_do = WHAT_TO_DO[reason].format(channel=before.channel)
        raise Problem(410 if reason == "content_expired" else 409, reason, what_to_do)
    if not done.retried:
        raise Problem(409, "not_retriable", "Somebody else has just tried this delivery again.")
    after = delivery_of(caller, delivery_id)
    _record(caller, str(delivery_id), {"state": before.state, "reason": before.reason}, {"state": after.state})
    return after


@transaction.atomic
def retry_deliveries(caller: Caller, which: Which, *, after: UUID | None = None, limit: int = AT_MOST) -> Retried:
    """Newest first, at most `limit` of them; raises 403, 422. What cannot arrive is left as it is and counted."""
    caller.require("administrator", "dba")
    if which.state not in RETRIABLE:
        raise invalid(
            "Only what failed or was cancelled can be tried again.",
            [{"field": "state", "problem": "failed or cancelled"}],
        )
    done = _retry(caller, choose(caller.tenant_id, which, recipient=which.recipient, after=after), limit=limit)
    if done.retried:
        said = msgspec.to_builtins(which)
        asked = {name: said[name] for name in said if name not in ("state", "ids") and said[name] is not None}
        told = {"state": "pending", "retried": done.retried, **asked, "deliveries": list(done.ids)}
        _record(caller, done.ids[0] if done.retried == 1 else "", {"state": which.state}, told)
    return done


def _retry(caller: Caller, chosen: Chosen, *, limit: int) -> Retried:
    marker = msgspec.json.encode([{"at": now(), "outcome": "retried_by", "by": caller.name}]).decode()
    with connection.cursor() as cursor:
        cursor.execute(
            _RETRY.format(chosen=chosen.sql), {**chosen.parameters, "limit": limit, "marker": marker, "named": NAMED}
        )
        rows = cursor.fetchall()
    counts = {refused: count for refused, count, _, _ in rows}
    ids = next((ids for refused, _, _, ids in rows if not refused), ())
    retried = counts.pop("", 0)
    if retried:
        tally.count_now(caller.tenant_id, "", "retried", retried, now())
        transaction.on_commit(_wake)
    full = retried + sum(counts.values()) >= limit
    return Retried(retried, counts, UUID(min(least for _, _, least, _ in rows)) if full else None, ids)


def _one(tenant_id: UUID, delivery_id: UUID) -> Chosen:
    sql = """FROM delivery_delivery d JOIN events_event e ON e.id = (left(d.id::text, 31) || '00000')::uuid
    WHERE d.id = %(id)s AND d.tenant_id = %(tenant)s AND d.state IN ('failed', 'cancelled')"""
    return Chosen(sql, {"id": delivery_id, "tenant": tenant_id})


def _wake() -> None:
    """Workers poll every second besides."""
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {WAKE_CHANNEL}")


def _record(caller: Caller, key: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    """`key` is empty for many at once: `after` says which were asked for, and names the newest."""
    record_change(caller.tenant_id, caller.name, "retry", "delivery", key, before=before, after=after, stale=())
