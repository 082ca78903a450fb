"""An event as a source sends it: checked whole before it joins a group, because a group is only as good as its worst
event. The types are the outside contract; unknown names are refused, so that a typing error never loses a recipient."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from unicodedata import category

import msgspec
from msgspec import Meta, Struct

from tidings.events.unreadable import unreadable
from tidings.kernel.problems import Problem

MAX_EVENT_BYTES = 256 * 1024
MAX_BATCH_BYTES = 8 * 1024 * 1024
MAX_BATCH_EVENTS = 1_000
MAX_DEPTH = 32
MAX_AHEAD = timedelta(hours=24)
# Older than any data platform. What is earlier was never set: Go writes 0001-01-01T00:00:00Z for no time.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

# Most links, at a glance; then what may be one.
_PLAIN_URL = re.compile(r"https?://[a-z0-9][a-z0-9.-]*+(?::[0-9]{1,5})?+/[A-Za-z0-9!#$%&()*+,./:;=?@\[\]_~-]*+")
_LINK = re.compile(r"https?://(?:[\w-][\w.-]*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:[/?#][^\s\"<>\\`]*)?", re.IGNORECASE)
_LEAP_SECOND = re.compile(rb'("[0-9-]{10}[Tt ][0-9]{2}:[0-9]{2}:)60((?:\.[0-9]+)?(?:[Zz]|[+-][0-9:]{5})")')
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_STEPS = (".", "..")

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Part = Annotated[str, Meta(max_length=200)]


class PersonKey(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Someone who is not named by login; exactly one of the three."""

    email: Annotated[str, Meta(max_length=320)] = ""
    mobile: Annotated[str, Meta(max_length=40)] = ""
    external_id: Annotated[str, Meta(max_length=200)] = ""

    def __str__(self) -> str:
        return self.email or self.mobile or self.external_id


PersonRef = Annotated[str, Meta(min_length=1, max_length=320)] | PersonKey
People_list = Annotated[list[PersonRef], Meta(max_length=1_000)]


class Subject(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    kind: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,39}\Z")]
    id: Name
    title: Annotated[str, Meta(max_length=500)] = ""
    url: Annotated[str, Meta(max_length=2_000)] = ""


