"""Follow what happens by asking `GET /events` and `GET /events/{id}`, again and again; what was posted is unknown."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec import Struct

from tidings.demo.call import Api

ENDED = ("sent", "delivered", "failed", "cancelled")
# A card is shown when everything was tried once, or after this: what hangs is news too.
PATIENCE = 0.6


class Subject(Struct, frozen=True):
    kind: str
    id: str
    title: str


class Resource(Struct, frozen=True):
    instance: str
    database: str = ""
    table: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.instance, self.database, self.table) if part)


class Because(Struct, frozen=True):
    role: str
    of: str | None = None


class Skip(Struct, frozen=True):
    reason: str
    role: str = ""
    person: str = ""
    channel: str = ""


class Attempt(Struct, frozen=True):
    """A try; or, with the outcome `retried_by`, that somebody asked for another."""

    at: datetime
    outcome: str
    ms: float = 0.0
    reason: str = ""
    said: str = ""
    by: str = ""

    @property
    def answered(self) -> datetime:
        return self.at + timedelta(milliseconds=self.ms)


class Send(Struct, frozen=True):
    delivery_id: str
    channel: str
    state: str
    due_at: datetime
    reason: str = ""
    attempts: list[Attempt] = []

    @property
    def tries(self) -> int:
        return sum(attempt.outcome != "retried_by" for attempt in self.attempts)


class Recipient(Struct, frozen=True):
    login: str
    name: str
    because: list[Because]
    sends: list[Send] = []
    skips: list[Skip] = []


class EventShown(Struct, frozen=True):
    id: str
    source: str
    source_id: str
    type: str
    time: datetime
    accepted_at: datetime
    planned: bool
    subject: Subject
    resources: list[Resource] = []


class Record(Struct, frozen=True):
    """What `GET /events/{id}` answers, as far as it is shown."""

    event: EventShown
    recipients: list[Recipient]
    skips: list[Skip]

    @property
    def sends(self) -> list[Send]:
        return [send for recipient in self.recipients for send in recipient.sends]

    @property
    def ended(self) -> bool:
        return self.event.planned and all(send.state in ENDED for send in self.sends)

    @property
    def final(self) -> bool:
        """Nothing can become of it any more; what has failed may still be tried again by hand."""
        return self.event.planned and all(send.state in ("sent", "delivered") for send in self.sends)

    @property
    def begun(self) -> bool:
        return self.event.planned and all(send.attempts or send.state in ENDED for send in self.sends)


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
class Cancelled:
    """A delivery that was shown before and will not be tried again."""

    record: Record
    recipient: Recipient
    send: Send


News = Opened | Tried | Cancelled


@dataclass(slots=True)
class Follower:
    """`records` are the latest answers, in the order in which the events were accepted."""

    api: Api
    records: dict[str, Record] = field(default_factory=dict)
    _shown: dict[str, Record] = field(default_factory=dict)
    _met: dict[str, float] = field(default_factory=dict)
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
            if not record.final:
                self.records[key] = await self.ask(key)
        return list(self._news())

    async def ask(self, key: str) -> Record:
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
            if send.state == "cancelled" and was and was.state != "cancelled":
                yield Cancelled(record, recipient, send)


def sends_by_id(records: Sequence[Record]) -> dict[str, tuple[Recipient, Send]]:
    return {
        send.delivery_id: (recipient, send)
        for record in records
        for recipient in record.recipients
        for send in recipient.sends
    }
