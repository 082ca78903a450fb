"""Send a test message now, through the real channel, and say what came of it."""

from collections.abc import Sequence
from uuid import UUID

from tidings.channels.at_once import Room, at_once
from tidings.channels.contract import Budget, Channel, Outcome, Parcel, Values
from tidings.kernel.clock import now
from tidings.kernel.ids import uuid7
from tidings.messages.document import Document, Reader
from tidings.messages.notice import notice
from tidings.messages.wording import wording


def try_out(
    tenant_id: UUID,
    channel: Channel,
    reader: Reader,
    contact: Values,
    settings: Values,
    room: Room,
    *,
    also: Sequence[Budget] = (),
) -> Outcome:
    """Blocks for 15 s at most, so no transaction may be open. `also`: what it uses besides its vendor's budgets. Raises
    429 while another message is sent so."""
    words = wording(reader.language)
    document = notice(
        "test", uuid7(), reader, now(), headline=words.label("test_headline"), todo=words.label("test_body")
    )
    with at_once(tenant_id, room) as send_now:
        parcel = parcel_of(document, contact, settings)
        return send_now(channel, [*channel.budgets([parcel]), *also], lambda wire: channel.send(parcel, wire))


def parcel_of(document: Document, contact: Values, settings: Values) -> Parcel:
    """A message that is about no event, ready to go now."""
    return Parcel(UUID(document.occasion.event_id), document, contact, settings, now())
