"""A believable event of each built-in type, and who reads of it: for the gallery of messages and for tests. Pure."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

from tidings.catalog.features import SYSTEM_FEATURE, EventType, built_in
from tidings.messages.compose import compose
from tidings.messages.document import Document, Newer, Occasion, Reader

# Who decided, where a step is somebody's decision.
_DECIDED = ("approved", "rejected", "decided")


class ExamplesError(Exception):
    """`examples.toml` tells of an event type twice, not at all, or of one that does not exist."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """As in `examples.toml`; `title` and `node` by language."""

    id: str
    title: Mapping[str, str]
    submitter: str
    approvers: tuple[str, ...]
    node: Mapping[str, str]
    resources: tuple[str, ...]
    details: Mapping[str, Any]
    failed_tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Examples:
    url: str
    day: date
    timezones: Mapping[str, str]
    people: Mapping[str, Mapping[str, str]]
    steps: Mapping[str, tuple[Ticket, time]]
    """By event type, in the catalogue's order."""


def example_types() -> tuple[str, ...]:
    """The 58 built-in event types, in the catalogue's order."""
    return tuple(_examples().steps)


def example(event_type: str, language: str, *, overtaken: bool = False) -> Document:
    """The message to its default recipient, with everything written in `language`. `overtaken`: it was approved before
    the message went out."""
    occasion, reader = occasion_of(event_type, language), reader_of(event_type, language)
    if not overtaken:
        return compose(occasion, reader)
    approved = built_in().event_types["data_change.approved"]
    return compose(occasion, reader, newer=Newer(occasion.time, approved.labels), now=occasion.time)


def occasion_of(event_type: str, language: str) -> Occasion:
    """The same event in every language, but for the words of the people in it, and at the same hour of their clocks.
    Raises KeyError."""
    every, about = _examples(), built_in().event_types[event_type]
    ticket, at = every.steps[event_type]
    named = {login: names[language] for login, names in every.people.items()}
    decided = event_type.partition(".")[2] in _DECIDED
    waits = event_type.endswith(".pending_approval")
    zone = ZoneInfo(every.timezones[language])
    return Occasion(
        event_id=str(example_identity(event_type, language)),
        event_type=event_type,
        tone=about.tone,
        time=datetime.combine(every.day, at, zone).astimezone(UTC),
        subject_kind=about.subject_kind,
        subject_id=ticket.id,
        title=ticket.title[language],
        url=f"{every.url}/{about.subject_kind}s/{ticket.id}",
        submitter=named[ticket.submitter],
        submitter_uid=ticket.submitter,
        actor=named[ticket.approvers[0] if decided else ticket.submitter],
        approvers=tuple(named[login] for login in ticket.approvers) if waits else (),
        resources=ticket.resources,
        details=_details(ticket, event_type, language),
        feature_labels=about.feature_labels,
        event_labels=about.labels,
    )


def _details(ticket: Ticket, event_type: str, language: str) -> Mapping[str, Any]:
    """With those that only this step of its ticket has."""
    details = dict(ticket.details)
    if event_type.endswith(".pending_approval"):
        details["approval_node"] = ticket.node[language]
    if event_type.endswith(".tasks_failed"):
        details["failed_tasks"] = list(ticket.failed_tasks)
    return details


def reader_of(event_type: str, language: str) -> Reader:
    """The default recipient; an approver who owns the data is told of that too."""
    every, about = _examples(), built_in().event_types[event_type]
    ticket, _ = every.steps[event_type]
    login = ticket.approvers[0] if about.default_role == "approver" else ticket.submitter
    because = [(about.default_role, None), *([("data_owner", ticket.resources[0])] if login == "dan" else [])]
    return Reader(login, every.people[login][language], language, every.timezones[language], because, login)


def example_title(event_type: str, language: str) -> str:
    """What the subject of the example is called; empty for a type that has none."""
    step = _examples().steps.get(event_type)
    return step[0].title.get(language, step[0].title["en"]) if step else ""


def example_identity(*parts: str) -> UUID:
    """Always the same for the same parts."""
    return uuid5(NAMESPACE_URL, "/".join((_examples().url, *parts)))


@cache
def _examples() -> Examples:
    raw = tomllib.loads((files("tidings.messages") / "examples.toml").read_text("utf-8"))
    told: dict[str, tuple[Ticket, time]] = {}
    for one in raw["tickets"]:
        ticket = Ticket(
            id=one["id"],
            title=one["title"],
            submitter=one["submitter"],
            approvers=tuple(one.get("approvers", ())),
            node=one.get("node", {}),
            resources=tuple(one["resources"]),
            details=one.get("details", {}),
            failed_tasks=tuple(one.get("failed_tasks", ())),
        )
        for status, at in one["steps"].items():
            event_type = f"{one['feature']}.{status}"
            if event_type in told:
                raise ExamplesError(f"examples.toml tells of {event_type} twice")
            told[event_type] = (ticket, time.fromisoformat(at))
    wanted = [one.code for one in built_in().event_types.values() if _is_told(one)]
    if differing := sorted(set(wanted) ^ set(told)):
        raise ExamplesError(f"examples.toml and the catalogue differ in {', '.join(differing)}")
    return Examples(raw["url"], raw["day"], raw["timezones"], raw["people"], {code: told[code] for code in wanted})


def _is_told(event_type: EventType) -> bool:
    """Our own notices are no events of other systems."""
    return event_type.feature != SYSTEM_FEATURE
