"""Sends events to Tidings: at once (`Client`), or by way of a file that survives crashes (`Buffered`)."""

from tidings_client.answers import Accepted, Batch, Parked, Pushed, Refused, Rejected, Unavailable
from tidings_client.buffered import Buffered
from tidings_client.call import address_and_token
from tidings_client.client import Client
from tidings_client.event import Event, People, PersonRef, Resource, Subject
from tidings_client.keep import Aside

__all__ = [
    "Accepted",
    "Aside",
    "Batch",
    "Buffered",
    "Client",
    "Event",
    "Parked",
    "People",
    "PersonRef",
    "Pushed",
    "Refused",
    "Rejected",
    "Resource",
    "Subject",
    "Unavailable",
    "address_and_token",
]
