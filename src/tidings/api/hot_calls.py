"""The calls that the node serves itself, described for the OpenAPI document from the very types that check them."""

from typing import Any

import msgspec

from tidings.events.event import MAX_BATCH_EVENTS, Event

JSON = dict[str, Any]


def _call(summary: str, content: JSON, done: str, answer: str) -> JSON:
    answers = {
        done: answer,
        "401": "No living token.",
        "403": "The token may not.",
        "409": "The id is known with other content.",
        "413": "Too large.",
        "422": "See code and detail.",
        "503": "Send again after Retry-After.",
    }
    return {
        "tags": ["events"],
        "summary": summary,
        "requestBody": {"required": True, "content": content},
        "responses": {code: {"description": text} for code, text in answers.items()},
        "security": [{"TokenAuth": []}],
    }


(_EVENT,), SCHEMAS = msgspec.json.schema_components([Event], ref_template="#/components/schemas/{name}")
_ANY: JSON = {"type": "object"}
_ONE: JSON = {"application/json": {"schema": _EVENT}, "application/cloudevents+json": {"schema": _ANY}}
_MANY: JSON = {
    "application/json": {"schema": {"type": "array", "items": _EVENT, "maxItems": MAX_BATCH_EVENTS}},
    "application/x-ndjson": {"schema": {"type": "string"}},
    "application/cloudevents-batch+json": {"schema": {"type": "array", "items": _ANY}},
}
_FORESEEN = "The decision record, as `GET /events/{event_id}` answers it; nothing is kept. A send's state is `planned`."
PATHS: JSON = {
    "/api/v1/events": {"post": _call("Keep an event", _ONE, "202", "Durable: its id, and whether it was known.")},
    "/api/v1/events/batch": {
        "post": _call("Keep many events", _MANY, "202", "How many are kept and known; which are rejected, and why.")
    },
    "/api/v1/preview": {"post": _call("Who would be told, how, and why not", _ONE, "200", _FORESEEN)},
}
