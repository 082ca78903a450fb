"""The custom webhook of Alibaba Cloud DMS: one message event a push, said in words, for people known by their UIDs.

https://www.alibabacloud.com/help/en/dms/send-notifications-by-using-a-custom-webhook-url
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files

import msgspec

from tidings.channels.webhook.dms import CATEGORIES, HEADERS
from tidings.channels.words import cut, one_line
from tidings.events.event import Event, People, PersonKey, PersonRef, Subject
from tidings.events.sources.contract import Adapter, Parked, Push, Reading, with_made_up_id
from tidings.events.sources.dms.signature import signed_by
from tidings.events.sources.mapping import WordMap, compared, read_table
from tidings.events.sources.steps import read_steps

HOOK = "dms-event"
TITLE_LENGTH = 500
SHOWN = 200
# "The Test button": the sample of the page is such a message. It has no ticket, and says so in its name.
TEST = "webhook test"
# Times without a zone are those of the console, which the pages on task flows say is UTC+8.
CONSOLE_ZONE = timezone(timedelta(hours=8))
_FLOWS = frozenset(compared(word) for words in CATEGORIES.values() for word in words.values())
_FLOW_FEATURES = tuple(f"{feature}." for feature in CATEGORIES)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Between seconds and milliseconds lie a thousand years: this many seconds are the year 5138, as milliseconds 1973.
_SECONDS_BELOW = 100_000_000_000
Text = str | int | None
"""The page says "String" of all; its sample has the time as a number."""


class User(msgspec.Struct):
    uid: Text = None
    name: Text = None
    mobile: Text = None


class MessageEvent(msgspec.Struct):
    submitterUid: Text = None  # noqa: N815 - DMS's names
    submitterName: Text = None  # noqa: N815
    category: Text = None
    module: Text = None
    event: Text = None
    taskId: Text = None  # noqa: N815
    taskName: Text = None  # noqa: N815
    eventTime: str | int | float | None = None  # noqa: N815
    message: Text = None
    targetUsers: list[User] | None = None  # noqa: N815


class Body(msgspec.Struct):
    messageEvent: MessageEvent  # noqa: N815


_decoder = msgspec.json.Decoder(Body)


class DmsAdapter(Adapter):
    code = "dms"
    label = "Alibaba Cloud DMS"
    mapping = read_table(files("tidings.events.sources.dms").joinpath("mapping.toml").read_text("utf-8"))
    steps = read_steps(files("tidings.events.sources.dms").joinpath("steps.toml").read_text("utf-8"))
    kept_headers = (HOOK,)

    def read(self, push: Push, mapping: WordMap) -> Reading:
        if push.headers.get(HOOK, HEADERS[HOOK]) != HEADERS[HOOK]:
            return Parked(
                "not_understood", f"The header DMS-Event says {_line(push.headers[HOOK])!r}, which is new to us."
            )
        try:
            event = _decoder.decode(push.body).messageEvent
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return Parked("not_understood", f"This is not what DMS documents: {_line(str(error))}.")
        words = {part: _line(_text(getattr(event, part))) for part in mapping.parts}
        task = _text(event.taskId)
        if not task and TEST in f"{event.taskName} {event.message}".casefold():
            return Parked(
                "test_message", f"DMS was asked to test its webhook, and said: {_line(_text(event.message))}", words
            )
        if missing := [name for name in ("event", "taskId") if not _text(getattr(event, name))]:
            return Parked("incomplete", f"{' and '.join(missing)} missing: nobody can say what changed.", words)
        row = mapping.meaning(list(words.values()))
        if row is None:
            return Parked("unmapped", _unmapped(words, mapping), words)
        return () if row.type is None else (_event(event, row.type, task, push.received),)

    def signed(self, push: Push, secret: str) -> bool:
        return signed_by(secret, push.body, push.urls)


def _event(said: MessageEvent, event_type: str, task: str, received: datetime) -> Event:
    """What DMS says beside it is left out where it can differ between two pushes of one change: the text it wrote for
    people, in the language of each, and who of them have a method."""
    flow = compared(_text(said.category)) in _FLOWS or event_type.startswith(_FLOW_FEATURES)
    submitter = _person(said.submitterUid, said.submitterName)
    told = _people(said.targetUsers or ())
    # While approval is pending DMS's recipients are its approvers; later they are who it thinks is concerned.
    people = (
        People(submitter, approvers=told)
        if event_type.endswith(".pending_approval")
        else People(submitter, related=[one for one in told if one != submitter])
    )
    return with_made_up_id(
        Event(
            id="",
            type=event_type,
            subject=Subject("task_flow" if flow else "ticket", task, cut(_text(said.taskName), TITLE_LENGTH)),
            time=_moment(said.eventTime) or received,
            people=people,
        )
    )


def _people(users: Sequence[User]) -> list[PersonRef]:
    """Each once, in an order of their own: DMS promises none."""
    found = {one for user in users if (one := _person(user.uid, user.name, user.mobile))}
    return sorted(found, key=repr)


def _person(uid: Text, name: Text = None, mobile: Text = None) -> PersonRef | None:
    if text := _text(uid):
        return PersonKey(external_id=text)
    if text := _text(mobile):
        return PersonKey(mobile=text)
    return _text(name) or None


def _moment(said: str | int | float | None) -> datetime | None:
    """Milliseconds as in the sample, as a number or a text; seconds and written times are understood too."""
    try:
        text = _text(int(said) if isinstance(said, float) else said)
        if text.isascii() and text.isdigit():
            count = int(text)
            return _EPOCH + (timedelta(seconds=count) if count < _SECONDS_BELOW else timedelta(milliseconds=count))
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=CONSOLE_ZONE)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _unmapped(words: dict[str, str], mapping: WordMap) -> str:
    said = ", ".join(f"{part} {word!r}" for part, word in words.items())
    near = mapping.nearest(words[mapping.parts[-1]])
    return f"No row of the mapping has {said}." + (
        f" The nearest {mapping.parts[-1]} known is {near!r}." if near else ""
    )


def _text(said: Text) -> str:
    return "" if said is None else str(said).strip()


def _line(text: str) -> str:
    return cut(one_line(text), SHOWN)
