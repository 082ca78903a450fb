"""Send a test message now, through the real channel, and say what came of it."""

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from tidings.channels.conclude import conclude
from tidings.channels.contract import Channel, Outcome, Parcel, Values
from tidings.channels.memory import LocalMemory
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.clock import now
from tidings.kernel.http import Wire
from tidings.kernel.ids import uuid7
from tidings.kernel.problems import Problem
from tidings.kernel.settings import settings as installation
from tidings.messages.compose import clock_time
from tidings.messages.document import Document, Fact, Occasion, Reader
from tidings.messages.wording import LANGUAGES, wording

# A test may keep its thread for all of that, and a node has two for all pages and calls: never more than one of them.
_one_at_a_time = threading.Lock()


def try_out(channel: Channel, reader: Reader, contact: Values, settings: Values) -> Outcome:
    """Blocks for 15 s at most, so no transaction may be open. Raises 429 while another test is under way."""
    if not _one_at_a_time.acquire(blocking=False):
        raise Problem(429, "busy", "Another test is being sent; try again in a moment.", headers={"Retry-After": "5"})
    try:
        # In a thread of its own: the caller's may have a loop already, and then could not run another.
        with ThreadPoolExecutor(1, thread_name_prefix="tidings-test") as thread:
            return thread.submit(asyncio.run, _send(channel, reader, contact, settings)).result()
    finally:
        _one_at_a_time.release()


async def _send(channel: Channel, reader: Reader, contact: Values, settings: Values) -> Outcome:
    wire = Wire(AddressPolicy(installation().allowed_networks))
    try:
        parcel = _parcel(reader, contact, settings)
        return await conclude(channel.send(parcel, LocalMemory(wire)), {"channel": channel.code})
    finally:
        await channel.close()
        await wire.aclose()


def _parcel(reader: Reader, contact: Values, settings: Values) -> Parcel:
    identity, moment = uuid7(), now()
    return Parcel(
        identity=identity,
        document=_document(str(identity), reader, moment),
        contact=contact,
        settings=settings,
        now=moment,
        settings_url=f"{installation().base_url}/me/notification-settings",
    )


def _document(event_id: str, reader: Reader, moment: datetime) -> Document:
    words = wording(reader.language)
    occasion = Occasion(
        event_id=event_id,
        event_type="tidings.test",
        tone="info",
        time=moment,
        subject_kind="notice",
        subject_id="test",
        title=words.label("test_headline"),
        feature_labels=_in_all_languages("Tidings"),
        event_labels={language: wording(language).label("test_headline") for language in LANGUAGES},
    )
    return Document(
        occasion=occasion,
        reader=reader,
        language=words.language,
        headline=words.label("test_headline"),
        facts=(Fact("when", words.label("when"), clock_time(moment, reader.timezone)),),
        todo=words.label("test_body"),
        why="",
    )


def _in_all_languages(text: str) -> Mapping[str, str]:
    return dict.fromkeys(LANGUAGES, text)
