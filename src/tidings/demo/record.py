"""The decision record as `GET /events/{id}` answers it, as far as the demo shows it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

ENDED = ("sent", "delivered", "failed", "cancelled")
TRIES = ("sent", "try_later", "refused")
# Their providers say later what became of a message.
REPORTED_ON = ("sms", "dingtalk")


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
    """A try; or, with the outcome `held`, that it had to wait; or, with `retried_by`, that somebody asked for another;
    or what its provider said of it later, `delivered` or `failed`."""

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

    def __post_init__(self) -> None:
        # That it waits is shown while it does, by its reason.
        msgspec.structs.force_setattr(self, "attempts", [each for each in self.attempts if each.outcome != "held"])

    @property
    def tries(self) -> int:
        return sum(attempt.outcome in TRIES for attempt in self.attempts)

    @property
    def taken(self) -> bool:
        """The other side took it, whatever became of it afterwards."""
        return any(attempt.outcome == "sent" for attempt in self.attempts)

    @property
    def held(self) -> bool:
        """It waits although nothing went wrong: for its vendor's budget."""
        return self.state == "pending" and self.reason != (self.attempts[-1].reason if self.attempts else "")


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
    def resting(self) -> bool:
        """Nothing is being tried: what has not ended is held."""
        return self.event.planned and all(send.state in ENDED or send.held for send in self.sends)

    @property
    def final(self) -> bool:
        """Nothing can become of it any more; what has failed may still be tried again by hand."""
        return self.event.planned and all(
            send.state == "delivered" or (send.state == "sent" and send.channel not in REPORTED_ON)
            for send in self.sends
        )

    @property
    def begun(self) -> bool:
        return self.event.planned and all(send.attempts or send.held or send.state in ENDED for send in self.sends)


def sends_by_id(records: Sequence[Record]) -> dict[str, tuple[Recipient, Send]]:
    return {
        send.delivery_id: (recipient, send)
        for record in records
        for recipient in record.recipients
        for send in recipient.sends
    }
