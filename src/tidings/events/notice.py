"""Notices: events of our own, by which people hear what Tidings itself has to tell."""

from uuid import UUID

from tidings.catalog.features import SYSTEM_FEATURE
from tidings.channels.registry import CHANNELS
from tidings.events.event import Event, People, Subject
from tidings.kernel.database import Connection

# Index: the primary key.
_TYPE = "SELECT type FROM events_event WHERE id = %s"


def notice(
    status: str, key: str, *, title: str, channel: str = "", reason: str = "", people: People | None = None
) -> Event:
    """A message says the reason, and what the channel is called, in its reader's language."""
    subject = Subject(kind="notice", id=key, title=title)
    details = {"reason": reason} if reason else {}
    if channel in CHANNELS:
        details |= {f"channel_{language}": name for language, name in CHANNELS[channel].label.items()}
    of_type, source = f"{SYSTEM_FEATURE}.{status}", SYSTEM_FEATURE
    return Event(f"{status}-{key}", of_type, subject, source, people=people or People(), details=details)


def label(channel: str) -> str:
    return CHANNELS[channel].label["en"] if channel in CHANNELS else channel


async def is_notice(connection: Connection, event_id: UUID) -> bool:
    """Whether an event is one of our own, which never causes another."""
    row = await (await connection.execute(_TYPE, (event_id,))).fetchone()
    return row is not None and str(row[0]).startswith(f"{SYSTEM_FEATURE}.")
