"""Events as `POST /api/v1/events` takes them, from senders that would not hear that one was refused: what comes out of
a message bus, for one. What would be 422 there is parked here, with the same words.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from tidings.events.event import Event, Incoming
from tidings.events.receive import CLOUDEVENT, CLOUDEVENTS, NDJSON, receive_many, receive_one, type_of
from tidings.events.sources.contract import Adapter, Known, Parked, Push, Reading, Reason
from tidings.events.sources.mapping import mapping_beside
from tidings.events.sources.steps import told_beside
from tidings.events.sources.understand import line
from tidings.kernel.media_type import JSON, media_type
from tidings.kernel.problems import Problem

TYPE = "content-type"
ATTRIBUTES = ("specversion", "id", "source", "type", "time", "subject")
"""Of a CloudEvent, which stand beside the body in its binary form."""
_WHENEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Whether a time lies too far ahead is for whoever has a clock: what waited in a bus or was parked is judged when it is
kept."""
_NO_JSON = ("malformed_json", "too_deep", "unsupported_media_type")


class TidingsAdapter(Adapter):
    code = "tidings"
    label = "Tidings events, CloudEvents"
    mapping = mapping_beside(__file__)
    group = "anything"
    labels, about, steps, sample = told_beside(__file__)
    kept_headers = (TYPE, *(f"ce-{name}" for name in ATTRIBUTES))

    def read(self, push: Push, known: Known) -> Reading:
        try:
            return _meant(_received(push), known)
        except Problem as problem:
            reason: Reason = "not_understood" if problem.code in _NO_JSON else "invalid_event"
            return Parked(reason, line(problem.detail))
        except UnicodeError:
            return Parked("not_understood", "Its headers hold what is part of no character.")


def _received(push: Push) -> Sequence[Incoming]:
    """Raises `Problem`: of several in one body, the first that there is."""
    headers, body = _said(push), push.body
    kind = media_type(headers.get(TYPE, JSON))
    if kind not in (CLOUDEVENTS, *NDJSON) and body.lstrip()[:1] != b"[":
        return (receive_one(headers, body, now=_WHENEVER, source=""),)
    received: list[Incoming] = []
    for each in receive_many(headers, body, now=_WHENEVER, source=""):
        if isinstance(each, Problem):
            raise each
        received.append(each)
    return received


def _said(push: Push) -> Mapping[str, str]:
    """Brokers hand over what a library happens to write there: a content type that says nothing to us is no reason to
    look at a body in another way than at one that has none."""
    headers = push.headers
    kind = headers.get(TYPE, "").partition(";")[0].strip().lower()
    if kind in (CLOUDEVENT, CLOUDEVENTS, *NDJSON):
        return headers
    if "ce-specversion" in headers:
        return {**headers, TYPE: JSON}
    return {**headers, TYPE: type_of(push.body)}


def _meant(received: Sequence[Incoming], known: Known) -> Sequence[Event]:
    """A type that has a row means what the row says; any other means itself."""
    events: list[Event] = []
    for incoming in received:
        event = incoming.event
        row = known.words.meaning([event.type])
        if row is None:
            events.append(event)
        elif row.type is not None:
            events.append(msgspec.structs.replace(event, type=row.type))
    return events
