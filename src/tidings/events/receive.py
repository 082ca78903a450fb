"""The shapes an event may arrive in: native JSON, NDJSON, and CloudEvents 1.0 (structured, binary, batch).

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import msgspec

from tidings.events.event import MAX_BATCH_EVENTS, Incoming, read_event
from tidings.events.split import split_array
from tidings.events.unreadable import unreadable
from tidings.kernel.media_type import JSON, media_type, unsupported
from tidings.kernel.problems import Problem

CLOUDEVENT, CLOUDEVENTS = "application/cloudevents+json", "application/cloudevents-batch+json"
NDJSON = ("application/x-ndjson", "application/jsonl", "application/ndjson")
Received = Sequence[Incoming | Problem]
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])
_object = msgspec.json.Decoder(dict[str, Any])


def receive_one(headers: Mapping[str, str], body: bytes, *, now: datetime, source: str) -> Incoming:
    """`POST /events`. `headers` have lower-case names. Raises `Problem`."""
    kind = media_type(headers.get("content-type", JSON))
    if kind == CLOUDEVENTS:
        raise Problem(415, "batch_elsewhere", "Send CloudEvents batches to /api/v1/events/batch.")
    if kind == CLOUDEVENT:
        return _from_cloudevent(_decode_object(body), now=now, source=source)
    if "ce-specversion" in headers and (kind == JSON or kind.endswith("+json")):
        return _from_cloudevent(_binary_cloudevent(headers, body), now=now, source=source)
    if kind != JSON:
        raise unsupported(f"Send {JSON} or {CLOUDEVENT}.")
    return read_event(body, now=now, source=source)


def receive_many(headers: Mapping[str, str], body: bytes, *, now: datetime, source: str) -> Received:
    """`POST /events/batch`: each item's event or problem, in order. Raises `Problem` for the body as a whole."""
    kind = media_type(headers.get("content-type", JSON))
    if kind in NDJSON:
        items: Sequence[bytes | msgspec.Raw] = [line for line in body.split(b"\n") if line.strip()]
    elif kind in (JSON, CLOUDEVENTS):
        items = _items(body)
    else:
        raise unsupported(f"Send {JSON}, {NDJSON[0]} or {CLOUDEVENTS}.")
    if len(items) > MAX_BATCH_EVENTS:
        raise Problem(
            413, "batch_too_large", f"A batch may have {MAX_BATCH_EVENTS:,} events; this one has {len(items):,}."
        )

    def read(item: bytes | msgspec.Raw) -> Incoming | Problem:
        try:
            if kind == CLOUDEVENTS:
                return _from_cloudevent(_decode_object(item), now=now, source=source)
            return read_event(item, now=now, source=source)
        except Problem as problem:
            return problem

    return [read(item) for item in items]


def type_of(body: bytes) -> str:
    """What its sender would call it: a CloudEvent must have a `specversion`, an event of our own form knows none."""
    try:
        is_cloudevent = "specversion" in msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        is_cloudevent = False
    return CLOUDEVENT if is_cloudevent else JSON


def _items(body: bytes) -> Sequence[bytes | msgspec.Raw]:
    try:
        return _raw_list.decode(body)
    except msgspec.ValidationError as error:
        raise Problem(422, "malformed_json", f"The body is not a JSON array: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        items = split_array(body)
        if items is None:
            raise unreadable(body, error) from None
        return items


def _decode_object(body: bytes | msgspec.Raw) -> dict[str, Any]:
    try:
        return _object.decode(body)
    except msgspec.ValidationError as error:
        raise Problem(422, "malformed_json", f"This is not a JSON object: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(bytes(body), error) from None


def _binary_cloudevent(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Attributes are headers, percent-encoded where they are not plain ASCII."""
    attributes: dict[str, Any] = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    if body:
        attributes["data"] = _decode_object(body)
    return attributes


def _from_cloudevent(envelope: Mapping[str, Any], *, now: datetime, source: str) -> Incoming:
    """`data` holds what is not in the envelope: subject, people, resources, details. A textual `subject` attribute is
    the subject's id when `data` names none; extension attributes are not ours and are passed over, but for
    the trace it belongs to."""
    if str(envelope.get("specversion")) != "1.0":
        raise Problem(422, "invalid_cloudevent", "Only CloudEvents with specversion 1.0 are understood.")
    data = envelope.get("data")
    if not isinstance(data, dict):
        raise Problem(
            422, "invalid_cloudevent", "`data` must be a JSON object with subject, people, resources, details."
        )
    event = dict(data)
    for name in ("id", "source", "type", "time"):
        if name in envelope:
            event[name] = envelope[name]
    if "subject" not in event and isinstance(envelope.get("subject"), str):
        event["subject"] = {"kind": "ticket", "id": envelope["subject"]}
    incoming = read_event(msgspec.json.encode(event), now=now, source=source)
    # https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/distributed-tracing.md
    trace = envelope.get("traceparent")
    return msgspec.structs.replace(incoming, traceparent=trace) if isinstance(trace, str) else incoming
