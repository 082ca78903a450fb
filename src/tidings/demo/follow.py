"""Follow what happens by asking `GET /events` and `GET /events/{id}`, again and again; what was posted is unknown."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Struct

from tidings.demo.call import Api
from tidings.demo.record import EventShown, Recipient, Record, Send

# A card is shown when everything was tried once, or after this: what hangs is news too.
PATIENCE = 0.6
# Where nothing is being tried a receipt may come, or somebody may try again: seconds between two looks.
CALM = 1.0


class _Page(Struct):
    items: list[EventShown]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """An event that was not seen before, with its decision record."""

    record: Record


@dataclass(frozen=True, slots=True)
class Tried:
    """One more entry in the attempts of a delivery that was shown before: the `number`th, from 1."""

    record: Record
    recipient: Recipient
    send: Send
    number: int


@dataclass(frozen=True, slots=True)
class Together:
    """Entries of several deliveries that say the same of the same channel, found in one look."""

    tried: Sequence[Tried]


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery that was shown before waits for its vendor's budget now."""

    record: Record
    recipient: Recipient
    send: Send


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A delivery that was shown before and will not be tried again."""

    record: Record
    recipient: Recipient
    send: Send


News = Opened | Tried | Together | Held | Cancelled


@dataclass(slots=True)
class Follower:
    """`records` are the latest answers, in the order in which the events were accepted."""

    api: Api
    records: dict[str, Record] = field(default_factory=dict)
    _shown: dict[str, Record] = field(default_factory=dict)
    _met: dict[str, float] = field(default_factory=dict)
    _asked: dict[str, float] = field(default_factory=dict)
    _since: datetime | None = None

    @property
    def caught_up(self) -> bool:
        """All that is known of was news."""
        return len(self._shown) == len(self.records)

    @property
    def quiet(self) -> bool:
        """Nothing that is known of is on its way."""
        return self.caught_up and all(record.ended for record in self.records.values())

    def shown_until(self, moment: datetime) -> datetime:
        """The moment, or when the first event was accepted that was not news yet."""
        waiting = [record.event.accepted_at for key, record in self.records.items() if key not in self._shown]
        return min([moment, *waiting])

    async def look(self) -> list[News]:
        """What is new since the last look."""
        for event in await self._newer():
            if event.id not in self.records:
                self._met[event.id] = time.monotonic()
                self.records[event.id] = await self.ask(event.id)
        for key, record in self.records.items():
            if not record.final and (not record.resting or time.monotonic() - self._asked[key] > CALM):
                self.records[key] = await self.ask(key)
        return _gathered(list(self._news()))

    async def ask(self, key: str) -> Record:
        self._asked[key] = time.monotonic()
        return (await self.api.must("GET", f"/events/{key}")).read(Record)

    async def _newer(self) -> list[EventShown]:
        """Oldest first, the last one we know among them."""
        since = f"&since={self._since:%Y-%m-%dT%H:%M:%S.%f}Z" if self._since else ""
        found: list[EventShown] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await self.api.must("GET", f"/events?limit=200{since}{cursor}")).read(_Page)
            found += page.items
            cursor = f"&cursor={page.next_cursor}" if page.next_cursor else None
        if found:
            self._since = found[0].accepted_at
        return found[::-1]

    def _news(self) -> Iterator[News]:
        for key, record in self.records.items():
            before = self._shown.get(key)
            if before is None:
                if not record.begun and time.monotonic() - self._met[key] < PATIENCE:
                    return  # its turn comes first
                yield Opened(record)
            elif before is not record:
                yield from _since(before, record)
            self._shown[key] = record


def _since(before: Record, record: Record) -> Iterator[News]:
    known = {send.delivery_id: send for send in before.sends}
    for recipient in record.recipients:
        for send in recipient.sends:
            was = known.get(send.delivery_id)
            tried = len(was.attempts) if was else 0
            for number in range(tried + 1, len(send.attempts) + 1):
                yield Tried(record, recipient, send, number)
            if send.held and was and not was.held:
                yield Held(record, recipient, send)
            if send.state == "cancelled" and was and was.state != "cancelled":
                yield Cancelled(record, recipient, send)


def _gathered(news: Sequence[News]) -> list[News]:
    """What was told of many deliveries at once is told once: that a provider delivered them, or that a group's robot
    could speak again."""
    alike: dict[tuple[str, str], list[Tried]] = {}
    for one in news:
        if isinstance(one, Tried) and any(key := _kind(one)):
            alike.setdefault(key, []).append(one)
    found: list[News] = []
    for one in news:
        same: Sequence[Tried] = alike.get(_kind(one), ()) if isinstance(one, Tried) else ()
        if len(same) < 2:
            found.append(one)
        elif one is same[0]:
            found.append(Together(same))
    return found


def _kind(one: Tried) -> tuple[str, str]:
    outcome = one.send.attempts[one.number - 1].outcome
    alike = outcome == "delivered" or (outcome == "sent" and one.send.channel == "dingtalk_robot" and one.number == 1)
    return (one.send.channel, outcome) if alike else ("", "")
