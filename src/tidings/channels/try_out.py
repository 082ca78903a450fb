"""Send a test message now, through the real channel, and say what came of it."""

from collections.abc import Sequence

from tidings.channels.at_once import Room, at_once
from tidings.channels.contract import Budget, Channel, Outcome, Parcel, Values
from tidings.kernel.clock import now
from tidings.kernel.ids import uuid7
from tidings.messages.document import Reader
from tidings.messages.notice import notice
from tidings.messages.wording import wording


def try_out(
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
    with at_once(room) as send_now:
        parcel = _parcel(reader, contact, settings)
        return send_now(channel, [*channel.budgets([parcel]), *also], lambda wire: channel.send(parcel, wire))


def _parcel(reader: Reader, contact: Values, settings: Values) -> Parcel:
    identity, moment, words = uuid7(), now(), wording(reader.language)
    return Parcel(
        identity=identity,
        document=notice(
            "test", identity, reader, moment, headline=words.label("test_headline"), todo=words.label("test_body")
        ),
        contact=contact,
        settings=settings,
        now=moment,
    )
