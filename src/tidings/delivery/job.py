"""One delivery in a node's hands: all that its attempts need, held in memory from the claim to the record."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

from tidings.catalog.features import EventType
from tidings.directory.lookup import Involved, Named
from tidings.directory.people import Member, Point
from tidings.events.event import Event, PersonKey, PersonRef
from tidings.messages.document import Newer, Occasion
from tidings.planning.plan import Because


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
            submitter=_shown(involved.submitter),
            submitter_uid=_uid(event.people.submitter, involved.submitter),
            actor="" if event.actor is None else str(event.actor),
            approvers=tuple(_shown(named) for named in involved.approvers),
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
    accepted: float = 0.0
    """Seconds on the loop's clock when this node accepted it; 0 for what was claimed from the table."""
    tried: bool = False
    """Its try is over, and its result is on the way to the record."""

    @property
    def system(self) -> bool:
        """A notice of our own never causes another."""
        return self.story.event_type.feature == "tidings"


def _shown(named: Named | None) -> str:
    if named is None:
        return ""
    return (named.member.name or named.member.login) if named.member else named.named


def _uid(ref: PersonRef | None, named: Named | None) -> str:
    """Of somebody nobody knows only what is no address: an external id, or a login."""
    if named and named.member:
        return named.member.external_id or named.member.login
    if isinstance(ref, PersonKey):
        return ref.external_id
    return "" if ref is None or "@" in ref else ref
