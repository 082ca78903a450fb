"""Keys: UUIDv7 (RFC 9562), and the keys of what belongs to an event, derived from the event's own.

An event's id ends in 20 zero bits. Its recipients and deliveries carry the same id with an ordinal in those bits, so
one primary key serves both "this row" and "all rows of this event" (`BETWEEN event AND last_of(event)`), and no second
index is needed where most rows are written.
"""

import os
import random
import time
from datetime import UTC, datetime
from uuid import UUID

ORDINAL_BITS = 20
MAX_ORDINAL = (1 << ORDINAL_BITS) - 1
_VERSION_7 = 0x7 << 76
_VARIANT = 0x2 << 62
_last_ms = 0
_sequence = 0
# Keys are unique, not secret: a generator seeded once costs a tenth of asking the system for each.
_random = random.Random(os.urandom(32))  # noqa: S311
os.register_at_fork(after_in_child=lambda: _random.seed(os.urandom(32)))


def uuid7() -> UUID:
    """A time-ordered key; keys made by one process in one millisecond are ordered too (12-bit sequence, then borrowed
    time)."""
    return UUID(int=_next())


def _next() -> int:
    global _last_ms, _sequence
    ms = time.time_ns() // 1_000_000
    if ms <= _last_ms:
        _sequence += 1
        if _sequence > 0xFFF:
            _last_ms, _sequence = _last_ms + 1, 0
        ms = _last_ms
    else:
        _last_ms, _sequence = ms, 0
    return (ms << 80) | _VERSION_7 | (_sequence << 64) | _VARIANT | _random.getrandbits(62)


def event_id() -> UUID:
    """A fresh event's id: its last 20 bits are zero."""
    return UUID(int=_next() & ~MAX_ORDINAL)


def child_of(event: UUID, ordinal: int) -> UUID:
    """The id of an event's recipient or delivery number `ordinal` (1 to 1,048,575)."""
    if not 0 < ordinal <= MAX_ORDINAL:
        raise ValueError(f"an event has at most {MAX_ORDINAL} recipients or deliveries")
    return UUID(int=event.int | ordinal)


def child_hex(event: str, ordinal: int) -> str:
    """The same, from and to 32 hexadecimal digits, for the many at once that become a column."""
    return f"{event[:-5]}{ordinal:05x}"


def event_of(child: UUID) -> UUID:
    return UUID(int=child.int & ~MAX_ORDINAL)


def last_of(event: UUID) -> UUID:
    """The greatest id a child of this event can have."""
    return UUID(int=event.int | MAX_ORDINAL)


def made_at(key: UUID) -> datetime:
    """When a UUIDv7 was made, to the millisecond."""
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)


def first_at(moment: datetime) -> UUID:
    """The smallest key that can have been made at or after this moment: for ranges over time."""
    return UUID(int=(int(moment.timestamp() * 1000) << 80) | _VERSION_7 | _VARIANT)
