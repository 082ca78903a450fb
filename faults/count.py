"""What became of everything that was accepted: by the senders' own word, the receivers' and the record's. The ledger
knows of the record alone, and is read besides."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from faults.stage import Installation
from tidings.channels.testing.webhook_receiver import Arrival

_ENDED = frozenset({"sent", "delivered", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that a receiver took, by its delivery (hex). Where the answer to it was never heard, the same message
    rightly comes again."""

    delivery: str
    answered: bool = True
    at: datetime | None = None


@dataclass
class Row:
    """One line of the report. `faults` is everything that is not as it must be, in words; empty is what is wanted."""

    name: str
    says: str
    part_of: str = ""
    """The scenario whose sums have it too."""
    accepted: int = 0
    delivered: int = 0
    ended_otherwise: int = 0
    """Deliveries that failed for good or were cancelled, with the reason in the record."""
    lost: int = 0
    repeated: int = 0
    at_most: int = 0
    """Repeats: what was in the hands of those who were lost, and what was taken without an answer."""
    asked_again: int = 0
    """Posts without a 202, each of which the sender made again."""
    recovered: float = 0.0
    """Seconds from the end of the fault until nothing that was due waited."""
    seconds: float = 0.0
    done: str = ""
    """What was done to the installation, and how often."""
    faults: list[str] = field(default_factory=list)


def webhooks(arrivals: Iterable[Arrival]) -> list[Taken]:
    """What a webhook receiver took: all that it said 2xx to, or that it had read when it went silent."""
    return [
        Taken(UUID(one.identity.removeprefix("msg_")).hex, one.reply.manner == "answer", one.at)
        for one in arrivals
        if one.reply.status // 100 == 2
    ]


@dataclass(frozen=True, slots=True)
class Books:
    """The record, as the database has it, and what the receivers have; `kept` by the sender's key, with whether it says
    why it tells nobody, `deliveries` by event."""

    kept: Mapping[str, tuple[UUID, bool]]
    deliveries: Mapping[int, Sequence[tuple[str, str]]]
    arrived: Counter[str]

    def count(self, row: Row, accepted: Mapping[str, str]) -> None:
        """What became of these, which are the sender's keys and our ids where it was told them."""
        row.accepted = len(accepted)
        for key, ours in accepted.items():
            event, excused = self.kept.get(key, (None, False))
            if event is None or (ours and ours != str(event)):
                row.lost += 1
                continue
            mine = self.deliveries.get(event.int >> 20, ())
            row.lost += (not mine and not excused) or any(not self._over(*each) for each in mine)
            row.delivered += sum(delivery in self.arrived for delivery, _ in mine)
            row.ended_otherwise += sum(state in ("failed", "cancelled") for _, state in mine)
        if row.lost:
            row.faults.append(f"{row.lost} lost")

    def _over(self, delivery: str, state: str) -> bool:
        """It has an end, and `sent` means that somebody has it."""
        return state in _ENDED and (delivery in self.arrived or state not in ("sent", "delivered"))

    def count_repeats(self, row: Row, may_repeat: Counter[str]) -> None:
        """How often a message came again, which each may as often as is said for it by its delivery."""
        repeats = self.repeats()
        row.repeated, row.at_most = repeats.total(), may_repeat.total()
        if beyond := repeats - may_repeat:
            row.faults.append(f"{beyond.total()} repeats of what was in nobody's hands")

    def repeats(self) -> Counter[str]:
        return Counter({delivery: times - 1 for delivery, times in self.arrived.items() if times > 1})


async def read_books(stage: Installation, taken: Iterable[Taken], source: str = "dms") -> Books:
    kept = {key: (event, excused) for key, event, excused in await stage.rows(_EVENTS, source)}
    deliveries: dict[int, list[tuple[str, str]]] = {}
    for delivery, state in await stage.rows("SELECT id, state FROM delivery_delivery"):
        deliveries.setdefault(delivery.int >> 20, []).append((delivery.hex, state))
    return Books(kept, deliveries, Counter(one.delivery for one in taken))


# An event that tells nobody says why: itself, or at its recipients.
_EVENTS = """
SELECT e.source_id, e.id, e.skips IS NOT NULL OR EXISTS (
    SELECT FROM events_recipient r WHERE r.skips IS NOT NULL AND left(r.id::text, 31) = left(e.id::text, 31))
FROM events_event e WHERE e.source = %s
"""


async def out_of_order(stage: Installation) -> list[str]:
    """Webhooks that first arrived after a later one of their ticket and person, are not the current status, and do not
    say so."""
    rows = await stage.rows("SELECT id::text, number, time FROM events_event")
    placed = {key: (number, (time, number)) for key, number, time in rows}
    latest: dict[tuple[str, str], tuple[int, Any]] = {}
    seen: set[str] = set()
    wrong: list[str] = []
    for one in stage.receiver.arrivals:
        if one.identity in seen or one.reply.status // 100 != 2:
            continue
        seen.add(one.identity)
        data = one.payload["data"]
        if data["event_id"] not in placed:  # a word to an address that was replaced
            continue
        ticket, (number, status) = (one.path, data["subject"]["id"]), placed[data["event_id"]]
        before = latest.get(ticket)
        if before and number < before[0] and status < before[1] and not data.get("earlier"):
            wrong.append(f"{ticket}: number {number} came after {before[0]} and does not say that it is late")
        latest[ticket] = max(before or (0, None), (number, status), key=lambda each: each[0])
    return wrong