class People(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    submitter: PersonRef | None = None
    approvers: People_list = []
    related: People_list = []


class Resource(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    instance: Name
    database: Part = ""
    table: Part = ""

    def path(self) -> str:
        return "/".join(part for part in (self.instance, self.database, self.table) if part)


class Event(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One status change. `time` is when it happened; missing means when it was accepted."""

    id: Name
    type: Annotated[str, Meta(min_length=1, max_length=120)]
    subject: Subject
    source: Part = ""
    time: datetime | None = None
    people: People = People()
    actor: PersonRef | None = None
    resources: Annotated[list[Resource], Meta(max_length=100)] = []
    details: dict[str, Any] = {}


class Incoming(Struct, frozen=True):
    """A checked event with its canonical form: what is stored, and what tells a repeat from a reuse of the id."""

    event: Event
    time: datetime
    body: bytes
    hash: bytes
    traceparent: str = ""
    """The trace it belongs to (W3C), for those who follow it; no part of what is stored."""


_decoder = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder(order="deterministic")


def read_event(raw: bytes | msgspec.Raw, *, now: datetime, source: str = "") -> Incoming:
    """Decode and check one event; `source` is used when it names none. Raises `Problem` (413, 422)."""
    if len(raw) > MAX_EVENT_BYTES:
        raise Problem(413, "event_too_large", f"An event may have {MAX_EVENT_BYTES // 1024} KiB; this one is larger.")
    try:
        event = _decoder.decode(raw)
    except msgspec.ValidationError as error:
        leap = _in_leap_second(raw, now, source)
        if leap is None:
            raise Problem(422, "invalid_event", f"{error}.") from None
        return leap
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(bytes(raw), error) from None
    return checked(event, now=now, source=source)


def _in_leap_second(raw: bytes | msgspec.Raw, now: datetime, source: str) -> Incoming | None:
    """An event of 23:59:60 UTC (RFC 3339, 5.7), which no `datetime` can hold: as one of the second before."""
    if b":60" not in bytes(raw):
        return None
    try:
        members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    found = _LEAP_SECOND.fullmatch(bytes(members.get("time", b"")))
    if found is None:
        return None
    members["time"] = msgspec.Raw(b"%b59%b" % found.groups())
    incoming = read_event(msgspec.json.encode(members), now=now, source=source)
    return incoming if (incoming.time.hour, incoming.time.minute) == (23, 59) else None


def checked(event: Event, *, now: datetime, source: str = "") -> Incoming:
    """The checks that types cannot express. Raises `Problem` 422."""
    if not event.source:
        event = msgspec.structs.replace(event, source=source)
    time = _moment(event.time, now) if event.time else now
    if event.time and event.time.tzinfo is not UTC:
        # The same moment is the same content, whatever the zone it was sent in.
        event = msgspec.structs.replace(event, time=time)
    if event.details:
        _check_details(event.details, 1)
    subject = event.subject
    if not (event.id.isprintable() and subject.id.isprintable()) or subject.id in _STEPS:
        _check_ids(event)
    if subject.url and not _PLAIN_URL.fullmatch(subject.url):
        _check_url(subject.url)
    for ref in (event.people.submitter, event.actor, *event.people.approvers, *event.people.related):
        if isinstance(ref, PersonKey) and bool(ref.email) + bool(ref.mobile) + bool(ref.external_id) != 1:
            raise Problem(422, "invalid_event", "A person is a login, or one of email, mobile, external_id.")
    body = _encoder.encode(event)
    if b"\\u0000" in body and _has_nul(msgspec.to_builtins(event)):
        raise Problem(422, "nul_character", "A text holds the character U+0000, which cannot be stored.")
    return Incoming(event, time, body, hashlib.blake2b(body, digest_size=16).digest())


def stored_event(body: bytes) -> Event:
    """The event as it was accepted."""
    return _decoder.decode(body)


def _moment(time: datetime, now: datetime) -> datetime:
    """In UTC."""
    if time.tzinfo is None:
        raise Problem(422, "invalid_event", "`time` needs a zone: 2026-11-23T10:00:00Z, or +08:00.")
    if time - now > MAX_AHEAD:
        raise Problem(422, "time_in_the_future", "`time` is more than 24 hours ahead of this server's clock.")
    if time < EARLIEST:
        hint = "Send when the status changed, or leave `time` out: then it is the time of arrival."
        raise Problem(422, "time_before_1970", f"`time` is before 1970, so it was probably never set. {hint}")
    return time.astimezone(UTC)


def _check_ids(event: Event) -> None:
    """What is not seen makes two ids look alike, and a line break cannot stand in a URL, nor `.` and `..`: whoever
    sends a URL with these steps asks for another one."""
    for name, text in (("id", event.id), ("subject.id", event.subject.id)):
        if any(category(each) in _UNSEEN and each != "\0" for each in text):  # of that speaks a problem of its own
            raise Problem(422, "invalid_event", f"`{name}` holds a control or an invisible character: leave it out.")
    if event.subject.id in _STEPS:
        raise Problem(
            422, "invalid_event", "`subject.id` is a step in a path: GET /subjects/{kind}/{id} needs another."
        )


def is_link(url: str) -> bool:
    """Whether it may be the url of a subject, apart from its length."""
    return url.isprintable() and _LINK.fullmatch(url) is not None


def _check_url(url: str) -> None:
    """It becomes a link in messages."""
    if not is_link(url):
        what = "https:// or http:// and a host, without spaces, quotes, angle brackets or a user name"
        raise Problem(422, "invalid_event", f"`subject.url` is no link: {what}; percent-encode the rest.")


def _check_details(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Problem(422, "too_deep", f"`details` may be nested {MAX_DEPTH} levels deep.")
    if isinstance(value, dict):
        for item in value.values():
            _check_details(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_details(item, depth + 1)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise Problem(422, "number_too_large", "A number in `details` needs more than 64 bits: send it as a text.")


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))
