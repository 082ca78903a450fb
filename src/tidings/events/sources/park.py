"""Payloads that nobody could read yet: kept with the reason, read again on request, gone after 30 days. And what their
source is set up with. On a connection of the node."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from tidings.channels.contract import Value, Values
from tidings.channels.words import cut, one_line
from tidings.events.event import MAX_EVENT_BYTES
from tidings.events.sources.contract import Adapter, Known, Parked, Push
from tidings.events.sources.mapping import Row
from tidings.events.sources.rows import read_rows
from tidings.kernel.clock import now
from tidings.kernel.database import Connection, plain_array, text_array
from tidings.kernel.ids import first_at, made_at, uuid7
from tidings.kernel.problems import Problem
from tidings.kernel.secrets import SecretUnreadable, unseal

# Longer than content: somebody has to notice, find out what it means, and be back from their holidays.
KEPT = timedelta(days=30)
WAITING_AT_MOST = 10_000
"""A source. Beyond it the sender is told that nothing is kept, since whoever sends so much unread is set up wrongly."""
SLICE = 1_000
HEADER_LENGTH = 500

# Index: source_name, then the primary key.
_SET_UP = """
SELECT i.adapter, i.mapping, i.options, i.ignored_people, i.sealed
FROM accounts_source s LEFT JOIN events_intake i ON i.source_id = s.id
WHERE s.tenant_id = %s AND s.name = %s
"""
# Index: parked_waiting counts, parked_once recognises a repeat.
_PARK = """
INSERT INTO events_parked AS p
    (id, tenant_id, source, adapter, reason, detail, words, headers, body, hash, times, last_at)
SELECT %(id)s, %(tenant)s, %(source)s, %(adapter)s, %(reason)s, %(detail)s, %(words)s::jsonb, %(headers)s::jsonb,
       %(body)s, %(hash)s, 1, now()
WHERE (SELECT count(*) FROM (
    SELECT FROM events_parked WHERE tenant_id = %(tenant)s AND source = %(source)s AND resolved_at IS NULL
    LIMIT %(at_most)s) waiting) < %(at_most)s
OR EXISTS (SELECT FROM events_parked
    WHERE tenant_id = %(tenant)s AND source = %(source)s AND hash = %(hash)s AND resolved_at IS NULL)
ON CONFLICT (tenant_id, source, hash) DO UPDATE
SET times = p.times + 1, last_at = now(), reason = excluded.reason, detail = excluded.detail, words = excluded.words,
    resolved_at = NULL, became = NULL
RETURNING id
"""
# Index: parked_waiting.
_WAITING = """
SELECT id, adapter, headers, body FROM events_parked
WHERE tenant_id = %(tenant)s AND source = %(source)s AND resolved_at IS NULL AND reason <> 'test_message'
  AND id > %(after)s AND (%(only)s::uuid[] IS NULL OR id = ANY(%(only)s::uuid[]))
