"""The calls that the node serves itself, described for the OpenAPI document from the very types that check them."""

from typing import Any

import msgspec

from tidings.events.event import MAX_BATCH_EVENTS, Event
from tidings.events.sources.registry import ADAPTERS

JSON = dict[str, Any]


def _call(summary: str, content: JSON, done: str, answer: str, schema: JSON, tag: str = "events") -> JSON:
    return {
        "tags": [tag],
        "summary": summary,
        "requestBody": {"required": True, "content": content},
        "responses": {done: {"description": answer, "content": {"application/json": {"schema": schema}}}},
        "security": [{"TokenAuth": []}],
    }


def _object(required: JSON, **optional: JSON) -> JSON:
    return {"type": "object", "required": [*required], "properties": {**required, **optional}}


(_EVENT,), SCHEMAS = msgspec.json.schema_components([Event], ref_template="#/components/schemas/{name}")
_ANY: JSON = {"type": "object"}
_COUNT: JSON = {"type": "integer", "minimum": 0}
_TEXT: JSON = {"type": "string"}
_ID: JSON = {"type": "string", "format": "uuid"}
_KEPT = _object({"id": _ID, "duplicate": {"type": "boolean"}})
_REJECTED: JSON = {"type": "array", "items": _object({"index": _COUNT, "code": _TEXT, "detail": _TEXT})}
_SUMS = _object({"accepted": _COUNT, "duplicates": _COUNT, "rejected": _REJECTED})
_RECORD = _object(
    {"event": _ANY, "recipients": {"type": "array", "items": _ANY}, "skips": {"type": "array", "items": _ANY}}
)
_PARKED = _object({"id": _ID, "reason": _TEXT, "detail": _TEXT, "words": _ANY, "see": _TEXT})
_TAKEN = _object(
    {
        "events": {"type": "array", "items": _KEPT},
        "ignored": {"type": "boolean"},
        "parked": {"anyOf": [_PARKED, {"type": "null"}]},
    }
)
_REPLAYED = _object(
    {"replayed": _COUNT, "ignored": _COUNT, "still_parked": _COUNT, "next": {"anyOf": [_ID, {"type": "null"}]}}
)
_REPLAY: JSON = {
    "type": "object",
    "properties": {
        "ids": {"type": "array", "items": {"type": "string", "format": "uuid"}},
        "after": {"type": "string", "format": "uuid"},
    },
}
_ONE: JSON = {"application/json": {"schema": _EVENT}, "application/cloudevents+json": {"schema": _ANY}}
_MANY: JSON = {
    "application/json": {"schema": {"type": "array", "items": _EVENT, "maxItems": MAX_BATCH_EVENTS}},
    "application/x-ndjson": {"schema": {"type": "string"}},
    "application/cloudevents-batch+json": {"schema": {"type": "array", "items": _ANY}},
}
LIVE_KEY: JSON = {
    "LiveKey": {"type": "apiKey", "in": "query", "name": "key", "description": "in the address that GET /me/live names"}
}
_LIVE: JSON = {
    "tags": ["me"],
    "summary": "Hear when there is something new",
    "description": (
        "Server-Sent Events, for as long as it is open: `event: inbox` when its reader has a new inbox item; for those "
        "who see all, `event: activity` when their tenant has a new event or something became of a delivery. Each once "
        "a second at most, and without content: ask the call that has it. What came while nobody listened is told on "
        "the next connection."
    ),
    "responses": {
        "200": {"description": "The stream.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        "401": {"description": "The key has ended after 12 hours, or was not made here."},
        "429": {"description": "10 streams of this person, or 1,000 of this node, are open."},
        "503": {"description": "The node is stopping: connect again."},
    },
    "security": [{"LiveKey": []}],
}
_FORESEEN = "The decision record, as `GET /events/{event_id}` answers it; nothing is kept. A send's state is `planned`."
_READ = "`true`: each recipient has a `message` too, what that person would read."
PATHS: JSON = {
    "/api/v1/events": {
        "post": _call("Keep an event", _ONE, "202", "Durable: its id, and whether it was known.", _KEPT)
    },
    "/api/v1/events/batch": {
        "post": _call(
            "Keep many events", _MANY, "202", "How many are kept and known; which are rejected, and why.", _SUMS
        )
    },
    "/api/v1/preview": {
        "post": _call("Who would be told, how, and why not", _ONE, "200", _FORESEEN, _RECORD)
        | {"parameters": [{"name": "messages", "in": "query", "schema": {"type": "boolean"}, "description": _READ}]}
    },
    "/live": {"get": _LIVE},
    **{
        f"/api/v1/sources/{code}": {
            "post": _call(
                f"A payload of {adapter.label}, as it sends it",
                {"application/json": {"schema": _ANY}},
                str(adapter.status),
                "Its events, durable; or parked, with the reason. The token may stand in the URL: ?token=",
                _TAKEN,
                "sources",
            )
        }
        for code, adapter in ADAPTERS.items()
    },
    "/api/v1/sources/{name}/parked/replay": {
        "post": _call(
            "Read parked payloads again",
            {"application/json": {"schema": _REPLAY}},
            "200",
            "How many became events, how many nobody wants to know, how many stay parked; `next` leads on.",
            _REPLAYED,
            "sources",
        )
        | {"parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]}
    },
}
