"""The last events, or those of a type, with what their source sent: to try rules on what really happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from tidings.events.event import Event, stored_event
from tidings.kernel.clock import now
from tidings.kernel.ids import first_at

LOOKED_AT = 20_000
"""So many events of the tenant are looked at: an index by type would cost every event a write, for a question that is
asked now and then. What is rarer than that is not found."""
KEPT_FOR = timedelta(days=7)
"""Then contents are dropped: see `delivery/retention.py`."""

# Index: event_latest, read backwards and no further than `look`.
_OF_TYPE = """
SELECT id FROM (
    SELECT id, type FROM events_event WHERE tenant_id = %(tenant)s AND id >= %(since)s ORDER BY id DESC LIMIT %(look)s
) latest WHERE %(type)s::text IS NULL OR type = %(type)s ORDER BY id DESC LIMIT %(last)s
"""
# Index: each day's primary key.
_BODIES = "SELECT id, body FROM events_body WHERE id = ANY(%s) ORDER BY id DESC"


@dataclass(frozen=True, slots=True)
class Recent:
    id: UUID
    event: Event


def recent_events(tenant_id: UUID, event_type: str | None, last: int) -> Sequence[Recent]:
    """Newest first."""
    asked: dict[str, Any] = {
        "tenant": tenant_id,
        "type": event_type,
        "since": first_at(now() - KEPT_FOR),
        "look": LOOKED_AT,
        "last": last,
    }
    with connection.cursor() as cursor:
        cursor.execute(_OF_TYPE, asked)
        ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return []
        cursor.execute(_BODIES, [ids])
        return [Recent(key, stored_event(body.encode())) for key, body in cursor.fetchall()]
