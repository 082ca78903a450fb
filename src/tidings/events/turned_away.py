"""What a source was refused at the door, and what it sent twice: counted by hour, for whoever wants to know why an
event is not there. Kept for 7 days; a node that is killed takes its last two seconds along."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection as django_connection

from tidings.accounts.access import Grant
from tidings.channels.words import cut, one_line
from tidings.kernel.database import Connection, plain_array, text_array
from tidings.kernel.problems import Problem

KNOWN_ALREADY = "duplicate"
"""The code of what was sent again, with the same content: no refusal, the sender was answered as the first time."""
DETAIL_LENGTH = 300
Key = tuple[UUID, str, str]
"""Tenant, source, code."""
Counts = Mapping[Key, tuple[int, str]]
"""How often, and the words of the last time."""

# Index: turned_away_of. In the order of the key, so that two nodes never wait for each other.
_ADD = """
INSERT INTO events_turnedaway AS t (tenant_id, source, hour, code, count, detail, last_at)
SELECT tenant_id, source, date_trunc('hour', now(), 'UTC'), code, count, detail, now()
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bigint[], %s::text[]) AS c(tenant_id, source, code, count, detail)
ORDER BY 1, 2, 4
ON CONFLICT (tenant_id, source, hour, code)
DO UPDATE SET count = t.count + excluded.count, detail = excluded.detail, last_at = excluded.last_at
"""
# Index: turned_away_of.
_LATELY = """
SELECT code, sum(count)::bigint, (array_agg(detail ORDER BY last_at DESC))[1], max(last_at) FROM events_turnedaway
WHERE tenant_id = %s AND source = %s AND hour > now() - interval '1 day' GROUP BY code ORDER BY 4 DESC
"""
_FORGET = "DELETE FROM events_turnedaway WHERE hour < now() - interval '7 days'"


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """`detail`: what the sender was told the last time."""

    code: str
    count: int
    detail: str
    last_at: datetime


@dataclass(slots=True)
class Door:
    """Counts in memory until they are taken to be written. Whose token it is says which source; what an administrator
    sends in a source's name is not counted."""

    _counts: dict[Key, tuple[int, str]] = field(default_factory=dict)

    def refused(self, grant: Grant, problem: Problem) -> None:
        """Not what is no fault of the sender's."""
        if grant.source and problem.status < 500:
            self._add((grant.tenant_id, grant.source, problem.code), 1, problem.detail)

    def known_already(self, grant: Grant, count: int = 1) -> None:
        if grant.source and count:
            self._add((grant.tenant_id, grant.source, KNOWN_ALREADY), count, "")

    def _add(self, key: Key, count: int, detail: str) -> None:
        before = self._counts.get(key, (0, ""))[0]
        self._counts[key] = before + count, cut(one_line(detail), DETAIL_LENGTH)

    def take(self) -> Counts:
        counts, self._counts = self._counts, {}
        return counts

    def give_back(self, counts: Counts) -> None:
        """What could not be written."""
        for key, (count, detail) in counts.items():
            more = self._counts.get(key)
            self._counts[key] = (count + more[0], more[1]) if more else (count, detail)


async def write(connection: Connection, counts: Counts) -> None:
    if not counts:
        return
    rows = [(*key, *value) for key, value in counts.items()]
    columns: list[Any] = [
        plain_array([row[0].hex for row in rows]),
        text_array([row[1] for row in rows]),
        text_array([row[2] for row in rows]),
        plain_array([str(row[3]) for row in rows]),
        text_array([row[4] for row in rows]),
    ]
    await connection.execute(_ADD, columns)


async def forget(connection: Connection) -> None:
    """Index: none; a few rows an hour, every ten minutes."""
    await connection.execute(_FORGET)


def lately(tenant_id: UUID, source: str) -> Sequence[TurnedAway]:
    """Of the last day, what happened last first."""
    with django_connection.cursor() as cursor:
        cursor.execute(_LATELY, [tenant_id, source])
        return [TurnedAway(*row) for row in cursor.fetchall()]
