"""How a source is doing, for those who set it up: what it sent last, and how much waits for a mapping."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from tidings.accounts.models import Source
from tidings.accounts.permissions import Caller
from tidings.events.models import Event, Intake
from tidings.events.sources.set_up import parked_of, source_of
from tidings.events.turned_away import TurnedAway, lately
from tidings.kernel.ids import made_at

LOOKED_AT = 20_000
"""Of the tenant's events, the newest: a source that has been quiet for longer is not searched for."""
COUNTED_AT_MOST = 1_000

# Index: event_latest. MATERIALIZED, or a source that sends little would have the whole table read for it.
_LATEST = """
WITH newest AS MATERIALIZED (
    SELECT * FROM events_event WHERE tenant_id = %s ORDER BY id DESC LIMIT %s
)
SELECT * FROM newest WHERE source = %s ORDER BY id DESC LIMIT %s
"""


# Index: parked_waiting.
_WAITING = """
SELECT source, count(*) FROM (
    SELECT source FROM events_parked
    WHERE tenant_id = %s AND source = ANY(%s) AND resolved_at IS NULL LIMIT %s
) waiting GROUP BY source
"""
_LAST = """
WITH newest AS MATERIALIZED (
    SELECT id, source FROM events_event WHERE tenant_id = %s ORDER BY id DESC LIMIT %s
)
SELECT DISTINCT ON (source) source, id FROM newest WHERE source = ANY(%s) ORDER BY source, id DESC
"""


@dataclass(frozen=True, slots=True)
class AtWork:
    """As `ShownSource`, of one among many. `last_at`: when its last event was accepted, if that is not long ago."""

    name: str
    adapter: str
    parked: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShownSource:
    """`adapter`: the one it is set up for, if any. `parked`: payloads that wait, `COUNTED_AT_MOST` stands for more.
    `latest`: its last events among the tenant's last `LOOKED_AT`; `has_sent`: whether there is any event at all.
    `turned_away`: what was refused in the last day."""

    source: Source
    adapter: str
    has_secret: bool
    parked: int
    latest: Sequence[Event]
    has_sent: bool
    turned_away: Sequence[TurnedAway]


def at_work(caller: Caller, sources: Sequence[Source]) -> list[AtWork]:
    """How each of them is doing, in three queries. Raises 403."""
    caller.require("administrator", to_write=False)
    names = [source.name for source in sources]
    intakes = Intake.objects.for_tenant(caller.tenant_id).filter(source_id__in=[source.id for source in sources])
    adapters = dict(intakes.values_list("source_id", "adapter"))
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [caller.tenant_id, names, COUNTED_AT_MOST])
        parked = dict(cursor.fetchall())
        cursor.execute(_LAST, [caller.tenant_id, LOOKED_AT, names])
        last = dict(cursor.fetchall())
    return [
        AtWork(
            source.name,
            adapters.get(source.id, ""),
            parked.get(source.name, 0),
            made_at(last[source.name]) if source.name in last else None,
        )
        for source in sources
    ]


def look_at_source(caller: Caller, name: str, *, limit: int) -> ShownSource:
    """Raises 403, 404."""
    caller.require("administrator", to_write=False)
    source = source_of(caller, name)
    intake = Intake.objects.for_tenant(caller.tenant_id).filter(source_id=source.id).first()
    parked = parked_of(caller, name).order_by("id")[:COUNTED_AT_MOST].count()
    values = [caller.tenant_id, LOOKED_AT, source.name, limit]
    latest = list(Event.objects.for_tenant(caller.tenant_id).raw(_LATEST, values))
    # Index: event_key.
    has_sent = bool(latest) or Event.objects.for_tenant(caller.tenant_id).filter(source=source.name).exists()
    return ShownSource(
        source,
        intake.adapter if intake else "",
        intake is not None and intake.sealed is not None,
        parked,
        latest,
        has_sent,
        lately(caller.tenant_id, source.name),
    )
