"""One try: compose the document, open the contact point, hand both to the channel. Whatever happens becomes an outcome
here, once: a timeout, a broken connection, an error in a channel's code."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tidings.channels.contract import Outcome, Parcel, Refused, TryLater, Values, Wire
from tidings.channels.registry import CHANNELS
from tidings.delivery.job import Job
from tidings.kernel.http import AddressRefused, HttpError
from tidings.kernel.secrets import SecretUnreadable, unseal
from tidings.messages.compose import compose
from tidings.messages.document import Reader

log = logging.getLogger("tidings.delivery")
WHOLE_CALL = 15.0
"""Seconds for everything a try does."""


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
    try:
        parcel = Parcel(
            identity=job.id,
            document=compose(job.story.occasion, _reader(job), newer=job.newer),
            contact=opened.open(job.point.sealed),
            settings=opened.open(job.settings),
            now=now,
            settings_url=f"{base_url}/me/notification-settings",
        )
        async with asyncio.timeout(WHOLE_CALL):
            return await channel.send(parcel, wire)
    except TimeoutError:
        return TryLater("timeout")
    except AddressRefused as error:
        # Not of the address: for mail it is the tenant's server, not the person's mailbox, that may not be called.
        return Refused("address_not_allowed", of="message", said=str(error))
    except HttpError as error:
        return TryLater(error.reason, said=str(error))
    except SecretUnreadable as error:
        return TryLater("secret_unreadable", said=str(error), technical=True)
    except Exception as error:
        # The type alone: the text of an unforeseen error may hold what the channel was given.
        log.exception("attempt failed unexpectedly", extra={"delivery": str(job.id), "channel": job.channel})
        return TryLater("internal_error", said=type(error).__name__, technical=True)


def _reader(job: Job) -> Reader:
    member = job.member
    return Reader(
        login=member.login,
        name=member.name,
        language=member.language,
        timezone=member.timezone,
        because=[(because.role, because.of or None) for because in job.because],
        uid=member.external_id,
    )
