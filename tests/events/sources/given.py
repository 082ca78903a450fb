"""What comes of a payload, in every test of an adapter."""

import msgspec

from tidings.events.event import Event, read_event
from tidings.events.sources.contract import Parked, Reading
from tidings.kernel.clock import now


def event_of(reading: Reading) -> Event:
    """The one that there is, which gets in like any other."""
    assert not isinstance(reading, Parked), reading
    [event] = reading
    read_event(msgspec.json.encode(event), now=now(), source="of-the-test")
    return event


def parked_of(reading: Reading) -> Parked:
    assert isinstance(reading, Parked), reading
    return reading
