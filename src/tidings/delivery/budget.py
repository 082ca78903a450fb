"""What vendors take at most: counted in the database, for all nodes together, before anything is sent.

A vendor counts over any span of time: a robot that may say 20 things a minute is silenced for ten minutes when it says
21 between 10:00:30 and 10:01:30. So uses are kept with the slice of time they fell in, a sixtieth of the span, and each
is forgotten a whole span after its slice ended: never more than the budget in any span, at worst a sixtieth late.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import msgspec
from msgspec import Struct

from tidings.channels.contract import Budget, TryLater
from tidings.kernel.database import Connection, connect, django_conninfo, text_array

SLICES = 60

Uses = Mapping[int, int]
"""How much was used in which slice of time: the slice's end in seconds since 1970."""


Calls = Sequence[Sequence[Budget]]
"""What each of some calls uses."""


class Granted(Struct, frozen=True):
    """How many of the calls that were asked for may go now, from the first; what the next one waits for, and how long.
    `reason` is empty when all may go."""

    calls: int
    reason: str = ""
    wait: timedelta = timedelta(0)


def slice_of(budget: Budget, now: float) -> int:
    """The end of the slice of time this moment lies in, in seconds since 1970."""
    width = max(int(budget.per.total_seconds()) // SLICES, 1)
    return (int(now) // width + 1) * width


def room(budget: Budget, uses: Uses, now: float) -> int:
    """What is left of it."""
    return budget.most - sum(_lately(budget, uses, now).values())


def free_at(budget: Budget, uses: Uses, now: float) -> float:
    """When what one call uses will be free. A call that uses more than there ever is waits for all of it."""
    need, left = min(budget.amount, budget.most), room(budget, uses, now)
    for end, used in sorted(_lately(budget, uses, now).items()):
        if left >= need:
            break
        left += used
        now = end + budget.per.total_seconds()
    return now


def used(budget: Budget, uses: Uses, now: float) -> dict[int, int]:
    """The uses after one more call, without those that no longer count."""
    kept = _lately(budget, uses, now)
    end = slice_of(budget, now)
    kept[end] = kept.get(end, 0) + budget.amount
    return kept


def _lately(budget: Budget, uses: Uses, now: float) -> dict[int, int]:
    since = now - budget.per.total_seconds()
    return {end: amount for end, amount in uses.items() if end > since}


def grant(
    calls: Sequence[Sequence[Budget]], uses: Mapping[str, Uses], now: float, *, at_most: int | None = None
) -> tuple[Granted, dict[str, Uses]]:
    """How many calls, in their order and each with all it uses, there is room for; and the uses afterwards, of the
    budgets that were touched, when the first `at_most` of them are made (None: all). Pure."""
    after: dict[str, Uses] = {}
    kept: dict[str, Uses] = {}
    for number, budgets in enumerate(calls):
        late = [
            (free_at(budget, after.get(budget.key, uses.get(budget.key, {})), now), budget.reason)
            for budget in budgets
            if room(budget, after.get(budget.key, uses.get(budget.key, {})), now) < min(budget.amount, budget.most)
        ]
        if late:
            until, reason = max(late)
            return Granted(number, reason, timedelta(seconds=max(until - now, 1.0))), kept
        for budget in budgets:
            after[budget.key] = used(budget, after.get(budget.key, uses.get(budget.key, {})), now)
        if at_most is None or number < at_most:
            kept = dict(after)
    return Granted(len(calls)), kept


# Index: the primary key. Sorted, so that two who use several budgets never wait for each other.
_MAKE = """
INSERT INTO delivery_budget (key, uses, ends_at) SELECT key, '{}', clock_timestamp() FROM unnest(%s::text[]) AS k(key)
ON CONFLICT DO NOTHING
"""
_LOCK = "SELECT key, uses FROM delivery_budget WHERE key = ANY(%s::text[]) ORDER BY key FOR UPDATE"
_NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"
_WRITE = """
UPDATE delivery_budget b SET uses = w.uses::jsonb, ends_at = to_timestamp(w.ends_at)
FROM unnest(%s::text[], %s::text[], %s::float8[]) AS w(key, uses, ends_at) WHERE b.key = w.key
"""
_FORGET = "DELETE FROM delivery_budget WHERE ends_at < clock_timestamp() - interval '1 minute'"


async def take(
    connection: Connection,
    calls: Calls,
    *,
    at_most: int | None = None,
    seen: Callable[[Calls, Mapping[str, Uses]], None] = lambda *_: None,
) -> Granted:
    """As `grant`, on the database's clock, and written down: what is taken is used, whatever becomes of the call. So
    take just before a call, and no more than is made at once. `seen` hears what is used of them now."""
    keys = sorted({budget.key for budgets in calls for budget in budgets})
    if not keys:
        return Granted(len(calls))
    async with connection.transaction():
        await connection.execute(_MAKE, (text_array(keys),))
        rows = await (await connection.execute(_LOCK, (text_array(keys),))).fetchall()
        uses: dict[str, Uses] = {key: {int(end): amount for end, amount in each.items()} for key, each in rows}
        row = await (await connection.execute(_NOW)).fetchone()
        assert row is not None
        granted, after = grant(calls, uses, row[0], at_most=at_most)
        if after:
            spans = {budget.key: budget.per.total_seconds() for budgets in calls for budget in budgets}
            await connection.execute(_WRITE, _columns(after, spans))
    seen(calls, uses | after)
    return granted


async def take_at_once(budgets: Sequence[Budget]) -> TryLater | None:
    """For what a page or a call sends, outside any node's loop: over a connection of its own. None: it may go."""
    if not budgets:
        return None
    connection = await connect(django_conninfo(), name="budget")
    try:
        granted = await take(connection, [budgets])
    finally:
        await connection.close()
    return None if granted.calls else TryLater(granted.reason, after=granted.wait)


async def forget(connection: Connection) -> None:
    """Budgets of which nothing is used any more."""
    await connection.execute(_FORGET)


def _columns(after: Mapping[str, Uses], spans: Mapping[str, float]) -> tuple[list[str], list[str], list[float]]:
    keys = list(after)
    uses = [msgspec.json.encode({str(end): amount for end, amount in after[key].items()}).decode() for key in keys]
    return keys, uses, [max(after[key]) + spans[key] for key in keys]
