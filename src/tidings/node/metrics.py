"""What `/metrics` shows (Prometheus text format). Names and labels are part of the outside contract of operators."""

from functools import cache
from math import nan

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tidings.delivery.backlog import COUNTED_AT_MOST, Backlog

REGISTRY = CollectorRegistry()
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)

EVENTS = Counter("tidings_events_total", "Events by what became of them at the door.", ["result"], registry=REGISTRY)
GROUP_SIZE = Histogram(
    "tidings_group_events",
    "Events committed together.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
    registry=REGISTRY,
)
GROUP_SECONDS = Histogram("tidings_group_seconds", "From group to durable.", buckets=_SECONDS, registry=REGISTRY)
ATTEMPTS = Counter(
    "tidings_attempts_total",
    "Tries by channel, outcome and reason.",
    ["channel", "outcome", "reason"],
    registry=REGISTRY,
)
SENT_SECONDS = Histogram(
    "tidings_accept_to_sent_seconds",
    "From an event's arrival to its vendor's answer, for what the accepting node sent at once.",
    ["channel"],
    buckets=_SECONDS,
    registry=REGISTRY,
)


@cache
def attempts(channel: str, outcome: str, reason: str) -> Counter:
    """One child of `tidings_attempts_total`; finding it by its labels costs more than counting."""
    return ATTEMPTS.labels(channel, outcome, reason)


@cache
def sent_seconds(channel: str) -> Histogram:
    return SENT_SECONDS.labels(channel)


HELD = Gauge("tidings_deliveries_held", "Deliveries in this node's hands.", registry=REGISTRY)
WAITING = Gauge("tidings_events_waiting", "Events waiting to be committed.", registry=REGISTRY)
LIVE_STREAMS = Gauge("tidings_live_streams", "Open pages that are told what is new.", registry=REGISTRY)
CLOCK_AHEAD = Gauge(
    "tidings_clock_ahead_seconds", "This node's clock less the database's, looked at every 30 s.", registry=REGISTRY
)
FREED = Counter(
    "tidings_deliveries_freed_total",
    "Deliveries taken back from a dead or forgetful holder.",
    ["from"],
    registry=REGISTRY,
)
RECEIPTS = Counter(
    "tidings_receipts_total",
    "Deliveries that a provider's receipt ended, by channel, state and reason.",
    ["channel", "state", "reason"],
    registry=REGISTRY,
)
RECEIPTS_IGNORED = Counter(
    "tidings_receipts_ignored_total",
    "Receipts that changed nothing: unreadable, or by the provider's own id of another message than was sent.",
    ["channel", "reason"],
    registry=REGISTRY,
)
HOLDS = Counter(
    "tidings_held_total",
    "Deliveries that were not tried because a vendor's budget was used up or its account was in trouble.",
    ["channel", "reason"],
    registry=REGISTRY,
)
FAILED = Counter(
    "tidings_deliveries_failed_total",
    "Deliveries that this node gave up for good.",
    ["channel", "reason"],
    registry=REGISTRY,
)

# Of the whole installation, the same on every node: read from the database when somebody asks, every few seconds at
# most. NaN while it cannot be asked.
DATABASE = Gauge("tidings_database_up", "1 while the database answers.", registry=REGISTRY)
PENDING = Gauge(
    "tidings_deliveries_pending",
    f"Deliveries that nobody holds: due, or due later. {COUNTED_AT_MOST:,} stands for more.",
    ["when"],
    registry=REGISTRY,
)
OLDEST_DUE = Gauge("tidings_oldest_due_seconds", "For how long the oldest of them has been due.", registry=REGISTRY)
DELIVERING = Gauge("tidings_nodes_delivering", "Nodes that deliver and are alive.", registry=REGISTRY)


def show_backlog(seen: Backlog | None) -> None:
    DATABASE.set(seen is not None)
    PENDING.labels("due").set(seen.due if seen else nan)
    PENDING.labels("later").set(seen.later if seen else nan)
    OLDEST_DUE.set(seen.oldest_due if seen else nan)
    DELIVERING.set(seen.delivering if seen else nan)


CIRCUITS_OPEN = Gauge(
    "tidings_circuits_open", "Vendor accounts in trouble, left alone by this node just now.", registry=REGISTRY
)
