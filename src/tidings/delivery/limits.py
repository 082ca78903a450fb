"""How close a tenant's channel is to what its vendor takes at most, and whether the vendor is left alone: for people.

Budgets and circuits go by keys that name nobody. So the addresses of the latest messages, and of those that wait, are
asked which keys they use; and a made-up one, for what is the whole account's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from tidings.accounts.permissions import Caller
from tidings.channels.configure import READERS, known_channel, settings_of
from tidings.channels.contract import Budget, Channel, Parcel, Values
from tidings.delivery.budget import Uses, free_at, room
from tidings.delivery.lease import DEAD_AFTER
from tidings.delivery.together import LIMITED
from tidings.kernel.clock import now
from tidings.kernel.ids import uuid7
from tidings.kernel.problems import Problem
from tidings.kernel.secrets import SecretUnreadable, unseal
from tidings.messages.document import Reader
from tidings.messages.notice import notice

LATEST = 500
"""Events whose addresses are looked at, and as many messages that wait."""
ADDRESSES = 100
SHOWN = 20

# Index: event_latest, then a range of the primary key for each event; delivery_due; then primary keys. OFFSET 0: as in
# `find.py`.
_ADDRESSES = """
WITH told AS (
    (SELECT d.contact_point_id FROM (
        SELECT id FROM events_event WHERE tenant_id = %(tenant)s ORDER BY id DESC LIMIT %(latest)s
    ) e CROSS JOIN LATERAL (
        SELECT contact_point_id FROM delivery_delivery d
        WHERE d.id BETWEEN e.id AND (left(e.id::text, 31) || 'fffff')::uuid
          AND d.tenant_id = %(tenant)s AND d.channel = %(channel)s OFFSET 0
    ) d)
    UNION
    (SELECT contact_point_id FROM (
        SELECT contact_point_id, channel FROM delivery_delivery
        WHERE tenant_id = %(tenant)s AND state = 'pending' ORDER BY due_at LIMIT %(latest)s
    ) waiting WHERE channel = %(channel)s)
)
SELECT DISTINCT ON (c.shown) c.shown, c.sealed, c.language FROM told CROSS JOIN LATERAL (
    SELECT c.shown, c.sealed, p.language FROM directory_contactpoint c JOIN accounts_person p ON p.id = c.person_id
    WHERE c.id = told.contact_point_id AND c.tenant_id = %(tenant)s OFFSET 0
) c ORDER BY c.shown LIMIT %(addresses)s
"""
# Index: the primary key.
_USES = """
SELECT extract(epoch FROM clock_timestamp())::float8, coalesce((
    SELECT jsonb_object_agg(key, uses) FROM delivery_budget WHERE key = ANY(%s)), '{}')::text
"""
# A handful of rows, one for each node.
_LEFT_ALONE = """
SELECT a.account, max(n.renewed_at + a.seconds::float8 * interval '1 second')
FROM delivery_node n CROSS JOIN LATERAL jsonb_each_text(n.left_alone) AS a(account, seconds)
WHERE n.renewed_at > clock_timestamp() - %s::interval GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """`used` of `most` in any span of `per`. `of`: the address, as it may be shown; empty: the whole account.
    `free_at`: when the next one may go, where none may now."""

    of: str
    reason: str
    used: int
    most: int
    per: timedelta
    free_at: datetime | None


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """An account in trouble, and when one message goes to try it; `of` as in `Limit`."""

    of: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    gives_up_after: timedelta | None
    budgets: Sequence[Limit]
    left_alone: Sequence[LeftAlone]


@dataclass(frozen=True, slots=True)
class _Address:
    shown: str
    contact: Values
    language: str


def limits_of(caller: Caller, code: str) -> Limits:
    """The fullest budgets first, those of the account whether used or not. Nothing for a channel whose vendor has no
    limits, or that is not set up. Raises 403, 404."""
    caller.require(*READERS, to_write=False)
    one = known_channel(code)
    try:
        settings = settings_of(caller.tenant_id, one) if code in LIMITED else None
    except Problem:
        settings = None
    if settings is None:
        return Limits(one.gives_up_after, (), ())
    addresses = [*_made_up(one), *_lately_used(caller.tenant_id, code)]
    return Limits(one.gives_up_after, _budgets(one, addresses, settings), _left_alone(one, addresses, settings))


def _made_up(one: Channel) -> Iterator[_Address]:
    yield from (_Address("", example.contact, "en") for example in one.examples.values())


def _lately_used(tenant_id: UUID, code: str) -> Iterator[_Address]:
    values: dict[str, Any] = {"tenant": tenant_id, "channel": code, "latest": LATEST, "addresses": ADDRESSES}
    with connection.cursor() as cursor:
        cursor.execute(_ADDRESSES, values)
        rows = cursor.fetchall()
    for shown, sealed, language in rows:
        try:
            yield _Address(shown, unseal(bytes(sealed)), language)
        except SecretUnreadable:
            continue


def _budgets(one: Channel, addresses: Iterable[_Address], settings: Values) -> list[Limit]:
    """The account's, and those of addresses of which something is used."""
    whose: dict[Budget, str] = {}
    for address in addresses:
        for budget in one.budgets([_parcel(address, settings)]):
            whose[budget] = "" if budget.of == "account" else address.shown
    moment, uses = _uses([budget.key for budget in whose])
    limits = [_limit(budget, of, uses.get(budget.key, {}), moment) for budget, of in whose.items()]
    shown = [limit for budget, limit in zip(whose, limits, strict=True) if limit.used or budget.of == "account"]
    return sorted(shown, key=lambda limit: (-limit.used / limit.most, limit.of, limit.reason))[:SHOWN]


def _limit(budget: Budget, of: str, uses: Uses, moment: float) -> Limit:
    left = room(budget, uses, moment)
    free = free_at(budget, uses, moment) if left < 1 else None
    at = None if free is None else datetime.fromtimestamp(free, UTC)
    return Limit(of, budget.reason, budget.most - left, budget.most, budget.per, at)


def _uses(keys: Sequence[str]) -> tuple[float, Mapping[str, Uses]]:
    """On the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(_USES, [list(keys)])
        moment, found = cursor.fetchone()
    by_key: dict[str, dict[str, int]] = msgspec.json.decode(found)
    return moment, {key: {int(end): amount for end, amount in uses.items()} for key, uses in by_key.items()}


def _left_alone(one: Channel, addresses: Iterable[_Address], settings: Values) -> list[LeftAlone]:
    with connection.cursor() as cursor:
        cursor.execute(_LEFT_ALONE, [str(DEAD_AFTER)])
        until: dict[str, datetime] = dict(cursor.fetchall())
    if not until:
        return []
    whose: dict[str, str] = {}
    for address in addresses:
        account = one.account(address.contact, settings)
        if account in until:
            # Whatever a made-up address shares, or two that are shown apart, is everybody's.
            shared = account in whose and whose[account] != address.shown
            whose[account] = "" if shared else address.shown
    return sorted([LeftAlone(of, until[account]) for account, of in whose.items()], key=lambda each: each.of)[:SHOWN]


def _parcel(address: _Address, settings: Values) -> Parcel:
    """Nobody's message, only to be asked what it would use."""
    identity, moment = uuid7(), now()
    reader = Reader("", "", address.language, "UTC", (), "")
    document = notice("test", identity, reader, moment, headline="", todo="")
    return Parcel(identity=identity, document=document, contact=address.contact, settings=settings, now=moment)
