"""What a webhook carries: Standard Webhooks' recommended shape, with the message as data and as text."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from tidings.channels.words import CUT, cut
from tidings.messages.document import Document, Fact

# The specification asks for less than 20 kB.
MAX_BYTES = 20_000
MAX_URL = 2_000
# Characters of a text and entries of a list; the first that fits is taken. The last one always does: 6 bytes for an
# escaped control character, some 30 texts, the identifiers (320 characters at most) and the URL.
LIMITS = ((2_000, 100), (500, 25), (200, 10), (60, 5))
_encode = msgspec.json.Encoder().encode


class Subject(msgspec.Struct):
    kind: str
    id: str
    title: str
    url: str


class Data(msgspec.Struct, omit_defaults=True):
    event_id: str
    recipient: str
    language: str
    feature: str
    event: str
    subject: Subject
    headline: str
    todo: str
    why: str
    because: list[dict[str, str | None]]
    facts: list[Fact]
    resources: list[str]
    earlier: str = ""
    cut: bool = False
    """Texts or lists are shorter than they were; `subject.url` and the event have it all."""


class Payload(msgspec.Struct):
    type: str
    timestamp: datetime
    data: Data


def payload(document: Document) -> bytes:
    """UTF-8 JSON. `timestamp` is when it happened; when it was sent is a header's."""
    occasion, reader = document.occasion, document.reader
    data = Data(
        event_id=occasion.event_id,
        recipient=reader.login,
        language=document.language,
        feature=_label(occasion.feature_labels, document.language),
        event=_label(occasion.event_labels, document.language),
        subject=Subject(occasion.subject_kind, occasion.subject_id, occasion.title, occasion.url),
        headline=document.headline,
        todo=document.todo,
        why=document.why,
        because=[{"role": role, "of": of} for role, of in reader.because],
        facts=list(document.facts),
        resources=list(occasion.resources),
        earlier=document.earlier,
    )
    whole = Payload(occasion.event_type, occasion.time, data)
    body = _encode(whole)
    for length, entries in LIMITS:
        if len(body) < MAX_BYTES:
            break
        body = _encode(Payload(whole.type, whole.timestamp, _shortened(data, length, entries)))
    return body


def _label(labels: Mapping[str, str], language: str) -> str:
    return labels.get(language) or labels.get("en", "")


def _shortened(data: Data, length: int, entries: int) -> Data:
    def few(items: list[Any]) -> list[Any]:
        return items[:entries]

    subject = data.subject
    # Half a URL leads nowhere.
    url = subject.url if len(subject.url) <= MAX_URL else ""
    facts = [Fact(fact.key[:length], cut(fact.label, length), cut(fact.value, length)) for fact in few(data.facts)]
    if len(facts) < len(data.facts):
        facts.append(Fact("cut", CUT, f"+{len(data.facts) - len(facts)}"))
    return Data(
        event_id=data.event_id,
        recipient=data.recipient,
        language=data.language,
        feature=cut(data.feature, length),
        event=cut(data.event, length),
        subject=Subject(subject.kind, subject.id, cut(subject.title, length), url),
        headline=cut(data.headline, length),
        todo=cut(data.todo, length),
        why=cut(data.why, length),
        because=[{"role": item["role"], "of": item["of"] and cut(item["of"], length)} for item in few(data.because)],
        facts=facts,
        resources=[cut(resource, length) for resource in few(data.resources)],
        earlier=cut(data.earlier, length),
        cut=True,
    )
