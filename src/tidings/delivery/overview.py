"""What a person on duty wants first: is everything being delivered, how fast, what fails, what waits for approval."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from tidings.accounts.permissions import SEE_ALL, Caller
from tidings.channels.models import ChannelSetting
from tidings.channels.registry import CHANNELS
from tidings.delivery.health import State, judge
from tidings.delivery.hourly import UNTIMED, Sum, longest, sums
from tidings.delivery.tally import Row, lately
from tidings.delivery.waits import Standing, standing_of
from tidings.events.awaiting import AllAwaiting, Unresolved, awaiting_of, unresolved_of

OVERDUE = timedelta(seconds=60)
"""As `ops/prometheus/tidings.rules.yml` alerts on it."""
HEALTH = timedelta(hours=1)
FAILED_WITHIN = 24
"""Hours."""
CAUSES_SHOWN = 20
Unit = Literal["hour", "day"]


@dataclass(frozen=True, slots=True)
class Point:
    """One hour or day from `at` on. Half of what was sent was with its provider within `p50` seconds, rounded up to a
    step of `hourly.py`; None: nothing was."""

    at: datetime
    accepted: int
    sent: int
    failed: int
    skipped: int
    cancelled: int
    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Cause:
    channel: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Health:
    """Of the last hour, in tries; `state` as `health.judge` says. `reason`: the most frequent of what went wrong, of
    a channel that fails since it does."""

    channel: str
    state: State
    sent: int
    try_later: int
    refused: int
    held: int
    average_ms: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that keeps messages from people, or will. nobody_delivers; overdue: what should have gone a minute ago
    is still here, since `since`; channel_failing; retrying: did not go through, and is tried again by itself; failed:
    for good, of the last 24 hours' events, and nobody has retried it; unplanned; parked."""

    kind: Literal["nobody_delivers", "overdue", "channel_failing", "unplanned", "retrying", "failed", "parked"]
    count: int = 0
    channel: str = ""
    reason: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    since: datetime
    until: datetime
    unit: Unit
    timezone: str
    points: Sequence[Point]
    total: Point
    failures: Sequence[Cause]
    skips: Sequence[Cause]
    standing: Standing
    awaiting: AllAwaiting
    unresolved: Unresolved
    channels: Sequence[Health]
    troubles: Sequence[Trouble]
    """None: everything is being delivered."""


def overview_of(caller: Caller, *, unit: Unit, count: int, now: datetime) -> Overview:
    """The last so many hours, or days of the caller's time zone, the current one included. For those who see all of
    their tenant; raises 403."""
    caller.require(*SEE_ALL, to_write=False)
    zone = caller.person.timezone if caller.person else "UTC"
    times = _times(unit, count, now, zone)
    found = sums(caller.tenant_id, times)
    points = _points(times, found)
    standing = standing_of(caller, hours=FAILED_WITHIN, now=now)
    unresolved = unresolved_of(caller)
    channels = _channels(caller, now)
    return Overview(
        since=times[0],
        until=now,
        unit=unit,
        timezone="UTC" if unit == "hour" else zone,
        points=points,
        total=_point(times[0], [each for each in found if each.at is not None]),
        failures=_causes(found, "failed"),
        skips=_causes(found, "skipped"),
        standing=standing,
        awaiting=awaiting_of(caller),
        unresolved=unresolved,
        channels=channels,
        troubles=_troubles(standing, unresolved, channels, now),
    )


def _times(unit: Unit, count: int, now: datetime, zone: str) -> list[datetime]:
    """When each of them begins, the oldest first."""
    if unit == "hour":
        this = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return [this - timedelta(hours=back) for back in range(count - 1, -1, -1)]
    today = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    # By the calendar: a day may have 23 hours, or 25.
    return [(today - timedelta(days=back)).astimezone(UTC) for back in range(count - 1, -1, -1)]


def _points(times: Sequence[datetime], found: Sequence[Sum]) -> list[Point]:
    by_time: dict[datetime, list[Sum]] = defaultdict(list)
    for each in found:
        if each.at is not None:
            by_time[each.at].append(each)
    return [_point(at, by_time.get(at, ())) for at in times]


def _point(at: datetime, found: Sequence[Sum]) -> Point:
    counts: dict[str, int] = defaultdict(int)
    steps: dict[int, int] = defaultdict(int)
    for each in found:
        counts[each.what] += each.count
        if each.what == "sent" and each.step != UNTIMED:
            steps[each.step] += each.count
    return Point(
        at,
        counts["accepted"],
        counts["sent"],
        counts["failed"],
        counts["skipped"],
        counts["cancelled"],
        within(steps, 0.5),
        within(steps, 0.99),
    )


def within(steps: Mapping[int, int], share: float) -> float | None:
    """Seconds within which this share of them was done, to the end of the step it falls into."""
    total, so_far = sum(steps.values()), 0
    for step in sorted(steps):
        so_far += steps[step]
        if so_far >= share * total:
            return round(longest(step), 3)
    return None


def _causes(found: Sequence[Sum], what: str) -> list[Cause]:
    causes = [Cause(each.channel, each.reason, each.count) for each in found if each.at is None and each.what == what]
    return sorted(causes, key=lambda each: (-each.count, each.channel, each.reason))[:CAUSES_SHOWN]


def _channels(caller: Caller, now: datetime) -> list[Health]:
    """Those that are on, and those that were lately."""
    on = set(ChannelSetting.objects.for_tenant(caller.tenant_id).filter(enabled=True).values_list("channel", flat=True))
    rows = lately(caller.tenant_id, list(CHANNELS), now - HEALTH)
    by_channel: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_channel[row.channel].append(row)
    return [_health(code, code in on, by_channel[code]) for code in CHANNELS if code in on or by_channel[code]]


def _health(channel: str, on: bool, rows: Sequence[Row]) -> Health:
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[row.what] += row.count
    tried = counts["sent"] + counts["try_later"] + counts["refused"]
    took = sum(row.ms for row in rows if row.what in ("sent", "try_later", "refused"))
    wrong = [row for row in rows if row.reason and row.what in ("try_later", "refused", "held", "failed")]
    state: State = judge(rows) if on else "off"
    return Health(
        channel=channel,
        state=state,
        sent=counts["sent"],
        try_later=counts["try_later"],
        refused=counts["refused"],
        held=counts["held"],
        average_ms=round(took / tried) if tried else None,
        reason=max(wrong, key=lambda row: (state == "failing" and row.since_sent, row.count)).reason if wrong else "",
    )


def _troubles(standing: Standing, unresolved: Unresolved, channels: Sequence[Health], now: datetime) -> list[Trouble]:
    """The worst first."""
    oldest, found = standing.oldest_due_at, list[Trouble]()
    if not standing.nodes_delivering:
        found.append(Trouble("nobody_delivers", standing.waiting_count))
    elif oldest is not None and now - oldest > OVERDUE:
        due = sum(each.count for each in standing.waiting if each.waits_for in ("turn", "older"))
        found.append(Trouble("overdue", due, since=oldest))
    found += [
        Trouble("channel_failing", one.try_later + one.refused, one.channel, one.reason)
        for one in channels
        if one.state == "failing"
    ]
    if unresolved.unplanned:
        found.append(Trouble("unplanned", unresolved.unplanned))
    if again := sum(each.count for each in standing.waiting if each.waits_for in ("schedule", "vendor")):
        found.append(Trouble("retrying", again))
    if standing.failed_count:
        found.append(Trouble("failed", standing.failed_count))
    if unresolved.parked:
        found.append(Trouble("parked", unresolved.parked_count))
    return found
