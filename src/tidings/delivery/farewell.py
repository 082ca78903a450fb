"""Tell an address that it is no longer used, so that nobody can have messages led elsewhere unseen.

No event and no rule is behind it, and the address is nobody's contact point any more, so these are no deliveries: a row
lies in a small table of its own until its address was told or will never be.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from tidings.channels.conclude import conclude
from tidings.channels.contract import Budget, Channel, Outcome, Parcel, Refused, TryLater, Values, Wire
from tidings.channels.registry import CHANNELS
from tidings.delivery.budget import Granted
from tidings.delivery.policy import Next, decide
from tidings.kernel.database import Connection
from tidings.kernel.secrets import fingerprint, unseal
from tidings.messages.document import Reader
from tidings.messages.notice import notice
from tidings.messages.wording import wording
from tidings.preferences.limits import SENDS

TakeBudgets = Callable[[Sequence[Sequence[Budget]]], Awaitable[Granted]]
log = logging.getLogger("tidings.delivery")
AT_MOST = 20
# Longer than a try takes. A node that dies meanwhile leaves its rows to the others.
TAKEN_FOR = timedelta(minutes=1)
# What is told later is of no use any more.
GIVES_UP_AFTER = timedelta(hours=24)

# Index: former_address_due; the primary keys; channel_setting.
_TAKE = """
WITH due AS (
    SELECT id FROM directory_formeraddress WHERE due_at <= now() ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE directory_formeraddress f SET due_at = now() + %s, tries = f.tries + 1 FROM due WHERE f.id = due.id
    RETURNING f.id, f.tenant_id, f.person_id, f.channel, f.sealed, f.left_at, f.tries
)
SELECT t.id, t.tenant_id, t.person_id, t.channel, t.sealed, t.left_at, t.tries, p.login, p.name, p.external_id,
       p.language, p.timezone, s.sealed
FROM taken t JOIN accounts_person p ON p.id = t.person_id
LEFT JOIN channels_channelsetting s ON s.tenant_id = t.tenant_id AND s.channel = t.channel AND s.enabled
"""
# Index: the primary key.
_END = "DELETE FROM directory_formeraddress WHERE id = %s"
_AGAIN = """
UPDATE directory_formeraddress SET due_at = now() + %s, tries = CASE WHEN %s THEN 0 ELSE tries END WHERE id = %s
"""
TOO_MANY = "too_many_farewells"


class Farewell(Struct, frozen=True):
    """What is to be said to one address, and its try; `settings` None: the channel is off by now."""

    id: UUID
    tenant_id: UUID
    person_id: UUID
    channel: str
    sealed: bytes
    left_at: datetime
    tries: int
    login: str
    name: str
    external_id: str
    language: str
    timezone: str
    settings: bytes | None


async def take(connection: Connection) -> list[Farewell]:
    """Those that are due, for this node to say. Each comes back after a minute unless it was settled."""
    cursor = await connection.execute(_TAKE, (AT_MOST, TAKEN_FOR), binary=True)
    return [Farewell(*row) for row in await cursor.fetchall()]


async def say(farewell: Farewell, wire: Wire, take_budgets: TakeBudgets, *, now: datetime) -> Outcome:
    """One try, within what the vendor takes. Never raises, but for a cancellation."""
    if farewell.settings is None:
        return Refused("channel_off", of="message")
    channel = CHANNELS.get(farewell.channel)
    if channel is None:
        return TryLater("unknown_channel", technical=True)
    sending = _send(channel, farewell, farewell.settings, wire, take_budgets, now)
    return await conclude(sending, {"channel": farewell.channel})


async def _send(
    channel: Channel,
    farewell: Farewell,
    settings: bytes,
    wire: Wire,
    take_budgets: TakeBudgets,
    now: datetime,
) -> Outcome:
    words = wording(farewell.language)
    reader = Reader(
        farewell.login, farewell.name, farewell.language, farewell.timezone, because=(), uid=farewell.external_id
    )
    parcel = Parcel(
        identity=farewell.id,
        document=notice(
            "farewell",
            farewell.id,
            reader,
            farewell.left_at,
            headline=words.farewell_headline(farewell.name or farewell.login),
            todo=words.label("farewell_body"),
        ),
        contact=unseal(farewell.sealed),
        settings=unseal(settings),
        now=now,
    )
    # Those that are said again are one to whoever reads them.
    ours = _limits(farewell.person_id, channel, parcel.contact) if farewell.tries == 1 else []
    granted = await take_budgets([[*ours, *channel.budgets([parcel])]])
    if not granted.calls:
        return TryLater(granted.reason, after=granted.wait)
    return await channel.send(parcel, wire)


def _limits(person_id: UUID, channel: Channel, contact: Values) -> list[Budget]:
    """As of codes, per person and address: who changes an address to and fro fills nobody's mailbox. What is too much
    waits, and ends with the day."""
    address = "\0".join(str(contact.get(field.name)) for field in channel.contact if field.kind != "secret")
    name = fingerprint("farewell", f"{person_id}\0{channel.code}\0{address.casefold()}").hex()[:24]
    return [Budget(f"farewell:{name}:{per.total_seconds():.0f}", most, per, TOO_MANY) for most, per in SENDS]


def next_step(
    farewell: Farewell, outcome: Outcome, *, now: datetime, schedule: tuple[timedelta, ...], chance: float
) -> Next:
    age = now - farewell.left_at
    return decide(
        outcome, tries=farewell.tries, age=age, schedule=schedule, gives_up_after=GIVES_UP_AFTER, chance=chance
    )


async def settle(connection: Connection, farewell: Farewell, following: Next) -> None:
    if following.state == "pending":
        await connection.execute(_AGAIN, (following.wait, following.reason == TOO_MANY, farewell.id))
        return
    if following.state == "failed":
        told = {"channel": farewell.channel, "reason": following.reason, "tenant": str(farewell.tenant_id)}
        log.warning("an address could not be told that it is no longer used", extra=told)
    await connection.execute(_END, (farewell.id,))
