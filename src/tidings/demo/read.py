"""The organisation and its day, as they are written down: `organisation.toml`, `day.toml`."""

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct, field

T = TypeVar("T")
EVENING = time(19)


class Written(Struct, frozen=True, forbid_unknown_fields=True):
    """A typing error in the data is found when it is read."""


class Person(Written, frozen=True):
    login: str
    name: str
    methods: list[str]
    language: str = "en"
    timezone: str = ""
    roles: list[str] = []
    email: str | None = None
    mobile: str = ""
    robot: str = ""
    webhook: str = ""
    webhook_format: str = "standard"
    own_webhook: str = ""
    active: bool = True


class Database(Written, frozen=True):
    owners: list[str] = []
    tables: dict[str, list[str]] = {}


class Instance(Written, frozen=True):
    name: str
    dba: str
    owners: list[str]
    databases: dict[str, Database]


class Rules(Written, frozen=True):
    switched_off: list[str]
    optional_roles: dict[str, list[str]]
    additional_users: dict[str, list[str]]


class Answer(Written, frozen=True):
    status: int
    says: str = ""
    retry_after: int = 0
    after: float = 0.0


class Trouble(Written, frozen=True):
    """By login and by path: the answers in order, the last of which repeats. `no_dingtalk` has a mobile that no
    DingTalk account has; `sms` is what the carrier reports in the end."""

    no_dingtalk: list[str]
    sms: dict[str, str]
    mail: dict[str, list[str]]
    webhook: dict[str, list[Answer]]


class Organisation(Written, frozen=True):
    domain: str
    timezone: str
    sources: list[str]
    systems: dict[str, str]
    signs_in: dict[str, str]
    robots: dict[str, str]
    people: list[Person]
    instances: list[Instance]
    rules: Rules
    trouble: Trouble

    def email_of(self, person: Person) -> str:
        return f"{person.login}@{self.domain}" if person.email is None else person.email


class Step(Written, frozen=True):
    at: str
    status: str
    actor: str = ""
    approvers: list[str] = []
    resources: list[str] = []
    details: dict[str, Any] = {}
    manner: Literal["json", "cloudevent", "batch"] = field(name="as", default="json")
    pause: float = 0.0
    hurry: bool = False
    alone: float = 0.0


class Ticket(Written, frozen=True):
    feature: str
    id: str
    title: str
    submitter: str | dict[str, str]
    resources: list[str]
    steps: list[Step]
    source: str = "dms-prod"
    related: list[str] = []
    details: dict[str, Any] = {}
    carried_over: bool = False
    each: list[str] = []
    """As many tickets: what stands for {} in id and title."""

    def spread(self) -> "list[Ticket]":
        return [
            msgspec.structs.replace(self, id=self.id.format(one), title=self.title.format(one), each=[])
            for one in self.each
        ] or [self]


class Moment(Written, frozen=True):
    """`of` is the id of an event; the other parts are what the kind needs: `payload` and `options` are JSON."""

    at: str
    kind: Literal["rule", "repeat", "reuse", "unknown_type", "retry", "push", "describe"]
    of: str = ""
    event_type: str = ""
    additional_users: list[str] = []
    state: str = ""
    channel: str = ""
    recipient: str = ""
    source: str = ""
    payload: str = ""
    options: str = ""
    pause: float = 0.0


class Day(Written, frozen=True):
    url: str
    tickets: list[Ticket]
    moments: list[Moment]


class Posted(Struct, frozen=True):
    """One event as its source will send it."""

    at: str
    source: str
    manner: str
    pause: float
    body: dict[str, Any]
    hurry: bool = False
    alone: float = 0.0


@cache
def organisation() -> Organisation:
    return _read("organisation.toml", Organisation)


@cache
def day() -> Day:
    return _read("day.toml", Day)


def last_working_day(now: datetime, zone: ZoneInfo) -> date:
    """The latest that is over: nothing that is played lies in the future."""
    local = now.astimezone(zone)
    found = local.date() if local.time() >= EVENING else local.date() - timedelta(days=1)
    while found.isoweekday() > 5:
        found -= timedelta(days=1)
    return found


def events_of(day: Day, on: date, zone: ZoneInfo) -> list[Posted]:
    """In the order of their time; what happens at the same time keeps the order of the file."""
    events = [
        _posted(day, ticket, number, step, on, zone)
        for written in day.tickets
        for ticket in written.spread()
        for number, step in enumerate(ticket.steps, 1)
    ]
    return sorted(events, key=lambda event: event.at)


def _posted(day: Day, ticket: Ticket, number: int, step: Step, on: date, zone: ZoneInfo) -> Posted:
    body = _body(day, ticket, number, step, on, zone)
    return Posted(step.at, ticket.source, step.manner, step.pause, body, step.hurry, step.alone)


def _body(day: Day, ticket: Ticket, number: int, step: Step, on: date, zone: ZoneInfo) -> dict[str, Any]:
    flow = ticket.source == "flows-prod"
    happened = datetime.combine(on, time.fromisoformat(step.at), zone).astimezone(UTC)
    body = {
        "id": f"{ticket.id}-{number}",
        "type": f"{ticket.feature}.{step.status}",
        "time": happened.isoformat(),
        "subject": {
            "kind": "task_flow" if flow else "ticket",
            "id": ticket.id,
            "title": ticket.title,
            "url": f"{day.url}/{'flows' if flow else 'tickets'}/{ticket.id}",
        },
        "people": {"submitter": ticket.submitter, "approvers": step.approvers, "related": ticket.related},
        "resources": [_resource(path) for path in step.resources or ticket.resources],
        "details": {**ticket.details, **step.details},
    }
    return body | ({"actor": step.actor} if step.actor else {})


def _resource(path: str) -> Mapping[str, str]:
    return dict(zip(("instance", "database", "table"), path.split("/"), strict=False))


def _read(name: str, shape: type[T]) -> T:
    return msgspec.convert(tomllib.loads((files("tidings.demo") / name).read_text("utf-8")), shape)
