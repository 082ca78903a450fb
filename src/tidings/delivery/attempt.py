"""One try: compose the document, open the contact point, hand both to the channel."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tidings.channels.conclude import conclude
from tidings.channels.contract import Channel, Outcome, Parcel, TryLater, Values, Wire
from tidings.channels.registry import CHANNELS
from tidings.delivery.job import Job, reader_of
from tidings.delivery.policy import Held
from tidings.delivery.together import Calls
from tidings.kernel.secrets import unseal
from tidings.messages.compose import compose
from tidings.messages.document import Document
from tidings.preferences.link import unsubscribe_url

_UNSUBSCRIBE = frozenset(code for code, channel in CHANNELS.items() if channel.unsubscribes)


@dataclass(slots=True)
class Opened:
    """Contact points opened lately: opening one costs more than sending to it."""

    size: int = 10_000
    _values: OrderedDict[bytes, Mapping[str, str]] = field(default_factory=OrderedDict)

    def open(self, sealed: bytes) -> Values:
        values = self._values.get(sealed)
        if values is None:
            values = self._values[sealed] = unseal(sealed)
            if len(self._values) > self.size:
                self._values.popitem(last=False)
        return values


async def attempt(job: Job, wire: Wire, opened: Opened, *, now: datetime, base_url: str) -> Outcome:
    """Never raises, but for a cancellation."""
    channel = CHANNELS.get(job.channel)
    if channel is None:
        # A newer node knows it: while an installation is upgraded, both are at work.
        return TryLater("unknown_channel", technical=True)
    return await conclude(_try(channel, job, wire, opened, now, base_url), {"channel": job.channel})


async def attempt_limited(
    job: Job, calls: Calls, wire: Wire, opened: Opened, *, now: datetime, base_url: str
) -> Outcome | Held:
    """The same for a channel whose messages share calls, or whose vendor limits them."""
    parcel = await conclude(_parcel(job, opened, now, base_url), {"channel": job.channel})
    if not isinstance(parcel, Parcel):
        return parcel
    return await calls.send(CHANNELS[job.channel], parcel, wire, str(job.tenant_id))


async def _parcel(job: Job, opened: Opened, now: datetime, base_url: str) -> Parcel:
    return parcel_of(job, opened, now, base_url, f"{base_url}/api/v1/receipts/{job.channel}/{job.tenant_id}")


async def _try(channel: Channel, job: Job, wire: Wire, opened: Opened, now: datetime, base_url: str) -> Outcome:
    return await channel.send(parcel_of(job, opened, now, base_url), wire)


def document_of(job: Job, now: datetime) -> Document:
    return compose(job.story.occasion, reader_of(job.member, job.because), newer=job.newer, now=now)


def parcel_of(job: Job, opened: Opened, now: datetime, base_url: str, receipts_url: str = "") -> Parcel:
    """Raises `SecretUnreadable`."""
    contact, leave = opened.open(job.point.sealed), ""
    if job.channel in _UNSUBSCRIBE:
        leave = unsubscribe_url(base_url, job.tenant_id, job.member.id, job.channel, contact)
    return Parcel(
        identity=job.id,
        document=job.document or document_of(job, now),
        contact=contact,
        settings=opened.open(job.settings),
        now=now,
        unsubscribe_url=leave,
        receipts_url=receipts_url,
        # A group robot mentions people by it.
        extra={"mobile": job.member.mobile} if job.member.mobile else {},
    )
