"""The decision record, in the one shape that `GET /events/{id}`, `POST /preview` and `tidings explain` answer: each of
its parts is made here, whether it is of a plan or of what is kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tidings.events.event import Event, Incoming
from tidings.planning.compare import Comparison
from tidings.planning.plan import Because, Plan, Recipient, Skip
from tidings.planning.stand_in import stands_for

Json = dict[str, Any]
PLANNED = "planned"
"""The state of a send that is only foreseen; no delivery has it."""


def foreseen_record(incoming: Incoming, plan: Plan, now: datetime) -> Json:
    """Of a plan that nobody keeps. What only keeping gives is null: the event's id, its number, when it was accepted,
    the delivery's id."""
    event, subject = incoming.event, incoming.event.subject
    summary = summary_json(
        id=None,
        source=event.source,
        source_id=event.id,
        type=event.type,
        time=incoming.time,
        accepted_at=None,
        number=None,
        planned=True,
        subject={"kind": subject.kind, "id": subject.id, "title": subject.title, "url": subject.url},
    )
    return {
        "event": content_json(event) | summary | {"content_kept": None, "fault": None},
        "recipients": [_foreseen(recipient, now) for recipient in plan.recipients],
        "skips": [skip_json(skip) for skip in plan.skips],
    }


def comparison_json(comparison: Comparison, now: datetime) -> Json:
    """Of one event under two rules: people as they would be told; whoever is kept has the reasons there are now beside
    those that there would be."""
    kept = [
        _foreseen(wanted, now) | {"because_now": [because_json(each) for each in before.because]}
        for before, wanted in comparison.kept
    ]
    return {
        "added": [_foreseen(one, now) for one in comparison.added],
        "removed": [_foreseen(one, now) for one in comparison.removed],
        "kept": kept,
        "skips": [skip_json(skip) for skip in comparison.wanted.skips],
        "skips_now": [skip_json(skip) for skip in comparison.now.skips],
    }


def summary_json(
    *,
    id: UUID | None,
    source: str,
    source_id: str,
    type: str,
    time: datetime,
    accepted_at: datetime | None,
    number: int | None,
    planned: bool,
    subject: Mapping[str, str],
) -> Json:
    """`id` is ours, `source_id` the sender's."""
    return {
        "id": id,
        "source": source,
        "source_id": source_id,
        "type": type,
        "feature": type.partition(".")[0],
        "time": time,
        "accepted_at": accepted_at,
        "number": number,
        "planned": planned,
        "subject": subject,
    }


def content_json(event: Event | None) -> Json:
    """What the sender said beside the summary: people, resources, details and who acted."""
    said = msgspec.to_builtins(event) if event else {}
    return {name: said[name] for name in ("people", "actor", "resources", "details") if name in said}


def recipient_json(
    login: str, name: str, because: Sequence[Because], sends: Sequence[Json], skips: Sequence[Json]
) -> Json:
    reasons = [because_json(each) for each in because]
    return {"login": login, "name": name, "because": reasons, "sends": sends, "skips": skips}


def send_json(
    delivery_id: UUID | None,
    channel: str,
    state: str,
    due_at: datetime,
    reason: str,
    attempts: Sequence[Json],
    waits_for: str = "",
) -> Json:
    """`waits_for`, of one that is open: see `delivery/waits.py`."""
    return {
        "delivery_id": delivery_id,
        "channel": channel,
        "state": state,
        "due_at": due_at,
        "reason": reason,
        "waits_for": waits_for,
        "attempts": attempts,
    }


def because_json(because: Because) -> dict[str, str]:
    return {"role": because.role, "of": because.of} if because.of else {"role": because.role}


def skip_json(skip: Skip) -> dict[str, str]:
    """Only the parts that say something; a person's skip without a channel is about all of them."""
    parts = {"role": skip.role, "person": skip.person, "channel": skip.channel}
    return {**{name: value for name, value in parts.items() if value}, "reason": skip.reason}


def _foreseen(recipient: Recipient, now: datetime) -> Json:
    """It would be due at once. Whoever stands in for a role has no name and no methods."""
    if stands_for(recipient.member):
        return recipient_json("", "", [Because(each.role) for each in recipient.because], [], [])
    sends = [send_json(None, send.channel, PLANNED, now, "", []) for send in recipient.sends]
    skips = [skip_json(skip) for skip in recipient.skips]
    return recipient_json(recipient.member.login, recipient.member.name, recipient.because, sends, skips)
