"""A person's inbox: every event they were told of, whatever became of its messages, worded in their language. The items
are the recipient rows themselves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from tidings.accounts.models import Person
from tidings.catalog.extend import catalog_of
from tidings.catalog.features import EventType, Tone
from tidings.events.content import Titled, titles_of
from tidings.events.find import subjects_by_id
from tidings.events.models import Event, Recipient, Subject
from tidings.kernel.ids import event_of, last_of
from tidings.messages.compose import TITLE_AT_MOST, cut
from tidings.messages.wording import wording

COUNTED_AT_MOST = 1_000
# Index: recipient_inbox, one probe an item.
_READ = """
UPDATE events_recipient r SET read_at = now() FROM unnest(%s::uuid[], %s::uuid[]) AS k(first, last)
WHERE r.person_id = %s AND r.id BETWEEN k.first AND k.last AND r.tenant_id = %s AND r.read_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Item:
    recipient: Recipient
    event: Event
    subject: Subject
    feature: str
    labels: Mapping[str, str]
    tone: Tone
    headline: str
    todo: str
    why: str
    url: str


def inbox(person: Person, *, unread: bool = False) -> "QuerySet[Recipient]":
    """Index: recipient_inbox."""
    items = Recipient.objects.for_tenant(person.tenant_id).filter(person_id=person.id)
    return items.filter(read_at=None) if unread else items


def count_unread(person: Person) -> int:
    """1,000 stands for more: nobody reads further, and counting all would take its time."""
    return inbox(person, unread=True).order_by("-id")[:COUNTED_AT_MOST].count()


def mark_read(person: Person, event_ids: Iterable[UUID] | None) -> int:
    """How many became read; None: all of them."""
    if event_ids is None:
        return inbox(person, unread=True).update(read_at=Now())
    events = sorted({event_of(key) for key in event_ids})
    with connection.cursor() as cursor:
        cursor.execute(_READ, [events, [last_of(event) for event in events], person.id, person.tenant_id])
        return int(cursor.rowcount)


def worded(person: Person, recipients: Sequence[Recipient]) -> list[Item]:
    """Four queries, however many items. Once its content is gone, an event is called as its subject is called now."""
    ids = [event_of(each.id) for each in recipients]
    events = {each.id: each for each in Event.objects.for_tenant(person.tenant_id).filter(id__in=ids)}
    subjects = subjects_by_id(person.tenant_id, {each.subject_id for each in events.values()})
    titles = titles_of(ids)
    event_types = catalog_of(person.tenant_id).event_types
    items: list[Item] = []
    for recipient in recipients:
        event = events.get(event_of(recipient.id))
        if event is None:  # deleted since the page was read: records end after 90 days
            continue
        subject = subjects[event.subject_id]
        titled = titles.get(event.id) or Titled(subject.title or subject.key, subject.url)
        items.append(_item(person, recipient, event, subject, event_types.get(event.type), titled))
    return items


def _item(
    person: Person, recipient: Recipient, event: Event, subject: Subject, event_type: EventType | None, titled: Titled
) -> Item:
    """Not by `messages.compose`: it keeps what it made of an event, for the messages that go out, and here the event is
    not whole."""
    words = wording(person.language)
    labels: Mapping[str, str] = event_type.labels if event_type else {}
    feature_labels: Mapping[str, str] = event_type.feature_labels if event_type else {}
    return Item(
        recipient=recipient,
        event=event,
        subject=subject,
        feature=event.type.partition(".")[0],
        labels=labels,
        tone=event_type.tone if event_type else "info",
        headline=words.headline(
            event.type,
            cut(titled.title, TITLE_AT_MOST),
            feature_label=feature_labels.get(words.language, ""),
            event_label=labels.get(words.language, ""),
        ),
        todo=words.todo(event.type),
        why=words.because([(role, of or None) for role, of in recipient.because]),
        url=titled.url,
    )
