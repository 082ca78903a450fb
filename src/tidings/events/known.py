"""Which events are already kept under their sender's key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tidings.kernel.database import Connection, plain_array, text_array

Key = tuple[UUID, str, str]
"""(tenant, source, the source's own id)."""


@dataclass(frozen=True, slots=True)
class Known:
    id: UUID
    hash: bytes


class Repeats:
    """Whether a sender is repeating itself just now: then known keys are looked for before a group is kept, else only
    when keeping it finds one."""

    def __init__(self) -> None:
        self._until = 0.0

    def likely(self, now: float) -> bool:
        """`now` in seconds on any steady clock."""
        return now < self._until

    def saw(self, now: float) -> None:
        self._until = now + 10.0


# Index: event_key, one probe an event.
_KNOWN = """
SELECT tenant_id, source, source_id, e.id, e.hash
FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS k(tenant_id, source, source_id)
JOIN events_event e USING (tenant_id, source, source_id)
"""


async def known_events(connection: Connection, keys: Sequence[Key]) -> Mapping[Key, Known]:
    columns = (
        plain_array([key[0].hex for key in keys]),
        text_array([key[1] for key in keys]),
        text_array([key[2] for key in keys]),
    )
    cursor = await connection.execute(_KNOWN, columns, binary=True)
    return {(row[0], row[1], row[2]): Known(row[3], bytes(row[4])) for row in await cursor.fetchall()}