ORDER BY id LIMIT %(limit)s
"""
# Index: the primary key.
_RESOLVE = """
UPDATE events_parked p SET resolved_at = now(), became = r.became::jsonb
FROM unnest(%s::uuid[], %s::text[]) AS r(id, became) WHERE p.id = r.id AND p.tenant_id = %s
"""
_STILL = """
UPDATE events_parked p SET reason = r.reason, detail = r.detail, words = r.words::jsonb
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[]) AS r(id, reason, detail, words)
WHERE p.id = r.id AND p.tenant_id = %s
"""
# Index: the primary key; the oldest are the first of it.
_DROP = """
DELETE FROM events_parked WHERE id IN (SELECT id FROM events_parked WHERE id < %s ORDER BY id LIMIT %s)
"""


class SetUp(Struct, frozen=True):
    """What a source is set up with: rows of its own and options for one adapter, names and ids that are nobody here, a
    key."""

    adapter: str = ""
    rows: Sequence[Row] = ()
    options: Values = {}
    ignored_people: frozenset[str] = frozenset()
    secret: str = ""

    def known(self, adapter: Adapter) -> Known:
        options: dict[str, Value] = {field.name: field.default for field in adapter.options}
        if self.adapter != adapter.code:
            return Known(adapter.mapping, options)
        return Known(adapter.mapping.before(self.rows), options | dict(self.options))


class Waiting(Struct, frozen=True):
    id: UUID
    adapter: str
    push: Push


async def set_up_of(connection: Connection, tenant_id: UUID, source: str) -> SetUp | None:
    """None when there is no such source. Raises `Problem` 503 while no key opens its secret."""
    if "\0" in source:
        return None
    row = await (await connection.execute(_SET_UP, (tenant_id, source), binary=True)).fetchone()
    if row is None or row[0] is None:
        return SetUp() if row else None
    try:
        secret = str(unseal(bytes(row[4]))["secret"]) if row[4] else ""
    except SecretUnreadable:
        detail = "No key of TIDINGS_SECRET_KEYS opens this source's secret: bring the key back, or set the secret anew."
        raise Problem(503, "secret_unreadable", detail, headers={"Retry-After": "60"}) from None
    return SetUp(row[0], read_rows(row[0], row[1]), row[2], frozenset(row[3]), secret)


async def park(
    connection: Connection,
    tenant_id: UUID,
    source: str,
    adapter: Adapter,
    push: Push,
    parked: Parked,
    options: Values | None = None,
) -> UUID:
    """Its key; that of the first where the very same payload waits already. `options`: the source's, as `Known` has
    them. Raises `Problem` 429 `parked_full`, 413 for what is too large to be kept."""
    body = adapter.parked_body(push.body)
    if len(body) > MAX_EVENT_BYTES:
        detail = f"What cannot be read is parked up to {MAX_EVENT_BYTES // 1024} KiB; this is larger. {parked.detail}"
        raise Problem(413, "body_too_large", detail)
    kept = adapter.parked_headers(push.headers, options or {})
    headers = {name: cut(one_line(value), HEADER_LENGTH) for name, value in kept.items()}
    row = {
        "id": uuid7(),
        "tenant": tenant_id,
        "source": source,
        "adapter": adapter.code,
        "reason": parked.reason,
        "detail": parked.detail,
        "words": _json(parked.words),
        "headers": _json(headers),
        "body": body.decode(),
        "hash": _hash(adapter, push, body),
        "at_most": WAITING_AT_MOST,
    }
    found = await (await connection.execute(_PARK, row, binary=True)).fetchone()
    if found is None:
        detail = (
            f"{WAITING_AT_MOST:,} payloads of {source!r} wait for a mapping already: set it, and have them read again."
        )
        raise Problem(429, "parked_full", detail, headers={"Retry-After": "600"})
    key: UUID = found[0]
    return key


async def waiting(
    connection: Connection, tenant_id: UUID, source: str, *, only: Collection[UUID] | None, after: UUID, limit: int
) -> list[Waiting]:
    """The oldest first; not those that were only a test."""
    values = {
        "tenant": tenant_id,
        "source": source,
        "after": after,
        "only": None if only is None else plain_array([each.hex for each in only]),
        "limit": limit,
    }
    rows = await (await connection.execute(_WAITING, values, binary=True)).fetchall()
    return [Waiting(row[0], row[1], Push(row[2], row[3].encode(), made_at(row[0]))) for row in rows]


async def settle(
    connection: Connection, tenant_id: UUID, became: Mapping[UUID, Sequence[UUID]], still: Mapping[UUID, Parked]
) -> None:
    """Those that became events (or, by the mapping, none), and those that stay with a new reason."""
    keys = plain_array([key.hex for key in became])
    events = text_array([_json([str(event) for event in each]) for each in became.values()])
    await connection.execute(_RESOLVE, (keys, events, tenant_id))
    parts = (
        plain_array([key.hex for key in still]),
        text_array([each.reason for each in still.values()]),
        text_array([each.detail for each in still.values()]),
        text_array([_json(each.words) for each in still.values()]),
    )
    await connection.execute(_STILL, (*parts, tenant_id))


async def drop_parked(connection: Connection) -> int:
    """Delete a slice of what is older than 30 days; how many."""
    return (await connection.execute(_DROP, (first_at(now() - KEPT), SLICE))).rowcount


def _hash(adapter: Adapter, push: Push, body: bytes) -> bytes:
    """Of what makes it the very same payload. Two CloudEvents of the same data differ in nothing but headers; what
    else is kept of headers may be another one each time the same is sent."""
    said = {name: push.headers[name] for name in adapter.kept_headers if name in push.headers}
    whole = adapter.code.encode() + b"\0" + body + (b"\0" + _json(said).encode() if said else b"")
    return hashlib.blake2b(whole, digest_size=16).digest()


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
