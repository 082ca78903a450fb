"""One delivery in a node's hands: all that its attempts need, held in memory from the claim to the record."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

from tidings.catalog.features import EventType
from tidings.directory.lookup import Involved, Named
from tidings.directory.people import Member, Point
from tidings.events.event import Event, PersonKey, PersonRef
from tidings.messages.document import SOMEBODY, Document, Newer, Occasion, Reader
from tidings.planning.plan import Because

# Some platforms send a number or a mail address where a login belongs. A number of 16 digits is an Alibaba Cloud UID.
_NUMBER = re.compile(r"\+[\d ().-]+|(?:[ ().-]*\d){10,15}")


@dataclass
class Story:
    """One event, shared by the jobs of all its recipients; what may be told of it is worked out once."""

    id: UUID
    event: Event
    time: datetime
    event_type: EventType
    involved: Involved
    number: int = 0

    @cached_property
    def occasion(self) -> Occasion:
        event, involved = self.event, self.involved
        return Occasion(
            event_id=str(self.id),
            event_type=event.type,
            tone=self.event_type.tone,
            time=self.time,
            subject_kind=event.subject.kind,
            subject_id=event.subject.id,
            title=event.subject.title or event.subject.id,
            url=event.subject.url,
            submitter=_shown(event.people.submitter, involved.submitter),
            submitter_uid=_uid(event.people.submitter, involved.submitter),
            actor=_shown(event.actor, involved.actor),
            approvers=tuple(map(_shown, event.people.approvers, involved.approvers)),
            resources=tuple(resource.path() for resource in event.resources),
            details=event.details,
            feature_labels=self.event_type.feature_labels,
            event_labels=self.event_type.labels,
        )


@dataclass(slots=True)
class Job:
    """`attempts` counts the tries before this claim; `newer` is a later status that has overtaken it."""

    id: UUID
    tenant_id: UUID
    story: Story
    member: Member
    because: tuple[Because, ...]
    channel: str
    point: Point
    settings: bytes
    """Sealed, as the contact point is."""
    lease: int
    attempts: int = 0
    newer: Newer | None = None
    since: datetime | None = None
    """Its age counts from here: the last retry by hand. None: from its acceptance, which its id tells."""
    accepted: float = 0.0
    """Seconds on the loop's clock when this node accepted it; 0 for what was claimed from the table."""
    waits_for: str = ""
    """The record says already that it is held, for this reason."""
    document: Document | None = None
    """What its reader gets, once it is composed."""
    tried: bool = False
    """Its try is over, and its result is on the way to the record."""

    @property
    def system(self) -> bool:
        """A notice of our own never causes another."""
        return self.story.event_type.feature == "tidings"


def reader_of(member: Member, because: Iterable[Because]) -> Reader:
    return Reader(
        login=member.login,
        name=member.name,
        language=member.language,
        timezone=member.timezone,
        because=[(each.role, each.of or None) for each in because],
        uid=member.external_id,
    )


def _shown(ref: PersonRef | None, named: Named | None) -> str:
    """What a message may say of them: never an address, not even of somebody nobody knows."""
    if ref is None or named is None:
        return ""
    if named.member:
        return named.member.name or named.member.login
    known_as = ref.external_id if isinstance(ref, PersonKey) else ref
    return SOMEBODY if not known_as or "@" in known_as or _NUMBER.fullmatch(known_as) else known_as


def _uid(ref: PersonRef | None, named: Named | None) -> str:
    """Of somebody nobody knows only what is no address: an external id, or a login."""
    if named and named.member:
        return named.member.external_id or named.member.login
    shown = _shown(ref, named)
    return "" if shown == SOMEBODY else shown
