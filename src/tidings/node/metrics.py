"""What `/metrics` shows (Prometheus text format). Names and labels are part of the outside contract of operators:
`docs/metrics.md` has them all. No label names a tenant, a person or an address: their number has no bound.

What happens for each event or delivery is not counted here while it happens: `counting.py` counts it once, for the
console's overview, and hands the sums over.
"""

from collections.abc import Sequence
from math import nan

from prometheus_client import CollectorRegistry, Counter, Gauge, Info, ProcessCollector, disable_created_metrics

from tidings import __version__
from tidings.delivery import hourly, tally
from tidings.delivery.backlog import COUNTED_AT_MOST, Backlog
from tidings.delivery.enqueue import Keep
from tidings.events.group import Kept, Verdicts
from tidings.node.budgets_seen import BudgetsSeen
from tidings.node.times import SECONDS, Times
from tidings.pipeline import Accepted

# The moment each series began: as many series again, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
EVERY_TIME: list[Times] = []


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(name, text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(name, text, labels, registry=REGISTRY)


def _times(name: str, text: str, label: str = "", bounds: Sequence[float] = SECONDS) -> Times:
    EVERY_TIME.append(Times(name, text, label, bounds=bounds, registry=REGISTRY))
    return EVERY_TIME[-1]


# Events, as this node took them in.
EVENTS = _counter("tidings_events_total", "Events by what became of them at the door.", "result")
REFUSED = _counter("tidings_refused_total", "Events, and other calls a node answers itself, refused by code.", "code")
PLANNED = _counter("tidings_events_planned_total", "Events that have their plan: who is told how, and who is not.")
UNPLANNED = _counter("tidings_events_unplanned_total", "Events kept without a plan, since planning failed.")
SKIPS = _counter("tidings_skips_total", "People, roles, channels and whole events not told of.", "channel", "reason")
DELIVERIES = _counter("tidings_deliveries_planned_total", "Deliveries that came of events accepted here.")
WAITING = _gauge("tidings_events_waiting", "Events waiting to be committed.")
ACCEPT_SECONDS = _times("tidings_accept_seconds", "From an event's arrival to its being durable.")
GROUP_SECONDS = _times("tidings_group_seconds", "From a group of events to durable.")
GROUP_SIZE = _times("tidings_group_events", "Events committed together.", bounds=(1, 2, 5, 10, 20, 50, 100, 200, 500))

# Messages of the buses that this node takes events from, by the names they have in the file.
BUS_MESSAGES = _counter("tidings_bus_messages_total", "Messages by what became of them.", "bus", "result")
BUS_REDELIVERED = _counter("tidings_bus_redelivered_total", "Messages handed out once more.", "bus")
BUS_CONNECTED = _gauge("tidings_bus_connected", "1 while events can be taken from it.", "bus")
BUS_HELD = _gauge("tidings_bus_held", "Messages taken that could not be kept yet: the database is away.", "bus")
BUS_LAG = _gauge("tidings_bus_lag", "Messages that nobody has taken yet; looked at every 15 s.", "bus")

# Deliveries, as this node sent them.
ATTEMPTS = _counter("tidings_attempts_total", "Tries by what came of them.", "channel", "outcome", "reason")
SENT = _counter("tidings_deliveries_sent_total", "Deliveries that their vendor or receiver took.", "channel")
FAILED = _counter("tidings_deliveries_failed_total", "Deliveries given up for good.", "channel", "reason")
CANCELLED = _counter("tidings_deliveries_cancelled_total", "Deliveries not wanted any more.", "channel", "reason")
HELD = _counter("tidings_deliveries_held_total", "Deliveries not tried, by what they wait for.", "channel", "reason")
FREED = _counter("tidings_deliveries_freed_total", "Deliveries taken back from a dead or forgetful holder.", "from")
RECEIPTS = _counter("tidings_receipts_total", "Deliveries a vendor's receipt ended.", "channel", "state", "reason")
RECEIPTS_IGNORED = _counter("tidings_receipts_ignored_total", "Receipts that changed nothing.", "channel", "reason")
IN_HAND = _gauge("tidings_deliveries_in_hand", "Deliveries in this node's hands.")
CIRCUITS_OPEN = _gauge("tidings_circuits_open", "Vendor accounts in trouble, left alone by this node just now.")
SENT_SECONDS = _times(
    "tidings_accept_to_sent_seconds",
    "From an event's arrival to its vendor's answer, for what the accepting node sent at once.",
    "channel",
)
CALL_SECONDS = _times("tidings_vendor_call_seconds", "One try: composed, sent, answered.", "channel")
CLAIM_SECONDS = _times("tidings_claim_seconds", "Claiming deliveries that are due, where there are any.")
BUDGET_SECONDS = _times("tidings_budget_seconds", "Taking a vendor's budget from the database, with the wait for it.")
BUDGETS = BudgetsSeen("tidings_budget_used_ratio", "Share of a vendor's budget that is used.", registry=REGISTRY)

# The node itself.
CLOCK_AHEAD = _gauge("tidings_clock_ahead_seconds", "This node's clock less the database's, looked at every 30 s.")
STUCK = _counter("tidings_stuck_total", "What would have waited for ever and was put right.", "what")
RATE_LIMITED = _counter("tidings_rate_limited_total", "Requests beyond the rate of their token.", "limit")
LEASE_AGE = _gauge("tidings_lease_age_seconds", "For how long the lease was not renewed; at 15 nothing is sent.")
LOOP_LAG = _times("tidings_loop_lag_seconds", "How late the node's loop comes to what is due; a look twice a second.")
LOADS = _times("tidings_view_load_seconds", "Reading a tenant's changed rules, directory or tokens anew.", "part")
REQUESTS = _counter("tidings_requests_total", "Calls that Django answered.", "area", "status")
REQUEST_SECONDS = _times("tidings_request_seconds", "Their answers, without the wait for a thread.", "area")
THREAD_WAIT = _times("tidings_thread_wait_seconds", "Their wait for a thread, and with it its PostgreSQL connection.")
LIVE_STREAMS = _gauge("tidings_live_streams", "Open pages that are told what is new.")
READY = _gauge("tidings_ready", "1 while /readyz says that it is; looked at as often as the database is asked.")
Info("tidings_build", "The version of this node.", registry=REGISTRY).info({"version": __version__})
ProcessCollector(registry=REGISTRY)

# Of the whole installation, the same on every node: read from the database when somebody asks, every few seconds at
# most. NaN while it cannot be asked.
DATABASE = _gauge("tidings_database_up", "1 while the database answers.")
PENDING = _gauge(
    "tidings_deliveries_pending",
    f"Deliveries that nobody holds: due, or due later. {COUNTED_AT_MOST:,} stands for more.",
    "when",
)
OLDEST_DUE = _gauge("tidings_oldest_due_seconds", "For how long the oldest of them has been due.")
DELIVERING = _gauge("tidings_nodes_delivering", "Nodes that deliver and are alive.")

# What nobody has seen yet is 0 and not unknown, or an alert would miss the first.
for _result in ("accepted", "duplicate", "ignored", "parked"):
    EVENTS.labels(_result)
for _holder in ("dead_node", "own_orphan"):
    FREED.labels(_holder)


def show_backlog(seen: Backlog | None) -> None:
    DATABASE.set(seen is not None)
    PENDING.labels("due").set(seen.due if seen else nan)
    PENDING.labels("later").set(seen.later if seen else nan)
    OLDEST_DUE.set(seen.oldest_due if seen else nan)
    DELIVERING.set(seen.delivering if seen else nan)


def count_kept(accepted: Accepted) -> None:
    """A group, just accepted."""
    unplanned = sum(keep.planned is None for keep in accepted.kept)
    PLANNED.inc(len(accepted.kept) - unplanned)
    UNPLANNED.inc(unplanned)
    DELIVERIES.inc(accepted.pending + len(accepted.jobs))


def count_duplicates(verdicts: Verdicts) -> None:
    EVENTS.labels("duplicate").inc(sum(isinstance(each, Kept) and each.duplicate for each in verdicts))


def count_planned(keeps: Sequence[Keep]) -> None:
    """Events that were kept unplanned, just planned."""
    PLANNED.inc(len(keeps))
    DELIVERIES.inc(sum(len(one.sends) for keep in keeps if keep.planned for one in keep.planned.plan.recipients))


def count_hours(counts: hourly.Counts) -> None:
    for (_, what, channel, reason, _), count in counts.items():
        match what:
            case "accepted":
                EVENTS.labels("accepted").inc(count)
            case "skipped":
                SKIPS.labels(channel, reason).inc(count)
            case "sent":
                SENT.labels(channel).inc(count)
            case "failed":
                FAILED.labels(channel, reason).inc(count)
            case "cancelled":
                CANCELLED.labels(channel, reason).inc(count)


def count_tries(counts: tally.Counts) -> None:
    for (_, channel, what, reason), (count, _, _) in counts.items():
        match what:
            case "sent" | "try_later" | "refused":
                ATTEMPTS.labels(channel, what, reason).inc(count)
            case "held":
                HELD.labels(channel, reason).inc(count)
            case "delivered" | "failed":
                RECEIPTS.labels(channel, what, reason).inc(count)
            case "cancelled" | "retried":
                pass  # by hour already; by a page, which no node counts


def fold_times() -> None:
    for times in EVERY_TIME:
        times.fold()


def name_buses(names: Sequence[str]) -> None:
    """As above."""
    for name in names:
        for result in ("accepted", "duplicate", "ignored", "parked"):
            BUS_MESSAGES.labels(name, result)
        BUS_REDELIVERED.labels(name)
        BUS_CONNECTED.labels(name).set(0)
