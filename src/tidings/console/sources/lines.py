"""The lines by which a source sends: ready to be copied, and each of them works as it is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as text

from tidings.kernel.settings import settings

TYPE = "data_change.successful"
"""Of an event of a kind that every organisation has, and that asks nobody to act."""
TOKEN = "$TIDINGS_TOKEN"  # noqa: S105 - where the token is to stand


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    label: str | Promise
    hint: str | Promise
    command: str


def first_event(login: str, source: str, moment: datetime, title: str) -> dict[str, Any]:
    """One that tells whoever asked for it and nobody else, with a new id each time the page is loaded."""
    key = f"try-{moment:%Y%m%d-%H%M%S}"
    return {
        "id": key,
        "source": source,
        "type": TYPE,
        "subject": {"kind": "ticket", "id": key, "title": title},
        "people": {"submitter": login},
    }


def lines(event: Mapping[str, Any], token: str) -> list[Line]:
    """`token` empty: it is taken from the environment."""
    one, two = dict(event), {**event, "id": f"{event['id']}-2"}
    envelope = {"specversion": "1.0", **{name: one[name] for name in ("id", "source", "type")}}
    envelope |= {"id": f"{one['id']}-ce", "data": {name: one[name] for name in ("subject", "people")}}
    return [
        Line("json", "JSON", text("One event."), _curl("events", "application/json", one, token)),
        Line(
            "cloudevents",
            "CloudEvents",
            text("The same as a CloudEvent; its headers may carry the envelope too."),
            _curl("events", "application/cloudevents+json", envelope, token),
        ),
        Line(
            "batch",
            text("Many at once"),
            text("Up to 1,000 events; good ones are kept, bad ones are named."),
            _curl("events/batch", "application/json", [one, two], token),
        ),
        Line(
            "preview",
            text("Only ask"),
            text("Answers who would be told and why; nothing is kept or sent."),
            _curl("preview", "application/json", one, token),
        ),
        Line(
            "python",
            "Python",
            text("With the package tidings-client, which sends again what could not be sent."),
            _python(one, token),
        ),
        Line(
            "bus",
            text("Message bus"),
            text("Kafka, RabbitMQ, NATS or Redis: in the file that TIDINGS_BUSES names; a node takes the events out."),
            _bus(one["source"]),
        ),
    ]


def address(path: str) -> str:
    return f"{settings().base_url}/api/v1/{path}"


def _curl(path: str, content_type: str, body: Any, token: str) -> str:
    said = json.dumps(body, ensure_ascii=False, indent=2).replace("'", r"'\''")
    return (
        f'curl -X POST {address(path)} \\\n  -H "Authorization: Bearer {token or TOKEN}" \\\n'
        f"  -H \"Content-Type: {content_type}\" \\\n  -d '{said}'"
    )


def _python(event: Mapping[str, Any], token: str) -> str:
    subject, people = event["subject"], event["people"]
    made = f"Client({settings().base_url!r}, {token!r})" if token else "Client.from_environment()  # TIDINGS_URL too"
    return (
        "from tidings_client import Client, Event, People, Subject\n\n"
        f"client = {made}\n"
        "client.send(Event(\n"
        f"    {event['type']!r},\n"
        f"    Subject({subject['kind']!r}, {subject['id']!r}, {subject['title']!r}),\n"
        f"    People(submitter={people['submitter']!r}),\n"
        f"    id={event['id'] + '-py'!r},\n"
        "))"
    )


def _bus(source: str) -> str:
    said = json.dumps(source, ensure_ascii=False)
    return (
        f'[[bus]]\nname = "my-bus"\nkind = "kafka"\nurl = "kafkas://user:${{KAFKA_PASSWORD}}@kafka.example.com:9093"\n'
        f'topic = "tickets"\nsource = {said}'
    )
