"""What is new, for those who watch: asked once a second for all of them together, so that it does not matter which node
accepted an event or sent a message, and costs whoever accepts and sends nothing."""

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from tidings.channels.registry import CHANNELS
from tidings.kernel.database import Connection, plain_array, text_array

Topic = tuple[Literal["inbox", "events", "deliveries"], UUID]
"""A person's inbox; a tenant's events; what became of its deliveries."""

# Index: recipient_inbox, event_latest and tally_of, one probe for each person, tenant, and channel of a tenant. The 20
# newest: whoever gets more in a second hears of those. A tally that has grown is a delivery that was tried.
_NEWS = """
SELECT 'inbox', k.id, r.id::text FROM unnest(%(people)s::uuid[], %(people_since)s::uuid[]) AS k(id, since)
CROSS JOIN LATERAL (
    SELECT r.id FROM events_recipient r WHERE r.person_id = k.id AND r.id >= k.since ORDER BY r.id DESC LIMIT 20
) r
UNION ALL
SELECT 'events', k.id, e.id::text FROM unnest(%(tenants)s::uuid[], %(tenants_since)s::uuid[]) AS k(id, since)
CROSS JOIN LATERAL (
    SELECT e.id FROM events_event e WHERE e.tenant_id = k.id AND e.id >= k.since ORDER BY e.id DESC LIMIT 20
) e
UNION ALL
SELECT 'deliveries', k.id, t.mark FROM unnest(%(tenants)s::uuid[]) AS k(id)
CROSS JOIN LATERAL (
    SELECT t.minute || ' ' || sum(t.count) AS mark FROM delivery_tally t
    WHERE t.tenant_id = k.id AND t.channel = ANY(%(channels)s::text[]) AND t.minute >= now() - interval '2 minutes'
    GROUP BY t.minute
) t
"""


async def look(
    connection: Connection, people: Mapping[UUID, UUID], tenants: Mapping[UUID, UUID]
) -> dict[Topic, set[str]]:
    """Marks of what is there, by topic: one that was not there before is news. Of inboxes and events they are the keys
    themselves, from the one that each person and tenant comes with."""
    parameters = {
        "people": plain_array([key.hex for key in people]),
        "people_since": plain_array([key.hex for key in people.values()]),
        "tenants": plain_array([key.hex for key in tenants]),
        "tenants_since": plain_array([key.hex for key in tenants.values()]),
        "channels": text_array(["", *CHANNELS]),
    }
    found: dict[Topic, set[str]] = {}
    for kind, key, mark in await (await connection.execute(_NEWS, parameters)).fetchall():
        found.setdefault((kind, key), set()).add(mark)
    return found
